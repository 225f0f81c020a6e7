"""Why it waits, in plain numbers that come true."""

import re

import pytest

from scripts.rollout import text
from scripts.rollout.decision import reasons
from scripts.rollout.errors import Exit
from scripts.rollout.state.observation import Observation
from scripts.rollout.state.state import Phase
from tests.support.worlds import CANARY, STABLE, Rollout, policy, view


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.4, "0s"), (59, "59s"), (185, "3m05s"), (7800, "2h10m")]
)
def test_durations(seconds: float, said: str) -> None:
    assert text.duration(seconds) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.748, "0.748"), (99.9, "99.9"), (1234.5, "1,234"), (0.001, "1.0e-03")],
)
def test_e_values(value: float, said: str) -> None:
    assert text.number(value) == said


def test_the_requests_that_are_said_to_be_missing_are_those_that_it_takes() -> None:
    rollout = Rollout.begun(policy(dwell="0s", steps="[5, 50]"))
    while rollout.state.phase is not Phase.STEP:
        rollout.look(n=500)
    rollout.look(n=500)
    (said,) = [w for w in _waiting(rollout) if w.startswith("errors")]
    assert re.fullmatch(
        r"errors: gate e [\d.]+ of 20, about [\d,]+ more requests, \d\S+", said
    )
    missing = float(said.split("about ")[1].split()[0].replace(",", ""))
    sent = 0
    while rollout.state.weight == 5:
        rollout.look(n=500)
        sent += 500
    assert missing == pytest.approx(sent, rel=0.35)


def _waiting(rollout: Rollout, seen: Observation | None = None) -> list[str]:
    return reasons.waiting(rollout.machine.rules, rollout.state, seen)


def test_what_cannot_be_seen_is_said_first() -> None:
    rollout = Rollout.begun()
    rollout.until(Phase.STEP)
    blind = Observation(0.0, None, None)
    assert _waiting(rollout, blind)[:2] == [
        "the InferenceService cannot be read",
        "no metrics",
    ]
    unready = Observation(0.0, view(0, ready=STABLE), None)
    assert f"{CANARY} is not ready" in _waiting(rollout, unready)


def test_pauses_and_the_bake_are_said() -> None:
    rollout = Rollout.begun()
    rollout.until(Phase.BAKE)
    rollout.look("pause")
    assert _waiting(rollout)[0] == "paused by a person"
    assert _waiting(rollout)[-1].endswith("more at 95 %")


def test_traffic_and_verdicts_in_a_line() -> None:
    seen = view(5, asked="weights 95/5")
    assert reasons.traffic(seen) == "weights 95/5, routed r-00002 5 %, r-00001 95 %"
    assert reasons.traffic(view(5)).startswith("percent 5, routed")
    assert text.verdict(Exit.ROLLED_BACK) == "verdict: rolled_back, exit code 10"
