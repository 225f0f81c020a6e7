"""What can go wrong in local mode.

LocalError
├── ManifestError    the YAML is not an InferenceService that can run here
├── PortTaken        the gateway's port belongs to someone else
└── NotRunning       there is nothing to patch, show or read
"""


class LocalError(Exception):
    """Base of local mode's errors: one line that says what to do."""


class ManifestError(LocalError):
    """A manifest is refused; the message names file and field."""


class PortTaken(LocalError):
    """Somebody else listens where the gateway should."""


class NotRunning(LocalError):
    """No such InferenceService, or nothing runs at all."""
