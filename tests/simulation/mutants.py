"""Break the code in one place at a time: the schedules must notice each.

`make mutants` applies each to a copy and runs schedules there until one is broken.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
ROLLOUT = "scripts/rollout"
SCHEDULES = 3000  # the most that may go unnoticed
COPIED = ("scripts", "tests/simulation", "tests/__init__.py", "pyproject.toml")


class Mutant(NamedTuple):
    """One place that is changed, and what that means."""

    name: str
    file: str
    old: str
    new: str


MUTANTS = (
    Mutant(
        "acts without writing the state first",
        "loop/runner.py",
        'self._commit(saved, "look", body)',
        "self._saved = saved",
    ),
    Mutant(
        "takes a weight to be in force that was only asked for",
        "decision/guards.py",
        "if view.routed.get(state.canary, 0) == due:",
        "if due >= 0:",
    ),
    Mutant(
        "ends a rollback without reading the traffic back",
        "decision/phases/phases.py",
        "view.percent == 0 and view.routed.get(stable) == FULL",
        "view.percent == 0",
    ),
    Mutant(
        "judges by position: whatever is the newest is the canary",
        "decision/guards.py",
        "elif view.created != state.canary and",
        "elif not view.created and",
    ),
    Mutant(
        "sets a weight on whatever is there by now",
        "traffic/fence.py",
        'if read["metadata"]["generation"] != self._generation:',
        'if not read["metadata"]:',
    ),
    Mutant(
        "believes a status that is behind the template",
        "traffic/fence.py",
        "if now - self._changed < PATIENCE_S:",
        "if now < self._changed:",
    ),
    Mutant(
        "counts from zero though no counter fell",
        "metrics/counters.py",
        "fell = any(new[name] < old.get(name, 0.0) for name in group)",
        "fell = bool(group)",
    ),
    Mutant(
        "takes what fell for a gain",
        "metrics/counters.py",
        "fell = any(new[name] < old.get(name, 0.0) for name in group)",
        "fell = not group",
    ),
    Mutant(
        "counts all that a pod that was there before has counted so far",
        "metrics/windows/windows.py",
        "instance: sample\n"
        "            for instance, sample in now.get(arm, {}).items()\n"
        "            if _is_unknown(",
        "instance: {key: sample[key] * (key in ALWAYS) for key in sample}\n"
        "            for instance, sample in now.get(arm, {}).items()\n"
        "            if _is_unknown(",
    ),
    Mutant(
        "ignores a gap: raises without metrics",
        "decision/draft.py",
        "return self.can_rise and is_free and self.seen.delta is not None",
        "return self.can_rise and is_free",
    ),
    Mutant(
        "counts the same seconds again",
        "loop/runner.py",
        "bases=bases,",
        "bases=self.saved.bases or bases,",
    ),
    Mutant(
        "opens every gate",
        "decision/phases/raising.py",
        "opens = state.judged.evidence.opens(draft.rules.design(state.steps))",
        "opens = [True for _ in state.steps]",
    ),
    Mutant(
        "rolls back on little evidence",
        "decision/machine.py",
        "if judged.evidence.must_roll_back(design):",
        "if judged.evidence.sum_against(design) > 1.5:",
    ),
    Mutant(
        "writes over another promoter's journal",
        "journal/configmap.py",
        "if now != saved.hash:",
        "if not now:",
    ),
    Mutant(
        "takes its own write, sent twice, for another promoter's",
        "cluster/lease.py",
        "if found is not None and self._wrote(found):\n"
        "                self._renewed = time.monotonic()\n"
        "                return\n",
        "if found is not None:\n                raise self._is_held(found)\n",
    ),
    Mutant(
        "ends at a full disk",
        "journal/file.py",
        "except OSError as error:",
        "except FileNotFoundError as error:",
    ),
    Mutant(
        "leaves a part of a line where the disk was full",
        "journal/lines.py",
        "os.ftruncate(file.fileno(), before)",
        "before += 1",
    ),
    Mutant(
        "does not repair a torn journal",
        "journal/file.py",
        "if saved is not None and repair:",
        "if saved is not None and not repair:",
    ),
    Mutant(
        "reads NaN and 1e300 as counts",
        "metrics/exposition.py",
        "if not 0 <= value <= MOST:",
        "if value < 0:",
    ),
    Mutant(
        "waits for ever",
        "decision/guards.py",
        "if state.phase not in WAITING:",
        "if state.phase:",
    ),
)


WHOLE = Mutant("the code as it is", "loop/act.py", "world.traffic", "world.traffic")
WHOLE_SCHEDULES = 60


def main() -> int:
    """Return how many mutants went unnoticed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--schedules", type=int, default=SCHEDULES)
    parser.add_argument("--only", default="", help="mutants whose name has this")
    chosen = parser.parse_args()
    if _broken(WHOLE, WHOLE_SCHEDULES) is not None:
        raise SystemExit("the code is broken as it is: make soak")
    mutants = [each for each in MUTANTS if chosen.only in each.name]
    missed = [each for each in mutants if not _is_caught(each, chosen.schedules)]
    print(f"{len(mutants) - len(missed)} of {len(mutants)} mutants caught")
    return len(missed)


def _is_caught(mutant: Mutant, schedules: int) -> bool:
    what = _broken(mutant, schedules)
    told = "MISSED" if what is None else f"caught: {what[:160]}"
    print(f"{mutant.name}: {told}", flush=True)
    return what is not None


def _broken(mutant: Mutant, schedules: int) -> str | None:
    """Return what of a mutated copy's schedules was broken, None if nothing was."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for name in COPIED:
            _copied(ROOT / name, copy / name)
        file = copy / ROLLOUT / mutant.file
        text = file.read_text(encoding="utf-8")
        if mutant.old not in text:
            raise SystemExit(f"{mutant.name}: {mutant.file} has no {mutant.old!r}")
        file.write_text(text.replace(mutant.old, mutant.new), encoding="utf-8")
        asked = ("--until-broken", "--schedules", str(schedules))
        ran = subprocess.run(
            [sys.executable, "-m", "tests.simulation", *asked],
            cwd=copy,
            capture_output=True,
            text=True,
            check=False,
        )
    said = ran.stdout.strip().splitlines()
    if not ran.returncode:
        return None
    if not said:
        raise SystemExit(ran.stderr)
    return next((line for line in said if line.startswith("seed")), said[-1])


def _copied(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(source, target)


if __name__ == "__main__":
    sys.exit(main())
