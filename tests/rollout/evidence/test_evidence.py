"""Gates, the weighted sum, and what of earlier steps a gate counts."""

import numpy as np
import pytest

from scripts.rollout.decision import measurement
from scripts.rollout.decision.dependence import phi_of
from scripts.rollout.evidence.evidence import Design, Evidence
from scripts.rollout.evidence.two_sample import Counts
from scripts.rollout.state.observation import Delta
from tests.support.worlds import ERRORS, LABELS, LATENCY, policy


def _design(**changes: str) -> Design:
    return measurement.design(policy(**changes), (5, 25, 50))


def _run(
    design: Design, rows: list[tuple[float, ...]], weight: float, times: int
) -> Evidence:
    """The same scrape some times over; a row a metric."""
    known = np.full(3, 50.0)
    counts = np.array([rows] * times, dtype=float)
    return Evidence.begin(design, known * 0.01, known).update(
        design,
        Counts(*np.moveaxis(counts, -1, 0)),
        np.ones(3),
        np.array(weight),
        [False] * times,
    )[-1]


GOOD: list[tuple[float, ...]] = [(0, 50, 2, 450), (0, 50, 2, 450), (20, 50, 180, 450)]


def test_a_gate_on_the_way_rules_out_four_times_the_budget_over_its_weight() -> None:
    assert _design().margins[0].tolist() == [4 * 0.02 / 0.25, 4 * 0.02 / 0.5, 0.02]


def test_a_rollback_bets_on_the_stables_past_which_is_no_comparison() -> None:
    known, one = np.full(3, 1000.0), np.ones(3)
    begun = Evidence.begin(_design(), known * 0.02, known)
    assert begun.worse.stable_rate.tolist() == [0.02] * 3
    for stable_n, has_compared in ((0.0, False), (100.0, True)):
        rows = [np.full((1, 3), each) for each in (1.0, 50.0, 0.0, stable_n)]
        (found,) = begun.update(_design(), Counts(*rows), one, np.array(5.0), [False])
        assert found.worse.has_compared.tolist() == [has_compared] * 3


def test_a_raise_on_the_way_needs_less_than_the_promotion() -> None:
    assert _design().needed.tolist() == [4, 4, 20]
    strict = _design(risk="{badRaise: 1%, badPromotion: 10%}")
    assert strict.needed.tolist() == pytest.approx([10, 10, 10])


@pytest.mark.parametrize("carry", ["0", "50%", "1"])
def test_the_last_gate_counts_its_own_weight_only(carry: str) -> None:
    """Harm that begins at the last step is not paid for by good minutes before it."""
    design = _design(carryFrom=carry)
    assert not _run(design, GOOD, 25.0, 5000).opens(design)[-1]
    assert _run(design, GOOD, 50.0, 40).opens(design)[-1]


def test_shares_of_the_sum_are_weights_with_the_ceiling_and_add_up_to_one() -> None:
    assert _design().weights.tolist() == [0.5, 1 / 6, 1 / 6, 1 / 6]


def test_what_is_only_observed_neither_rolls_back_nor_opens_a_gate() -> None:
    observed = LATENCY.replace("}", ", mode: observe}")
    design = _design(metrics=f"[{ERRORS}, {observed}, {LABELS}]")
    assert design.weights[1] == 0
    assert design.gated.tolist() == [True, False, False]
    slow: list[tuple[float, ...]] = [
        (0, 50, 2, 450),
        (50, 50, 0, 450),
        (20, 50, 180, 450),
    ]
    evidence = _run(design, slow, 5.0, 20)
    assert not evidence.must_roll_back(design)
    assert evidence.opens(design)[0]


@pytest.mark.parametrize(
    ("carry", "opens"), [("0", [1, 1, 0]), ("20%", [1, 1, 0]), ("1", [1, 0, 0])]
)
def test_a_gate_counts_steps_from_a_share_of_its_own_weight_on(
    carry: str, opens: list[int]
) -> None:
    design = _design(carryFrom=carry)
    assert _run(design, GOOD, 5.0, 40).opens(design).tolist() == opens


def test_one_metric_far_worse_is_enough() -> None:
    design = _design()
    broken: list[tuple[float, ...]] = [
        (50, 50, 2, 450),
        (0, 50, 2, 450),
        (20, 50, 180, 450),
    ]
    assert _run(design, broken, 5.0, 1).must_roll_back(design)
    assert not _run(design, GOOD, 5.0, 100).must_roll_back(design)


def test_a_gate_waits_for_its_slowest_metric() -> None:
    design = _design(carryFrom="0")
    slow: list[tuple[float, ...]] = [
        (0, 50, 2, 450),
        (5, 50, 9, 450),
        (20, 50, 180, 450),
    ]
    evidence = _run(design, slow, 5.0, 1)
    assert evidence.gates.value[0, 0] > 4 > evidence.gates.value[1, 0]
    assert not evidence.opens(design)[0]


def _scrapes(*stable: tuple[float, float]) -> list[Delta]:
    return [
        Delta({"errors": (0, 0, bad, n), "latency": (0, 0, 0, n)}, {"x": (0, n)})
        for bad, n in stable
    ]


def test_dispersion_comes_from_the_policy_the_stable_or_an_assumption() -> None:
    values, sources = phi_of(policy(dependence="{clusterSize: 3}"), [])
    assert values.tolist() == [3, 3, 3]
    assert set(sources) == {"policy"}
    auto = policy(dependence="{clusterSize: auto}")
    steady = _scrapes(*[(5, 1000), (6, 1000), (4, 1000)] * 10)
    values, sources = phi_of(auto, steady)
    assert values.tolist() == [1, 4, 1]
    assert sources[0] == "30 scrapes of the stable"
    assert sources[1] == "assumed, only 0 outcomes in 30 scrapes"
    bursts = _scrapes(*[(0, 1000), (24, 1000), (0, 1000)] * 10)
    assert phi_of(auto, bursts)[0][0] > 10
