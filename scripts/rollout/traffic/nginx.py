"""Writes the split file of an nginx, which is reloaded when the file changes.

What the running worker goes by it says itself, at an address that the policy has as
`target.control`: the percent, both servers, and where the file is. nginx counts nothing
by server, and checks none: counts and readiness are the predictors' own.
"""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import urllib3

from scripts.rollout.bounded import in_time
from scripts.rollout.errors import Conflict, Forbidden, RolloutError, Unreachable
from scripts.rollout.metrics.port import METRICS_PAGE, Metrics, Pages
from scripts.rollout.metrics.scrape import Scrape
from scripts.rollout.policy.policy import Target
from scripts.rollout.state.actions import Warmed, WarmUp
from scripts.rollout.state.observation import Replicas, View
from scripts.rollout.state.state import FULL
from scripts.rollout.traffic import warming
from scripts.rollout.traffic.port import Place
from scripts.rollout.traffic.served import Served

PATIENCE_S = 1.0
POOL_SIZE = 8
SPLIT = """\
# By intent-canary: which server a request goes to. nginx is reloaded when this changes.
split_clients $request_id $intent_server {{ {parts} }}
map "" $intent_percent {{ default {percent}; }}
"""


@dataclass(frozen=True, slots=True)
class Status:
    """What a worker says: its percent, the split file, both servers' addresses."""

    percent: int
    file: Path
    stable: tuple[str, str]
    canary: tuple[str, str]

    @property
    def arms(self) -> tuple[tuple[str, str], tuple[str, str]]:
        """Return name and address of the stable and of the canary."""
        return self.stable, self.canary


