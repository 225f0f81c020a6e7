"""Asks AWS through boto3, which is imported only once something is to be asked."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, Protocol

from scripts.rollout.errors import (
    NotFound,
    RemoteError,
    RolloutError,
    Unreachable,
    refusal,
)

# Names of refusals that pass by themselves, or by a login that is renewed.
WAITED_FOR = (
    *("Throttl", "TooManyRequests", "RequestLimit"),
    *("ExpiredToken", "RequestExpired", "UnrecognizedClient"),
)
# SageMaker answers 400 with this sentence where others answer 404.
ABSENT = "Could not find"


class Api(Protocol):
    """One service of AWS."""

    def __call__(self, operation: str, **parameters: Any) -> dict[str, Any]:
        """Return the answer. Raises RemoteError."""


class Client:
    """A service as boto3 asks it: region, login and address by its usual places."""

    def __init__(self, service: str) -> None:
        """Begin without asking. Raises RolloutError without boto3 or a region."""
        try:
            boto3, config = map(import_module, ("boto3", "botocore.config"))
        except ModuleNotFoundError as error:
            raise RolloutError(
                f"target.backend: sagemaker needs {error.name}: "
                "pip install 'intent-classifier[sagemaker]'"
            ) from error
        self._faults = import_module("botocore.exceptions")
        patience = config.Config(
            connect_timeout=3, read_timeout=10, retries={"total_max_attempts": 2}
        )
        try:
            self._client = boto3.client(service, config=patience)
        except self._faults.NoRegionError as error:
            raise RolloutError(
                "no region: set AWS_DEFAULT_REGION, or the profile's"
            ) from error

    def __call__(self, operation: str, **parameters: Any) -> dict[str, Any]:
        """Return the answer. Raises RemoteError."""
        try:
            found: dict[str, Any] = getattr(self._client, operation)(**parameters)
        except self._faults.ClientError as error:
            raise refused(operation, error.response) from error
        except self._faults.BotoCoreError as error:
            raise Unreachable(f"{operation}: {error}") from error
        return found


def refused(operation: str, answer: Mapping[str, Any]) -> RemoteError:
    """Return the error for a refusal; one of the container has the container's code."""
    error = answer["Error"]
    code, message = str(error["Code"]), str(error.get("Message", ""))
    said = f"{operation}: {code}: {message}"
    if code.startswith(WAITED_FOR):
        return Unreachable(said)
    if ABSENT in message:
        return NotFound(404, said)
    status = answer.get("OriginalStatusCode")
    return refusal(int(status or answer["ResponseMetadata"]["HTTPStatusCode"]), said)
