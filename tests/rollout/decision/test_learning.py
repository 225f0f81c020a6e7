"""The wait before the first step says what for, ends where it can tell no more."""

import numpy as np
import pytest

from scripts.rollout import text
from scripts.rollout.cli import forecast
from scripts.rollout.decision.explaining import reasons
from scripts.rollout.decision.phases import learning
from scripts.rollout.policy.policy import Policy
from scripts.rollout.state.notes import NoteKind
from scripts.rollout.state.observation import Delta
from scripts.rollout.state.state import Phase
from tests.support.worlds import ERRORS, LATENCY, Rollout, policy

COLD = policy(metrics=f"[{ERRORS}, {LATENCY}]", dependence="{clusterSize: auto}")


def _stable(errors: float, late: float, n: float = 500.0) -> Delta:
    return Delta({"errors": (0, 0, errors, n), "latency": (0, 0, late, n)})


def _waited(chosen: Policy, *scrapes: Delta) -> Rollout:
    """The rollout after the scrapes of its preflight, which repeat."""
    rollout = Rollout.begun(chosen)
    while rollout.state.phase is Phase.PREFLIGHT:
        rollout.look(delta=scrapes[rollout.state.tick % len(scrapes)])
    return rollout


def test_what_it_waits_for_and_until_when_is_said() -> None:
    rollout = Rollout.begun(COLD)
    for _ in range(12):
        rollout.look(delta=_stable(0, 5))
    at = text.clock(rollout.state.now + 18 * 10)
    assert reasons.waiting(rollout.machine.rules, rollout.state, None) == [
        "12 of 30 scrapes of the stable, for the dispersion of latency; until "
        f"{at} at the latest"
    ]


def test_run_says_it_once_and_again_when_less_can_be_learned() -> None:
    rollout, said = Rollout.begun(COLD), []
    while rollout.state.phase is Phase.PREFLIGHT:
        notes = rollout.look(delta=_stable(0, 5)).notes
        said += [note.text for note in notes if note.kind is NoteKind.LEARNING]
    at = text.clock(10 + 29 * 10)
    start = "before the first step: "
    assert said == [
        f"{start}1 of 30 scrapes of the stable, for the dispersion of errors, latency; "
        f"until {at} at the latest",
        f"{start}10 of 30 scrapes of the stable, for the dispersion of latency; "
        f"until {at} at the latest",
    ]


@pytest.mark.parametrize(
    ("errors", "late", "scrapes"),
    [(0, 0, 10), (2, 5, 30), (0, 5, 30), (1, 0, 30)],
)
def test_it_ends_as_soon_as_too_few_bad_outcomes_come_for_an_estimate(
    errors: int, late: int, scrapes: int
) -> None:
    rollout = _waited(COLD, _stable(errors, late))
    assert rollout.state.tick == scrapes
    assert rollout.state.judged is not None
    phi = rollout.state.judged.phi.tolist()
    assert [each == 4 for each in phi] == [not errors, not late]


def test_a_single_bad_outcome_is_waited_out_before_hope_is_lost() -> None:
    """One in 13 scrapes may be ten in 30; in 14 it is not."""
    rare = [_stable(1, 0), *[_stable(0, 0)] * 40]
    assert _waited(COLD, *rare).state.tick == 13


@pytest.mark.parametrize("bad", [0.0, 0.0002, 0.004, 0.02])
@pytest.mark.parametrize("kind", ["pages", "auto", "given"])
def test_plan_counts_the_minutes_and_the_clusters_that_run_takes(
    bad: float, kind: str
) -> None:
    changes = {"metrics": f"[{ERRORS}, {LATENCY}]", "dependence": "{}"}
    if kind == "auto":
        changes["steps"] = "auto"
    if kind == "given":
        changes["dependence"] = "{clusterSize: 2}"
    chosen = policy(**changes)
    traffic = forecast.assume_traffic(chosen, 50.0, {"errors": bad, "latency": bad})
    random = np.random.default_rng(7)
    drawn = [
        _stable(float(random.binomial(500, bad)), float(random.binomial(500, bad)))
        for _ in range(60)
    ]
    rollout = _waited(chosen, *drawn)
    assert rollout.state.judged is not None
    waited = rollout.state.now - rollout.state.began
    assert learning.forecast_s(chosen, traffic) == pytest.approx(waited, abs=45)
    assert traffic.phi.tolist() == rollout.state.judged.phi.tolist()


def test_a_prometheus_has_the_scrapes_already() -> None:
    source = "{prometheus: 'http://127.0.0.1:1'}"
    chosen = policy(dependence="{clusterSize: auto}", source=source)
    traffic = forecast.assume_traffic(chosen, 50.0, {})
    assert learning.forecast_s(chosen, traffic) == 10
