"""`check`: which conditions of the two promises hold on this stable's own traffic."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from rich.table import Table

from scripts import console
from scripts.rollout import text, wiring
from scripts.rollout.cli.options import Common, emit, naming, text_of
from scripts.rollout.decision import dependence, rehearsal
from scripts.rollout.errors import Exit, RolloutError, Unreachable
from scripts.rollout.evidence.dispersion import by_scale, differ
from scripts.rollout.metrics import counters, csv_file
from scripts.rollout.metrics.port import READ_AT, Metrics, Reading
from scripts.rollout.metrics.windows import windows
from scripts.rollout.policy import reader
from scripts.rollout.policy.policy import Policy
from scripts.rollout.state.observation import Delta

ROLLOUTS = 200  # a false rollback in a hundred is then seen twice
SURPRISING = 0.025  # the chance of so many false rollbacks, if the promise is kept


@dataclass(frozen=True, slots=True)
class Line:
    """One condition: what was found, what this policy needs, and whether it holds."""

    condition: str
    found: str
    needed: str
    holds: bool | None


@dataclass(frozen=True, slots=True)
class Past:
    """The stable's scrapes, their readings, and how old each pod's newest one was."""

    known: tuple[Delta, ...]
    readings: tuple[tuple[float, Reading], ...]
    arm: str
    ages: tuple[float, ...] = ()


def check(file: Path, from_file: str | None, looks: int, common: Common) -> Exit:
    """Print each condition; HELD where one of them does not hold."""
    policy = reader.read(file)
    past = _from_csv(policy, from_file) if from_file else _read(policy, looks, common)
    if len(past.known) < 2:
        raise RolloutError(f"{len(past.known)} scrapes of the stable: nothing to check")
    lines = list(_lines(_alone(policy), past))
    holds = all(line.holds is not False for line in lines)
    content = {"holds": holds, "conditions": [asdict(line) for line in lines]}
    emit(common.output, content, "")
    if not common.output:
        console.table(_table(lines))
        print("every condition holds" if holds else "not every condition holds")
    return Exit.PROMOTED if holds else Exit.HELD


def _alone(policy: Policy) -> Policy:
    """Return the policy on users' requests alone, at looks as long as its scrapes."""
    source = policy.source.model_copy(update={"interval": policy.interval_s})
    update = {"source": source, "shadow": None, "synthetic": None}
    return policy.model_copy(update=update)


def _from_csv(policy: Policy, file: str) -> Past:
    with naming(file):
        found = list(csv_file.readings(text_of(file).splitlines()))
    return _past(policy, found, csv_file.STABLE)


def _read(policy: Policy, looks: int, common: Common) -> Past:
    """Return the source's history, or as many looks where it keeps none."""
    policy = wiring.placed(common.place, policy)
    chosen = wiring.traffic(common.place, policy)
    view, source = chosen.observe(), wiring.metrics(policy, chosen)
    stable = view.rolledout
    if not stable:
        raise Unreachable("nothing is rolled out yet")
    found = source.history(stable, policy.dependence.history, policy.interval_s)
    if not found:
        found = list(_looked(policy, source, stable, looks))
    now = source.read([stable]).reading.get(stable, {})
    read_at = [each[READ_AT] for each in now.values() if READ_AT in each]
    past = _past(policy, found, stable)
    ages = tuple(max(read_at) - each for each in read_at)
    return Past(past.known, past.readings, stable, ages)


def _looked(
    policy: Policy, source: Metrics, stable: str, looks: int
) -> Iterator[tuple[float, Reading]]:
    for number in range(looks + 1):
        if number:
            time.sleep(policy.interval_s)
        yield time.time(), source.read([stable]).reading


def _past(policy: Policy, found: list[tuple[float, Reading]], arm: str) -> Past:
    known = tuple(
        counters.delta(policy, before, now, since=since, arms=("", arm))
        for (since, before), (_, now) in pairwise(found)
    )
    seen = tuple(each for each in known if any(row[3] for row in each.metrics.values()))
    return Past(seen, tuple(found), arm)


