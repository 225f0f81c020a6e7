"""What an adapter of `target.backend` can do, in words that every backend shares."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

import urllib3

from scripts.rollout.metrics.port import Metrics, Pages
from scripts.rollout.policy.policy import Target
from scripts.rollout.state.actions import Warmed
from scripts.rollout.state.observation import View


@dataclass(frozen=True, slots=True)
class Place:
    """Where adapters look: local mode's folder, a context of the kubeconfig."""

    folder: Path
    context: str | None = None


class Traffic(Protocol):
    """Two revisions behind one address, and the share of requests that each gets."""

    def observe(self) -> View:
        """What is asked for and what is routed. Raises RemoteError."""

    def set_weight(self, percent: int) -> None:
        """Ask for the canary's percent. Raises RemoteError."""

    def promote(self) -> None:
        """Make the canary the stable, with all traffic. Raises RemoteError."""

    def warm_up(self, requests: int) -> Warmed:
        """Send requests to the canary past the split, where no user comes."""


class CountedTraffic(Traffic, Protocol):
    """Traffic whose requests are counted.

    `counted_by`: who counts them, as in `Policy.counted_by`, or "grpc".
    `http`: the pool through which its pages and predictors are asked.
    """

    counted_by: str
    http: urllib3.PoolManager

    @classmethod
    def of(cls, place: Place, target: Target, counted_by: str) -> Self:
        """The traffic of a target. Raises RolloutError where no rollout is safe."""

    def metrics(self) -> Metrics:
        """Both arms' counters, read where requests are counted."""

    def pages(self, revisions: Sequence[str]) -> Pages | None:
        """Where the counters of these revisions are, None where that is not known.

        Raises RemoteError.
        """
