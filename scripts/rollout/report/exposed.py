"""A rollout's numbers as a page that a Prometheus reads. Pure.

Names of labels are chosen so that none is one that a scrape sets itself (`namespace`,
`pod`). Ages are times: `time() - x` is right also when nobody writes any more.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from scripts.rollout.decision.explaining import explain
from scripts.rollout.decision.explaining.explain import Row
from scripts.rollout.decision.measurement import Rules
from scripts.rollout.errors import Exit
from scripts.rollout.journal.saved import Saved
from scripts.rollout.metrics.port import READ_AT
from scripts.rollout.policy.policy import Policy
from scripts.rollout.state.state import FULL, Pause, Phase, State

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
PREFIX = "intent_canary_"
ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
VERDICTS = tuple(each for each in Exit if each not in (Exit.USAGE, Exit.LOCKED))
Sample = tuple[Mapping[str, str], float]


@dataclass(frozen=True, slots=True)
class Family:
    """One metric: its name without the prefix, its help, its samples."""

    name: str
    help: str
    samples: Sequence[Sample]
    kind: str = "gauge"


@dataclass(frozen=True, slots=True)
class Page:
    """The families of one rollout, which all its samples are labelled with."""

    target: str
    families: Sequence[Family] = field(default_factory=tuple)

    def __str__(self) -> str:
        """Return the text format."""
        return "".join(self._lines())

    def _lines(self) -> Iterator[str]:
        namespace, _, name = self.target.partition(".")
        whose = {"target_namespace": namespace, "target": name}
        for family in self.families:
            full = PREFIX + family.name
            yield f"# HELP {full} {family.help}\n# TYPE {full} {family.kind}\n"
            for labels, value in family.samples:
                pairs = {**whose, **labels}.items()
                said = ",".join(f'{k}="{v.translate(ESCAPES)}"' for k, v in pairs)
                yield f"{full}{{{said}}} {_number(value)}\n"


def page(policy: Policy, saved: Saved, *, is_running: bool) -> Page:
    """Return the numbers of a commit; `is_running`: a promoter is at work."""
    state = saved.state
    families = [
        *_of_the_rollout(policy, state, is_running),
        *_of_time(policy, saved),
        *_of_the_split(state),
        *_of_metrics(policy, state),
    ]
    return Page(policy.key, families)


def _one(name: str, told: str, value: float, **labels: str) -> Family:
    return Family(name, told, [(labels, float(value))])


def _states(name: str, told: str, key: str, names: Sequence[str], now: str) -> Family:
    """Return one sample a state, 1 for the one that is: a sum by state then counts."""
    return Family(name, told, [({key: each}, float(each == now)) for each in names])


def _of_the_rollout(policy: Policy, state: State, is_running: bool) -> Iterator[Family]:
    arms = {"canary": state.canary, "stable": state.stable}
    backend = policy.target.backend
    yield _one("info", "The revisions, and who routes.", 1, **arms, backend=backend)
    phases = [each.value for each in Phase]
    yield _states("phase", "1 for the phase.", "phase", phases, state.phase.value)
    verdict = "" if state.verdict is None else state.verdict.name.lower()
    names = [each.name.lower() for each in VERDICTS]
    told = "1 for the verdict, 0 for all while there is none."
    yield _states("verdict", told, "verdict", names, verdict)
    yield _one("running", "Whether a promoter is at work.", is_running)
    is_paused = state.pause is not Pause.NONE
    yield _one("paused", "Whether the weight stays for a person.", is_paused)
    told = "Whether the promoter cannot read traffic or counters now."
    yield _one("unreadable", told, bool(state.trouble))


def _of_time(policy: Policy, saved: Saved) -> Iterator[Family]:
    state = saved.state
    told = "Looks so far."
    yield Family("looks_total", told, [({}, float(state.tick))], "counter")
    for name, told, value in (
        ("interval_seconds", "Time between two looks.", state.interval),
        ("begin_timestamp_seconds", "When the rollout began.", state.began),
        ("phase_timestamp_seconds", "When phase or weight began.", state.entered),
        ("last_look_timestamp_seconds", "When it looked last.", state.now),
        ("last_ready_timestamp_seconds", "When the canary was ready.", state.was_ready),
        ("step_deadline_seconds", "Time at one weight.", policy.deadlines.step),
    ):
        yield _one(name, told, value)
    told = "When the verdict was given; nothing while there is none."
    ended: list[Sample] = [] if state.verdict is None else [({}, state.now)]
    yield Family("end_timestamp_seconds", told, ended)
    told = "When the newest counts of an arm were read."
    found = _read_at(saved)
    samples: list[Sample] = [({"arm": arm}, at) for arm, at in found.items()]
    yield Family("last_data_timestamp_seconds", told, samples)
    told = "By how much later one arm was read, of what was compared."
    yield _one("read_skew_seconds", told, state.apart_s)


def _read_at(saved: Saved) -> dict[str, float]:
    """Return when each arm was read last; an arm that never was is not in it."""
    found: dict[str, float] = {}
    arms = {"canary": saved.state.canary, "stable": saved.state.stable}
    for base in saved.bases.values():
        for arm, revision in arms.items():
            pods = {**base.reading, **base.late}.get(revision, {})
            read = [sample.get(READ_AT, base.at) for sample in pods.values()]
            found[arm] = max(found.get(arm, -math.inf), *read, -math.inf)
    return {arm: at for arm, at in found.items() if math.isfinite(at)}


def _of_the_split(state: State) -> Iterator[Family]:
    yield _one("weight_ratio", "The weight asked for.", state.weight / FULL)
    told = "Whether the weight asked for was seen in force."
    yield _one("weight_in_force", told, state.is_verified)
    split = state.split
    if split is not None and split.n:
        told = "The canary's share of the requests counted at this weight."
        yield _one("counted_split_ratio", told, split.canary / split.n)
    told = "Whether the counted split is not the one that is set."
    yield _one("split_moved", told, state.is_split_moved)


def _of_metrics(policy: Policy, state: State) -> Iterator[Family]:
    for name, told, key in (
        ("budget_ratio", "The largest excess that is accepted.", "budget"),
        ("tolerance_ratio", "The largest distance that is accepted.", "tolerance"),
        ("slo_seconds", "The time from which an answer is slow.", "slo"),
    ):
        given = [(each.name, getattr(each, key)) for each in policy.metrics]
        set_ = [({"metric": name}, value) for name, value in given if value is not None]
        yield Family(name, told, set_)
    if state.judged is None:
        return
    design = Rules(policy).design(state.steps)
    rows = explain.rows(policy, design, state.judged, state.step)
    yield from _of_arms(rows)
    yield from _of_evidence(rows)


def _of_arms(rows: Sequence[Row]) -> Iterator[Family]:
    arms = [
        ({"metric": row.metric, "arm": arm}, counts)
        for row in rows
        for arm, counts in (("canary", row.canary), ("stable", row.stable))
    ]
    told = "Bad share, over scrapes that both arms have."
    yield Family("bad_ratio", told, [(labels, each.share) for labels, each in arms])
    told = "Outcomes that were counted."
    yield Family("outcomes", told, [(labels, each.n) for labels, each in arms])
    told = "Ends of the interval of canary minus stable that holds at every look."
    ends: list[Sample] = [
        ({"metric": row.metric, "end": end}, value)
        for row in rows
        for end, value in (("low", row.low), ("high", row.high))
    ]
    yield Family("difference_ratio", told, ends)
    told = "How far apart the predicted labels are, as total variation."
    apart: list[Sample] = [
        ({"metric": row.metric}, row.distance)
        for row in rows
        if row.distance is not None
    ]
    yield Family("labels_distance_ratio", told, apart)


def _of_evidence(rows: Sequence[Row]) -> Iterator[Family]:
    both: list[tuple[Mapping[str, str], float, float]] = []
    for row in rows:
        both.append((_to(row, "rollback"), row.rollback, row.rollback_needed))
        if row.gate is not None:
            both.append((_to(row, "raise"), row.gate, row.gate_needed))
    told = "The e-value towards a rollback, or for the next weight."
    yield Family("evidence", told, [(labels, value) for labels, value, _ in both])
    told = "The e-value that is needed."
    needed: list[Sample] = [(labels, value) for labels, _, value in both]
    yield Family("evidence_needed", told, needed)


def _to(row: Row, towards: str) -> Mapping[str, str]:
    return {"metric": row.metric, "towards": towards}


def _number(value: float) -> str:
    return repr(value) if math.isfinite(value) else "NaN"
