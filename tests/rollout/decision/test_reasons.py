"""Why it waits, in plain numbers that come true."""

import re
from dataclasses import replace

import pytest

from scripts.rollout import text
from scripts.rollout.decision.explaining import reasons
from scripts.rollout.errors import Exit
from scripts.rollout.state.actions import Answer, Consult, Request, Says
from scripts.rollout.state.observation import Observation
from scripts.rollout.state.state import Phase
from tests.support.worlds import CANARY, STABLE, Rollout, delta, policy, view


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
    rollout = Rollout.begun(policy(dwell="0s", steps="[50]"))
    while rollout.state.phase is not Phase.STEP:
        rollout.look(n=100)
    rollout.look(n=100)
    (said,) = [w for w in _waiting(rollout) if w.startswith("errors")]
    assert re.fullmatch(
        r"errors: gate e [\d.]+ of 20, about [\d,]+ more requests, \d\S+", said
    )
    missing = float(said.split("about ")[1].split()[0].replace(",", ""))
    sent = 0
    while rollout.state.weight == 50:
        rollout.look(n=100)
        sent += 100
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
    asked = Rollout.begun(policy(pauseAt="[25]"))
    asked.until(Phase.STEP, 25)
    for _ in range(30):
        asked.look()
    assert _waiting(asked)[0] == "a person's approval"


HOOKS = "{pre: {command: [a]}, confirm: {command: [b]}}"


def test_while_a_hook_thinks_it_is_the_hook_that_is_waited_for() -> None:
    rollout = Rollout.begun(policy(hooks=HOOKS, warmup="0"))
    asked = [
        ("pre", 5, "hook pre: its answer about 5 %"),
        ("confirm", 25, "hook confirm: its answer about 25 %"),
        ("confirm", 50, "hook confirm: its answer about 50 %"),
        ("confirm", 95, "hook confirm: its answer about 95 %"),
        ("confirm", 100, "hook confirm: its answer about 100 %"),
    ]
    for hook, weight, said in asked:
        while Consult(hook, weight) not in rollout.look().actions:
            assert "nothing" not in _waiting(rollout)
        assert _waiting(rollout) == [said]
        late = Answer(hook, weight, Says.NOT_YET, "too early")
        seen = Observation(0.0, view(rollout.percent), delta(50), answer=late)
        told = f"hook {hook} says not yet to {weight} %: too early"
        assert _waiting(rollout, seen) == [told]
        rollout.look(answer=Answer(hook, weight, Says.YES))


def test_whatever_it_waits_for_has_a_name() -> None:
    rollout = Rollout.begun()
    while not rollout.state.is_over:
        assert "nothing" not in " ".join(_waiting(rollout))
        rollout.look()
    rollout = Rollout.begun(policy(onInconclusive="pause", deadlines="{step: 21s}"))
    while rollout.state.phase is not Phase.HELD:
        rollout.look(n=0)
    assert _waiting(rollout) == ["a person: resume, promote or abort"]


def test_scrapes_of_the_stable_are_counted_up_to_those_that_are_needed() -> None:
    rollout = Rollout.begun(policy())
    some = delta(0)
    silent = replace(some, metrics={"errors": some.row("errors")})
    for _ in range(14):
        rollout.look(delta=silent)
    assert _waiting(rollout) == ["outcomes of the stable for latency"]
    cold = Rollout.begun(policy(dependence="{clusterSize: auto}"))
    cold.look()
    at = text.clock(10 + 29 * 10)
    assert _waiting(cold) == [
        "1 of 30 scrapes of the stable, for the dispersion of errors, latency; until "
        f"{at} at the latest"
    ]


def test_too_few_replicas_are_said() -> None:
    rollout = Rollout.begun(policy(guards="{maxLoad: 0.1}"))
    for _ in range(20):
        rollout.look()
    assert _waiting(rollout, Observation(0.0, view(5), delta(5))) == [
        "25 % of 300 requests/s needs 3 ready replicas of the canary, there are 1"
    ]


def test_traffic_and_verdicts_in_a_line() -> None:
    seen = view(5, asked="weights 95/5")
    assert reasons.traffic(seen) == "weights 95/5, routed r-00002 5 %, r-00001 95 %"
    assert reasons.traffic(view(5)).startswith("percent 5, routed")
    assert text.verdict(Exit.ROLLED_BACK) == "verdict: rolled_back, exit code 10"


def test_a_pause_says_why_a_person_wanted_it() -> None:
    rollout = Rollout.begun()
    rollout.until(Phase.STEP)
    rollout.look(requests=(Request("pause", "a demo"),))
    assert _waiting(rollout)[0] == "paused by a person: a demo"
    rollout.look(requests=(Request("resume"), Request("pause")))
    assert _waiting(rollout)[0] == "paused by a person"