class NginxTraffic:
    """The traffic of one nginx on this machine."""

    @classmethod
    def of(cls, place: Place, target: Target, counted_by: str) -> Self:
        """Return the traffic of a policy's nginx. Raises RolloutError."""
        del place
        return cls(target.steered_at, target, counted_by)

    def __init__(self, control: str, target: Target, counted_by: str) -> None:
        """Check the target. Raises RolloutError unless nginx has the shipped form."""
        self.counted_by, self._control, self._name = counted_by, control, target.name
        self.http = in_time(urllib3.PoolManager(maxsize=POOL_SIZE, retries=False))
        status = self._status()
        self._served = Served(status.file.with_suffix(".served"), target.name)
        self._seen = self._percent(status)
        self._falls: dict[str, int] = {}
        self._was_up: dict[str, bool] = {}

    def _status(self) -> Status:
        """Ask a worker. Raises Unreachable, or RolloutError for another answer."""
        try:
            # A kept connection would be answered by a worker from before a reload.
            headers = {"Connection": "close"}
            answer = self.http.request(
                "GET", self._control, headers=headers, timeout=PATIENCE_S
            )
        except urllib3.exceptions.HTTPError as error:
            raise Unreachable(f"nginx at {self._control}: {error}") from error
        try:
            return _status(answer.json())
        except (ValueError, KeyError, TypeError) as error:
            raise RolloutError(
                f"target.control: {self._control} is not the status of the shipped "
                f"nginx configuration: {error!r}"
            ) from error

    def _percent(self, status: Status) -> int:
        """Return the percent in the file. Raises Unreachable, or RolloutError."""
        try:
            text = status.file.read_text(encoding="utf-8")
        except OSError as error:
            raise Unreachable(f"{status.file}: {error.strerror}") from error
        found = re.search(r"\$intent_percent \{ default (\d+); \}", text)
        percent = int(found[1]) if found else -1
        names = status.stable[0], status.canary[0]
        if text != _split(percent, *names):
            raise RolloutError(
                f"{status.file}: expected a split between {' and '.join(names)} as "
                "intent-canary writes it; write the shipped one anew"
            )
        return percent

    def observe(self) -> View:
        """Read the file, what the worker goes by, and who is ready."""
        status = self._status()
        weight = self._seen = self._percent(status)
        self._served.learn(dict(status.arms), self.http)
        stable, canary = (self._served.revision(name) for name, _ in status.arms)
        replicas = {
            self._served.revision(name): self._replicas(name, address)
            for name, address in status.arms
        }
        has_all = weight == FULL
        is_taken = status.percent == weight
        return View(
            created=canary,
            ready=canary if replicas[canary].ready else stable,
            rolledout=canary if has_all else stable,
            percent=None if has_all else weight,
            routed={stable: FULL - status.percent, canary: status.percent},
            replicas=replicas,
            blocked="" if is_taken else _not_reloaded(status, weight),
            asked=f"weights {FULL - weight}/{weight}",
            danger=_danger(status) if has_all else "",
            formerly=self._served.formerly,
        )

    def _replicas(self, name: str, address: str) -> Replicas:
        """Ask a known server whether it is ready; count how often it no longer was."""
        url = f"http://{address}/v2/models/{self._name}/ready"
        try:
            is_up = self.http.request("GET", url, timeout=PATIENCE_S).status == 200
        except urllib3.exceptions.HTTPError:
            is_up = False
        is_up = is_up and self._served.knows(name)
        falls = self._falls.get(name, 0) + (self._was_up.get(name, False) > is_up)
        self._falls[name], self._was_up[name] = falls, is_up
        return Replicas(int(is_up), falls)

    def promote(self) -> None:
        """Give the canary all traffic. Raises RemoteError."""
        self.set_weight(FULL)

    def set_weight(self, percent: int) -> None:
        """Write the split file, if it is as it was seen. Raises RemoteError."""
        status = self._status()
        if self._percent(status) != self._seen:
            raise Conflict(409, f"{status.file}: changed since the last look")
        new = status.file.with_suffix(".new")
        try:
            new.write_text(_split(percent, status.stable[0], status.canary[0]))
            os.replace(new, status.file)
        except PermissionError as error:
            raise Forbidden(403, f"{new}: expected to be in its group") from error
        except OSError as error:
            raise Unreachable(f"{new}: {error.strerror}") from error
        self._seen = percent

    def warm_up(self, asked: WarmUp) -> Warmed:
        """Send a round of requests to the canary, past nginx."""
        _, address = self._status().canary
        doors = warming.address_doors(self.http, address, self._name)
        return warming.warm_up(doors, asked)

    def metrics(self) -> Metrics:
        """Return the counters of the predictors."""
        return Scrape("", self.pages, http=self.http)

    def pages(self, revisions: Sequence[str]) -> Pages | None:
        """Return the metrics pages of these revisions."""
        arms = {
            f"http://{address}{METRICS_PAGE}": self._served.revision(name)
            for name, address in self._status().arms
            if self._served.revision(name) in revisions
        }
        return Pages(predictors=tuple(arms), arms=arms, with_http=True)


def _status(content: Any) -> Status:
    stable, canary = (
        (str(content[arm]["name"]), str(content[arm]["address"]))
        for arm in ("stable", "canary")
    )
    return Status(int(content["percent"]), Path(content["file"]), stable, canary)


def _split(percent: int, stable: str, canary: str) -> str:
    """Return the split file's text; nginx takes no part of 0 %."""
    parts = f"{percent}% {canary}; * {stable};"
    if percent in (0, FULL):
        parts = f"* {canary if percent else stable};"
    return SPLIT.format(parts=parts, percent=percent)


def _not_reloaded(status: Status, weight: int) -> str:
    return (
        f"nginx goes by {status.percent} and {status.file} has {weight}: what reloads "
        "it when the file changes does not work, or nginx refuses the file (nginx -t)"
    )


def _danger(status: Status) -> str:
    return (
        f"{status.canary[0]} has all traffic already; in nginx's configuration make it "
        f"the stable, put the new version in the place of {status.stable[0]}, and "
        "write the split anew with 0"
    )
