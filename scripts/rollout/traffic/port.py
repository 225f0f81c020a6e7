"""The port to an adapter of `target.backend`, in terms that all backends share."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

import urllib3

from scripts.rollout.metrics.port import Metrics, Pages
from scripts.rollout.policy.policy import Target
from scripts.rollout.state.actions import Warmed, WarmUp
from scripts.rollout.state.observation import View


@dataclass(frozen=True, slots=True)
class Place:
    """The places where adapters look: local mode's folder, the kubeconfig's context."""

    folder: Path
    context: str | None = None


class Traffic(Protocol):
    """Two revisions behind one address, and each one's share of the requests."""

    def observe(self) -> View:
        """Read the split that is set and the one that is routed. Raises RemoteError."""

    def set_weight(self, percent: int) -> None:
        """Set the canary's percent. Raises RemoteError."""

    def promote(self) -> None:
        """Make the canary the stable, with all traffic. Raises RemoteError."""

    def warm_up(self, asked: WarmUp) -> Warmed:
        """Send a round of requests to the canary's pods, past the split."""


class CountedTraffic(Traffic, Protocol):
    """Traffic whose requests are counted.

    `counted_by`: the part that counts them, as in `Policy.counted_by`, or "grpc".
    `http`: the connection pool for its metrics pages and predictors.
    """

    counted_by: str
    http: urllib3.PoolManager

    @classmethod
    def of(cls, place: Place, target: Target, counted_by: str) -> Self:
        """Return a target's traffic. Raises RolloutError where no rollout is safe."""

    def metrics(self) -> Metrics:
        """Return both arms' counters, read where requests are counted."""

    def pages(self, revisions: Sequence[str]) -> Pages | None:
        """Return the metrics pages of these revisions, None where they are not known.

        Raises RemoteError.
        """
