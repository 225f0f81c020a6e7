"""What `lint` says of a policy without a fault."""

from scripts.rollout.policy.advice import advice
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
