"""Sets the weights of two servers of a HAProxy, live on its runtime socket.

In its file one server has weight 0, and that is the canary: a HAProxy that begins anew
and knows nothing sends all to the stable.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import urllib3

from scripts.rollout.bounded import in_time
from scripts.rollout.errors import RolloutError
from scripts.rollout.metrics.haproxy import HaproxyMetrics, Runtime, Server
from scripts.rollout.metrics.port import METRICS_PAGE, Metrics, Pages
from scripts.rollout.metrics.scrape import Scrape
from scripts.rollout.policy.policy import Target
from scripts.rollout.state.actions import Warmed, WarmUp
from scripts.rollout.state.observation import Replicas, View
from scripts.rollout.state.state import FULL
from scripts.rollout.traffic import warming
from scripts.rollout.traffic.port import Place
from scripts.rollout.traffic.served import Served

POOL_SIZE = 8


class HaproxyTraffic:
    """The traffic of one HAProxy backend, which has the name of the model."""

    @classmethod
    def of(cls, place: Place, target: Target, counted_by: str) -> Self:
        """Return the traffic of a policy's HAProxy backend. Raises RolloutError."""
        del place
        return cls(Path(target.steered_at), target, counted_by)

    def __init__(self, control: Path, target: Target, counted_by: str) -> None:
        """Check the target. Raises RolloutError unless it has a stable and a canary."""
        self._runtime, self._name = Runtime(control, target.name), target.name
        self._served = Served(control.with_suffix(".served"), target.name)
        self.counted_by = counted_by
        self.http = in_time(urllib3.PoolManager(maxsize=POOL_SIZE, retries=False))
        self._arms()

    def _arms(self) -> tuple[Server, Server]:
        """Return stable and canary. Raises RolloutError, RemoteError."""
        found = self._runtime.servers()
        stable = [each for each in found if each.first_weight]
        canary = [each for each in found if not each.first_weight]
        if len(stable) != 1 or len(canary) != 1:
            weights = {each.name: each.first_weight for each in found}
            raise RolloutError(
                f"HAProxy backend {self._name}: expected two servers, one of them with "
                f"weight 0, got {weights} in its file"
            )
        return stable[0], canary[0]

    def observe(self) -> View:
        """Read weights in force, health and revisions. Raises RemoteError."""
        arms = self._arms()
        self._served.learn({each.name: each.address for each in arms}, self.http)
        stable, canary = (self._served.revision(each.name) for each in arms)
        replicas = {
            self._served.revision(arm.name): self._replicas(arm) for arm in arms
        }
        total = sum(each.weight for each in arms)
        weight = round(FULL * arms[1].weight / total) if total else 0
        has_all = weight == FULL
        return View(
            created=canary,
            ready=canary if replicas[canary].ready else stable,
            rolledout=canary if has_all else stable,
            percent=None if has_all else weight,
            routed=self._routed(arms),
            replicas=replicas,
            asked=f"weights {arms[0].weight}/{arms[1].weight}",
            danger=self._danger(arms) if has_all else "",
            formerly=self._served.formerly,
        )

    def _replicas(self, arm: Server) -> Replicas:
        """Return whether an arm is up, and it is known which model it has."""
        return Replicas(int(arm.is_up and self._served.knows(arm.name)), arm.falls)

    def _danger(self, arms: tuple[Server, Server]) -> str:
        stable, canary = (each.name for each in arms)
        return (
            f"{canary} has all traffic already; in HAProxy's file give it {FULL}, "
            f"put the new version in the place of {stable} with weight 0, and reload"
        )

    def _routed(self, arms: Sequence[Server]) -> dict[str, int]:
        """Return each revision's percent; a server that is down gets nothing."""
        weights = {
            self._served.revision(arm.name): arm.weight * arm.is_up for arm in arms
        }
        total = sum(weights.values())
        if not total:
            return {}
        return {name: round(FULL * each / total) for name, each in weights.items()}

    def promote(self) -> None:
        """Give the canary all traffic. Raises RemoteError."""
        self.set_weight(FULL)

    def set_weight(self, percent: int) -> None:
        """Set both weights, and save them for a reload. Raises RemoteError."""
        stable, canary = self._arms()
        weights = {canary.name: percent, stable.name: FULL - percent}
        self._runtime.set_weights(weights)

    def warm_up(self, asked: WarmUp) -> Warmed:
        """Send a round of requests to the canary, past HAProxy."""
        _, canary = self._arms()
        doors = warming.address_doors(self.http, canary.address, self._name)
        return warming.warm_up(doors, asked)

    def metrics(self) -> Metrics:
        """Return the counters of HAProxy, or those of the predictors alone."""
        pages = Scrape("", self.pages, http=self.http)
        if self.counted_by == "predictor":
            return pages
        return HaproxyMetrics(self._runtime, self._revisions, pages)

    def _revisions(self) -> dict[str, str]:
        return {each.name: self._served.revision(each.name) for each in self._arms()}

    def pages(self, revisions: Sequence[str]) -> Pages | None:
        """Return the metrics pages of these revisions."""
        arms = {
            f"http://{each.address}{METRICS_PAGE}": self._served.revision(each.name)
            for each in self._arms()
            if each.is_up and self._served.revision(each.name) in revisions
        }
        return Pages(predictors=tuple(arms), arms=arms, with_http=True)
