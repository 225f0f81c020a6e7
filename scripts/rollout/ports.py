"""What the loop needs from the world; one adapter a file, none knows another."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from scripts.rollout.state import View, Warmed

Sample = Mapping[str, float]
Reading = Mapping[str, Mapping[str, Sample]]
"""Counters since an instance started, by revision and instance; see `series`."""


@dataclass(frozen=True, slots=True)
class Pages:
    """Where to read: the gateway's page (None where it does not count), predictors'."""

    gateway: str | None
    predictors: tuple[str, ...]


class Traffic(Protocol):
    """An InferenceService and what routes its requests."""

    def observe(self) -> View | None:
        """How it is, None where that cannot be read."""

    def set_percent(self, percent: int | None) -> None:
        """Ask for a canary's percent, None promotes. Raises Unreachable."""

    def warm_up(self, requests: int) -> Warmed:
        """Ask the canary by its tag, where no user comes."""


class Metrics(Protocol):
    """Counters of both arms."""

    def read(self, revisions: Sequence[str]) -> Reading | None:
        """All counters now, None where they cannot be read."""

    def history(
        self, revision: str, seconds: float, step: float
    ) -> list[tuple[float, Reading]]:
        """Earlier readings by time, empty where none are kept."""
