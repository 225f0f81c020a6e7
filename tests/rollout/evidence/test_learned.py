"""What is done while few of the stable's scrapes are known."""

import math

import numpy as np
import pytest

from scripts.rollout.decision import dependence, measurement
from scripts.rollout.evidence.learned import BURST, FEW, Learned
from scripts.rollout.policy.policy import Policy
from scripts.rollout.state.observation import Delta
from scripts.rollout.state.state import Judged
from tests.support.worlds import ERRORS, policy

AUTO = policy(metrics=f"[{ERRORS}]", dependence="{clusterSize: auto}")
STEPS = (5, 25, 50)


def _scrapes(number: int, *, bad: float = 2, canary_bad: float = 0) -> list[Delta]:
    """Scrapes of 400 requests of the stable and 100 of the canary."""
    return [Delta({"errors": (canary_bad, 100, bad, 400)}) for _ in range(number)]


def _begun(of: Policy, known: list[Delta]) -> Judged:
    design = measurement.design(of, STEPS)
    phi = dependence.phi_of(of, known)
    return measurement.begin(of, design, known, phi, 0.0)


def _after(of: Policy, judged: Judged, deltas: list[Delta]) -> Judged:
    design = measurement.design(of, STEPS)
    for number, delta in enumerate(deltas):
        (judged,) = measurement.update(of, design, judged, [(float(number), delta)], 25)
    return judged


def _against(judged: Judged) -> float:
    return float(judged.evidence.against()[..., 0])


def test_phi_is_learned_anew_whenever_there_are_half_as_many_again() -> None:
    judged = _begun(AUTO, _scrapes(30))
    assert judged.phi.tolist() == [1]
    bursts = [*_scrapes(4), *_scrapes(1, bad=60)] * 3
    before = _after(AUTO, judged, bursts[:-1])
    assert before.phi.tolist() == [1]
    after = _after(AUTO, before, bursts[-1:])
    assert after.phi[0] > 10
    assert after.phi_source == ("45 scrapes of the stable",)
    calm = _after(AUTO, after, _scrapes(FEW - 45))
    assert calm.phi[0] >= after.phi[0]
    assert not calm.learned.is_little


def test_what_was_assumed_is_replaced_once_there_are_outcomes() -> None:
    judged = _begun(AUTO, _scrapes(30, bad=0))
    assert judged.phi.tolist() == [4]
    later = _after(AUTO, judged, _scrapes(15, bad=1))
    assert later.phi.tolist() == [1]
    assert later.phi_source == ("45 scrapes of the stable",)


def test_scrapes_without_requests_of_the_stable_show_nothing() -> None:
    judged = _begun(AUTO, _scrapes(30))
    empty = [Delta({"errors": (0, 100, 0, 0)})] * 40
    assert len(_after(AUTO, judged, empty).learned.scrapes) == 30


@pytest.mark.parametrize(
    ("of", "known"),
    [
        (AUTO, FEW),
        (policy(metrics=f"[{ERRORS}]", dependence="{clusterSize: 1}"), 30),
    ],
    ids=["a long history", "a size of the policy"],
)
def test_nothing_is_learned_where_enough_is_known(of: Policy, known: int) -> None:
    judged = _begun(of, _scrapes(known))
    later = _after(of, judged, _scrapes(40, bad=60))
    assert later.phi.tolist() == judged.phi.tolist()
    assert _against(_after(of, judged, _scrapes(1, canary_bad=90))) > 1e6


def test_one_burst_rolls_nothing_back_and_two_looks_of_failure_do() -> None:
    design = measurement.design(AUTO, STEPS)
    judged = _begun(AUTO, _scrapes(30))
    burst = _after(AUTO, judged, _scrapes(1, canary_bad=90))
    assert 1 < _against(burst) <= BURST
    assert not burst.evidence.must_roll_back(design)
    calm = _after(AUTO, burst, _scrapes(5))
    assert _against(calm) < _against(burst) / 2
    again = _after(AUTO, burst, _scrapes(1, canary_bad=90))
    assert again.evidence.must_roll_back(design)


def test_scrapes_one_by_one_and_at_once_are_judged_alike() -> None:
    """As a replay does, which goes on after each scrape that phi is learned from."""
    judged = one = _begun(AUTO, _scrapes(30))
    random = np.random.default_rng(3)
    deltas = [each for n in random.poisson(2, 200) for each in _scrapes(1, bad=n)]
    one = _after(AUTO, one, deltas)
    at_once, done = judged, 0
    design, parts = measurement.design(AUTO, STEPS), []
    while done < len(deltas):
        rest = [(float(n), deltas[n]) for n in range(done, len(deltas))]
        found = measurement.update(AUTO, design, at_once, rest, 25)
        at_once, done = found[-1], done + len(found)
        parts.append(done)
    assert parts == [15, 37, 70, 120, 195, 200]
    assert at_once.phi.tolist() == one.phi.tolist()
    assert _against(at_once) == pytest.approx(_against(one))


def test_nothing_is_little_without_scrapes() -> None:
    nothing = Learned.begin(np.zeros((0, 1, 2)))
    assert not nothing.is_little
    assert nothing.most == math.inf