def _lines(policy: Policy, past: Past) -> Iterator[Line]:
    phi, _ = dependence.phi_of(policy, past.known)
    for metric, size in zip(policy.metrics, phi, strict=True):
        if metric.is_gate and metric.drift is None:
            yield _dispersed(policy, past.known, metric.name, float(size))
            yield _between_pods(policy, past, metric.name)
    yield _read_skew(policy, past.ages)
    for shares, what in ((True, "shared"), (False, "own")):
        yield from _rehearsed(policy, past.known, what, shares)


def _dispersed(policy: Policy, known: Sequence[Delta], metric: str, phi: float) -> Line:
    """Clusters that this policy goes by are as large as those on each time scale."""
    bad, n = np.array([delta.row(metric)[2:] for delta in known]).T
    is_enough = bad.sum() >= dependence.ENOUGH_BAD
    found = {
        text.duration(size * policy.interval_s): each
        for size, each in by_scale(bad[:, None], n).items()
        if is_enough
    }
    return Line(
        f"{metric}: clusters",
        ", ".join(f"{size:.0f} in {scale}" for scale, size in found.items())
        or f"too few bad outcomes in {len(known)} scrapes",
        f"at most {phi:.0f}",
        max(found.values()) <= phi if found else None,
    )


def _between_pods(policy: Policy, past: Past, metric: str) -> Line:
    """One pod of the canary is judged with its code, unless the stable's are alike."""
    pods = _pods(policy, past, metric)
    name, needed = f"{metric}: pods of the stable", "no more than chance"
    bad, n = (np.array([pod[i] for pod in pods.values()]) for i in (0, 1))
    if len(pods) < 2 or bad.sum() < dependence.ENOUGH_BAD:
        return Line(name, f"{len(pods)} with requests", needed, None)
    shares = bad / n
    said = f"{len(pods)}, {text.share(shares.min())} to {text.share(shares.max())}"
    return Line(name, said, needed, not differ(bad, n))


def _pods(policy: Policy, past: Past, metric: str) -> Mapping[str, tuple[float, float]]:
    """Return bad and n of each of the stable's pods."""
    found: dict[str, tuple[float, float]] = {}
    for (since, before), (_, now) in pairwise(past.readings):
        for pod in now.get(past.arm, {}):
            alone = [{past.arm: _one(each, past.arm, pod)} for each in (before, now)]
            arms = ("", past.arm)
            delta = counters.delta(policy, *alone, since=since, arms=arms)
            _, _, bad, n = delta.row(metric)
            known = found.get(pod, (0.0, 0.0))
            found[pod] = (known[0] + bad, known[1] + n)
    return {pod: counts for pod, counts in found.items() if counts[1]}


def _one(reading: Reading, arm: str, pod: str) -> dict[str, Mapping[str, float]]:
    samples = reading.get(arm, {})
    return {pod: samples[pod]} if pod in samples else {}


def _read_skew(policy: Policy, ages: Sequence[float]) -> Line:
    """Pods that are read at other seconds make the arms wait for each other."""
    most_s = windows.PART * policy.interval_s
    found = f"{max(ages):.1f} s apart" if ages else "not known"
    needed = f"at most {most_s:g} s"
    return Line("pods are read", found, needed, max(ages) <= most_s if ages else None)


def _rehearsed(
    policy: Policy, known: Sequence[Delta], what: str, shares: bool
) -> Iterator[Line]:
    found = rehearsal.rehearse(policy, known, ROLLOUTS, shares_trouble=shares)
    alpha, deadline = policy.risk.false_rollback, policy.deadlines.rollout
    yield Line(
        f"false rollbacks, {what} trouble",
        f"{found.rolled_back} of {found.rollouts}",
        f"at most {text.share(alpha)}",
        found.chance(alpha) >= SURPRISING,
    )
    median_s = found.median_s
    yield Line(
        f"last gate, {what} trouble",
        "most never" if median_s is None else text.duration(median_s),
        f"at most {text.duration(deadline)}",
        median_s is not None and median_s <= deadline,
    )


def _table(lines: Sequence[Line]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("CONDITION", "FOUND", "NEEDED", ""):
        table.add_column(name)
    said = {True: "holds", False: "does not hold", None: "not known"}
    for line in lines:
        table.add_row(line.condition, line.found, line.needed, said[line.holds])
    return table
