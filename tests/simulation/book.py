"""What must never be, checked at each write and at the end, by the journal."""

import json
from pathlib import Path
from typing import Any

from scripts.rollout.cluster.client import Object
from scripts.rollout.errors import RolloutError
from scripts.rollout.journal import chain, replay
from scripts.rollout.journal.configmap import ENTRIES
from scripts.rollout.policy.backends import PERCENT_FIELD
from scripts.rollout.state.notes import NoteKind
from tests.simulation.kubernetes import SERVICE, Kubernetes

BOOK = "/api/v1/namespaces/default/configmaps/intent-rollout"
STATE = "state.json"
BY_PERSON = {NoteKind.CHANGED_BY_HAND, NoteKind.RESUMED, NoteKind.PROMOTED_BY_HAND}
ENDED = ("Promoted", "RolledBack", "Aborted", "Superseded", "Held")


class Book:
    """Reads what promoters write: the journal's lines and the percent."""

    def __init__(self, cluster: Kubernetes, folder: Path | None) -> None:
        """The journal is in a ConfigMap, or in a folder."""
        self._cluster, self._folder = cluster, folder
        self._broken: list[str] = []
        self.lines: list[str] = []
        self._last_author = ""

    def watch(self, broken: list[str]) -> None:
        """Begin to look at each write; add to `broken` what must not be."""
        self._broken = broken
        self._cluster.watchers.append(self._written)

    def _written(
        self, path: str, before: Object | None, after: Object, author: str
    ) -> None:
        if path == BOOK and author != "person":
            self._entry(after)
        if path == SERVICE and before is not None:
            old, new = _percent(before), _percent(after)
            if old != new:
                self._last_author = author
            if author.startswith("promoter") and before["spec"] != after["spec"]:
                self._asked(old, new, author)

    def _entry(self, book: Object) -> None:
        *_, line = book["data"][ENTRIES].splitlines()
        self.lines.append(line)

    def _asked(self, old: int | None, new: int | None, author: str) -> None:
        """Hold a percent that a promoter set against the newest entry."""
        now = self._state()
        wanted = None if now["phase"] == "Promoting" else now["weight"]
        told = f"{author} set {new}"
        if new != wanted:
            self._broken.append(f"{told}, the journal says {now['phase']} at {wanted}")
        newest = self._cluster.newest
        if _number(new) > _number(old) and newest != now["canary"]:
            self._broken.append(f"{told} for {newest}, pinned is {now['canary']}")

    def _state(self) -> dict[str, Any]:
        """Return phase, weight and canary as the journal has them now."""
        if self._folder is None:
            data = self._cluster.objects[BOOK]["data"]
            return {**data, "weight": int(data["weight"])}
        found: dict[str, Any] = json.loads((self._folder / STATE).read_text())["state"]
        return found

    # -- the end ---------------------------------------------------------------------

    def close(self, broken: list[str], *, is_steered: bool) -> None:
        """Check what can be known at the end only."""
        if self._folder is not None:
            path = self._folder / "journal.jsonl"
            self.lines = path.read_text().splitlines() if path.exists() else []
        try:
            self._entries = list(chain.verify(self.lines))
        except RolloutError as error:
            broken.append(f"two writers: {error}")
            self._entries = []
            return
        if not self._entries:
            # What a person set before may have been refused.
            broken += [] if is_steered else ["no rollout began"]
            return
        try:
            replay.journal(self.lines, None)
        except RolloutError as error:
            broken.append(f"the journal decides otherwise: {error}")
        self._counted(broken)
        self._raised(broken)
        self._ended(broken, is_steered=is_steered)

    @property
    def looks(self) -> int:
        """Return how many looks there were."""
        return sum(each["kind"] == "look" for each in self._entries)

    @property
    def canary(self) -> str:
        """Return the revision that the first rollout pinned."""
        return str(self._entries[0]["state"]["canary"]) if self._entries else ""

    @property
    def outcome(self) -> str:
        """Return the last phase of the first rollout."""
        phase = "none"
        for number, each in enumerate(self._entries):
            if each["kind"] == "begin" and number:
                break
            phase = each.get("phase", phase)
        return phase

    def _counted(self, broken: list[str]) -> None:
        """Hold what was counted against what was served."""
        totals: dict[str, list[float]] = {}
        arms = ("", "")
        for each in self._entries:
            if each["kind"] == "begin":
                arms = each["state"]["canary"], each["state"]["stable"]
            delta = each.get("seen", {}).get("delta")
            if not delta:
                continue
            bad, n, stable_bad, stable_n = delta["metrics"]["errors"]
            for arm, found in zip(
                arms, ((bad, n), (stable_bad, stable_n)), strict=True
            ):
                if min(found) < 0:
                    broken.append(f"{arm}: counted {found[0]:g} bad of {found[1]:g}")
                total = totals.setdefault(arm, [0.0, 0.0])
                total[0], total[1] = total[0] + found[0], total[1] + found[1]
        for arm, (bad, n) in totals.items():
            served = self._cluster.users.served.get(arm)
            most, most_bad = (served.n, served.bad) if served else (0, 0)
            if n > most or bad > most_bad:
                broken.append(
                    f"{arm}: counted {bad:g} bad of {n:g}, served {most_bad} of {most}"
                )

    def _raised(self, broken: list[str]) -> None:
        """Hold each raise against the evidence and the split that looks record."""
        seen, before, is_ordered, is_in_force, canary = 0.0, 0, False, False, ""
        for each in self._entries:
            if each["kind"] == "begin":
                seen, before, is_ordered, is_in_force = 0.0, 0, False, False
                canary = each["state"]["canary"]
            if each["kind"] != "look":
                continue
            delta, weight = each["seen"]["delta"], each["weight"]
            view = each["seen"]["view"]
            routed = view["routed"].get(canary, 0) if view else None
            is_in_force = is_in_force or routed == before
            seen += delta["metrics"]["errors"][1] if before and delta else 0.0
            kinds = {note["kind"] for note in each["notes"]}
            is_ordered = is_ordered or NoteKind.ORDERED in kinds
            if weight > before and not is_ordered and not kinds & BY_PERSON:
                where = f"raised from {before} to {weight} at look {each['seq']}"
                if not delta or view is None:
                    broken.append(f"{where} without a look at metrics and traffic")
                elif before and not seen:
                    broken.append(f"{where} without a request of the canary")
                elif not is_in_force:
                    broken.append(f"{where}, and {before} was never in force")
            if weight != before:
                seen, is_in_force = 0.0, False
            before = weight

    def _ended(self, broken: list[str], *, is_steered: bool) -> None:
        """Hold the last state against the traffic that is really routed."""
        looks = [each for each in self._entries if each["kind"] == "look"]
        begins = [each for each in self._entries if each["kind"] == "begin"]
        if not looks:
            broken.append("no look")
            return
        last, canary = looks[-1], begins[-1]["state"]["canary"]
        phase, weight = last["phase"], last["weight"]
        if phase not in ENDED:
            broken.append(f"came to no end: {phase} at {weight}")
            return
        if is_steered and self._last_author == "person":
            return
        if phase == "Superseded" and self._cluster.rolled_out == canary:
            return
        routed = self._cluster.users.routed.get(canary, 0)
        wanted = {"Promoted": 100, "Held": weight}.get(phase, 0)
        if routed != wanted:
            broken.append(f"{phase}: {routed} % are routed to {canary}, not {wanted}")


def _percent(service: Object) -> int | None:
    found: int | None = service["spec"]["predictor"].get(PERCENT_FIELD)
    return found


def _number(percent: int | None) -> int:
    return 100 if percent is None else percent
