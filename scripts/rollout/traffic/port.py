"""What every value of `target.backend` can do."""

from collections.abc import Sequence
from typing import Protocol

from scripts.rollout.metrics.port import Pages
from scripts.rollout.state.actions import Warmed
from scripts.rollout.state.observation import View


class Traffic(Protocol):
    """An InferenceService and what routes its requests."""

    def observe(self) -> View | None:
        """How it is, None where that cannot be read."""

    def set_percent(self, percent: int | None) -> None:
        """Ask for a canary's percent, None promotes. Raises Unreachable."""

    def warm_up(self, requests: int) -> Warmed:
        """Ask the canary by its tag, where no user comes."""


class CountedTraffic(Traffic, Protocol):
    """Traffic that can be counted, and by whom: `counts` as in `Policy.counts`."""

    counts: str

    def pages(self, revisions: Sequence[str]) -> Pages | None:
        """Where the counters of these revisions are, None where that is not known."""
