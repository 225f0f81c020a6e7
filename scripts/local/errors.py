"""The errors of local mode.

LocalError
├── ManifestError    the YAML is not an InferenceService that can run here
├── PortTaken        another process listens on the gateway's port
└── NotRunning       there is nothing to patch, show or read
"""


class LocalError(Exception):
    """Base of local mode's errors: one line that says what to do."""


class ManifestError(LocalError):
    """A manifest is refused; the message names file and field."""


class PortTaken(LocalError):
    """Another process listens on the gateway's port."""


class NotRunning(LocalError):
    """No InferenceService has this name, or nothing runs at all."""
