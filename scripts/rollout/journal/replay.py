"""Decides a recorded rollout again, from a journal or from counters as CSV. Pure.

Under its own policy a journal must lead to the decisions that it records. Under
another policy, and from CSV, the traffic is assumed to follow the decisions.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from scripts.rollout.decision.machine import Machine
from scripts.rollout.decision.rehearsal import at_first_step
from scripts.rollout.errors import Exit, JournalError
from scripts.rollout.journal import chain, codec
from scripts.rollout.journal.batch import Batch
from scripts.rollout.journal.entries import encode_action, exit_code_so_far
from scripts.rollout.journal.notes import read_notes
from scripts.rollout.journal.saved import readable
from scripts.rollout.metrics.csv_file import CANARY, STABLE, readings
from scripts.rollout.metrics.port import REQUESTS, Reading
from scripts.rollout.metrics.windows import windows
from scripts.rollout.policy import reader
from scripts.rollout.policy.policy import Policy
from scripts.rollout.state.actions import Answer, Consult, Says, Warmed, WarmUp
from scripts.rollout.state.notes import NoteKind
from scripts.rollout.state.observation import Delta, Observation, View
from scripts.rollout.state.state import Decision, Phase, State


@dataclass(frozen=True, slots=True)
class Replay:
    """The notes of the decisions with their times, and the run's exit code.

    `lines`: numbers of the first and last verified entry, 0 for CSV. `code` is None if
    a part of a journal has no beginning to decide from.
    """

    notes: tuple[tuple[float, str], ...]
    code: Exit | None
    lines: tuple[int, int]


def journal(lines: Iterable[str], policy: Policy | None) -> Replay:
    """Decide the last rollout of a journal again, or of a part of a journal.

    A part goes on from its first `begin` or `restart`. Raises JournalError where the
    chain is broken or where this version decides otherwise.
    """
    records, span = chain.verify_part(list(lines))
    begin = _beginning(records)
    if begin is None:
        return Replay((), None, span)
    looks = [
        (each["seq"], each)
        for each in records
        if each["kind"] == "look" and each["seq"] > begin["seq"]
    ]
    state = codec.decode(State, readable(begin["state"]), f"line {begin['seq']}")
    if state.other_version:
        raise JournalError(f"line {begin['seq']}: {state.other_version}")
    if policy is None:
        own = reader.parse(begin["policy"], "the journal's policy")
        return _ended(_again(Machine(own), state, looks), state, span)
    return _ended(_follow(Machine(policy), state, _seen(looks)), state, span)


def _beginning(records: list[dict[str, Any]]) -> dict[str, Any] | None:
    begins = [each for each in records if each["kind"] == "begin"]
    restarts = [each for each in records if each["kind"] == "restart"]
    found = begins[-1:] or restarts[:1]
    return found[0] if found else None


def _seen(looks: Sequence[tuple[int, dict[str, Any]]]) -> list[Observation]:
    return [
        codec.decode(Observation, record["seen"], f"line {number}")
        for number, record in looks
    ]


def _again(
    machine: Machine, state: State, looks: Sequence[tuple[int, dict[str, Any]]]
) -> Iterator[Decision]:
    seen = _seen(looks)
    ahead = Batch(machine.rules, seen)
    for i, (number, record) in enumerate(looks):
        decision = machine.step(state, seen[i], ahead.after(state, i))
        state = decision.state
        made, stands = _made(decision), _recorded(record, decision)
        if made != stands:
            differ = [key for key in made if made[key] != stands[key]]
            said = (f"{key} {made[key]} instead of {stands[key]}" for key in differ)
            raise JournalError(
                f"line {number}: this version decides: {', '.join(said)}"
            )
        yield decision


def _made(decision: Decision) -> dict[str, Any]:
    """Return what a look decided, without its texts, which may be reworded."""
    state = decision.state
    return {
        "phase": state.phase,
        "weight": state.weight,
        "verdict": state.verdict,
        "actions": [encode_action(each) for each in decision.actions],
        "notes": [note.kind for note in decision.notes],
    }


def _recorded(record: dict[str, Any], decision: Decision) -> dict[str, Any]:
    """Return what an entry records, in the form of `_made`.

    Schema 1 does not record every kind of a note; an unknown kind agrees with any.
    """
    found = {key: record[key] for key in ("phase", "weight", "verdict", "actions")}
    kinds = [note.kind for note in read_notes(record)]
    made = [note.kind for note in decision.notes]
    if len(kinds) == len(made):
        pairs = zip(kinds, made, strict=True)
        kinds = [m if kind is NoteKind.UNKNOWN else kind for kind, m in pairs]
    return {**found, "notes": kinds}


def counts(lines: Iterable[str], policy: Policy) -> Replay:
    """Decide from cumulative counters as CSV. Raises RolloutError with the line."""
    read = list(readings(lines))
    deltas = list(_deltas(policy, read))
    first = next((i for i, (_, d) in enumerate(deltas) if _has_canary(d)), len(deltas))
    known = tuple(delta for _, delta in deltas[:first])
    began = read[first][0] if read else 0.0
    machine = Machine(policy)
    state = at_first_step(machine, known, _rps(deltas[first:], began), began)
    seen = [Observation(time, None, delta) for time, delta in deltas[first:]]
    return _ended(_follow(machine, state, seen), state, (0, 0))


def _deltas(
    policy: Policy, read: Sequence[tuple[float, Reading]]
) -> Iterator[tuple[float, Delta]]:
    """What can be compared at each time, as in a rollout at one weight."""
    if not read:
        return
    (began, first), *rest = read
    bases = windows.from_one(first, began)
    for time, now in rest:
        is_split = any(sample.get(REQUESTS) for sample in now[CANARY].values())
        seen = windows.Look(now, time, (CANARY, STABLE), is_split=is_split)
        delta, bases = windows.compared(policy, bases, seen)
        yield time, delta


def _rps(rest: list[tuple[float, Delta]], began: float) -> float:
    seen = sum(sum(delta.metrics["errors"][1::2]) for _, delta in rest)
    return seen / max(rest[-1][0] - began, 1.0) if rest else 0.0


def _follow(
    machine: Machine, state: State, looks: Sequence[Observation]
) -> Iterator[Decision]:
    """Decide while the traffic follows every decision at once and hooks agree."""
    warmed, answer, ahead = None, None, Batch(machine.rules, looks)
    for i, seen in enumerate(looks):
        there = replace(seen, view=_view(state), warmed=warmed, answer=answer)
        decision = machine.step(state, there, ahead.after(state, i))
        warmed = answer = None
        for action in decision.actions:
            match action:
                case WarmUp(requests):
                    warmed = Warmed(requests, 0)
                case Consult(hook, weight):
                    answer = Answer(hook, weight, Says.YES)
        state = decision.state
        yield decision
        if state.phase in (Phase.ROLLING_BACK, Phase.PROMOTING):
            still = Observation(state.now, _view(state), None)
            yield machine.step(state, still)
            return
        if state.verdict is not None:
            return


def _view(state: State) -> View:
    percent = None if state.phase is Phase.PROMOTING else state.weight
    return View.in_force(state.canary, state.stable, percent)


def _ended(
    decisions: Iterable[Decision], state: State, span: tuple[int, int]
) -> Replay:
    said: list[tuple[float, str]] = []
    for decision in decisions:
        state = decision.state
        said += [(state.now, note.text) for note in decision.notes]
    code = exit_code_so_far(state) if state.verdict is None else state.verdict
    return Replay(tuple(said), code, span)


def _has_canary(delta: Delta) -> bool:
    return any(row[1] for row in delta.metrics.values())
