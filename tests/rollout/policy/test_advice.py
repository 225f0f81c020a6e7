"""What `lint` says of a policy without a fault."""

import pytest

from predictor.metrics import SECONDS
from scripts.rollout.policy.advice import USUAL_EDGES_S, advice
from tests.support.worlds import policy

OWN = (
    "[{name: errors, budget: 1%}, {name: own, budget: 1%, "
    "promql: {bad: 'b{revision}', total: 't{revision}'}}]"
)


def test_lint_says_what_a_query_must_return() -> None:
    chosen = policy(metrics=OWN, source="{prometheus: 'http://127.0.0.1:1'}")
    (line,) = advice(chosen)
    assert line.startswith("metrics[1].promql: own needs one counter a pod")
    assert list(advice(policy())) == []


@pytest.mark.parametrize(
    ("slo", "counts", "said"),
    [
        ("300ms", "gateway", "metrics[1].slo: 300ms is judged at 250ms, if the"),
        ("0.25ms", "predictor", ""),
        ("0.05ms", "predictor", "metrics[1].slo: 0.05ms is below every edge, if"),
        ("250ms", "gateway", ""),
        ("2.5s", "predictor", ""),
    ],
)
def test_lint_says_where_an_objective_between_two_usual_edges_is_judged(
    slo: str, counts: str, said: str
) -> None:
    slow = f"[{{name: errors, budget: 1%}}, {{name: l, slo: {slo}, budget: 1%}}]"
    found = list(advice(policy(metrics=slow, source=f"{{counts: {counts}}}")))
    assert len(found) == bool(said)
    assert said in "".join(found)


def test_the_usual_edges_of_the_predictor_are_its_own() -> None:
    assert USUAL_EDGES_S["predictor"] == SECONDS
