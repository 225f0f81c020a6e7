"""The errors that keep the server from starting.

PredictorError
├── ArtifactError    the model artifact cannot be trusted or used
└── StartError       the server cannot take its ports or its options

A request's errors are kserve's own: InvalidInput (400), ModelNotFound (404).
"""


class PredictorError(Exception):
    """Base of the predictor's errors; the process ends with `exit_code`."""

    exit_code = 1


class ArtifactError(PredictorError):
    """The artifact is missing, altered, or made by another scikit-learn."""

    exit_code = 3


class StartError(PredictorError):
    """A port is taken or an option does not fit this server."""

    exit_code = 4


def one_line(said: object) -> str:
    """Return what others said in one line of at most 200 characters."""
    return " ".join(str(said).split())[:200]
