"""Bad canaries, as images: what becomes of them, and what it costs the users."""

from collections.abc import Iterator

import pytest

from tests.support.cluster_stage import RPS, ClusterStage, stage
from tests.support.stage import COLD, POLICY, QUICK, STABLE


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterStage]:
    """One stable for all: each of its canaries ends without traffic."""
    with stage(tmp_path_factory.mktemp("faults")) as built:
        yield built


def test_one_that_crashes_after_its_start_is_rolled_back_when_knative_routes_again(
    on: ClusterStage,
) -> None:
    """By the guard or by evidence, whichever is first.

    While a revision in it is not ready, Knative leaves a route as it is: the rollback
    comes into force in a moment in which the canary is up, and not before.
    """
    on.fault("crash-looping")
    on.until(on.is_ready)
    verdict = on.run(POLICY.replace("rollback: 20s", "rollback: 80s"), rps=RPS)
    assert on.noted("ready, then crash loop", verdict).code in (10, 11), verdict.said
    on.until(lambda: on.percent(STABLE) == 100)


@pytest.mark.parametrize(
    ("model", "policy", "code", "said"),
    [
        ("failing", POLICY, 10, "errors: "),
        ("broken", POLICY, 11, " warm-up requests failed"),
        ("broken", COLD, 10, "errors: "),
        ("slow", QUICK, 10, "latency: "),
        ("one-class", POLICY, 10, "labels: its labels are "),
    ],
    ids=[
        *("every tenth 500", "500 always", "500 always, cold", "slow", "one class"),
    ],
)
def test_a_faulty_canary_is_rolled_back(
    shared: ClusterStage,
    request: pytest.FixtureRequest,
    model: str,
    policy: str,
    code: int,
    said: str,
) -> None:
    name = request.node.callspec.id
    shared.fault(model, SCENARIO=name)
    shared.until(shared.is_ready)
    verdict = shared.noted(name, shared.run(policy, rps=RPS))
    assert verdict.code == code, verdict.said
    assert said in verdict.said
    shared.until(lambda: shared.percent(STABLE) == 100)


@pytest.mark.parametrize(
    ("image", "model"),
    [
        ("nothing-of-that-name:v0", "v2"),
        ("intent-classifier:v2", "not-in-it"),
        ("intent-faults:e2e", "altered"),
        ("intent-faults:e2e", "never-ready"),
    ],
    ids=["no such image", "crashes at its start", "fails its digest", "never ready"],
)
def test_a_canary_that_never_comes_up_gets_nothing(
    shared: ClusterStage, request: pytest.FixtureRequest, image: str, model: str
) -> None:
    canary = shared.image(image, model, deadline="15s")
    name = request.node.callspec.id
    verdict = shared.noted(name, shared.run(rps=RPS))
    assert verdict.code == 11, verdict.said
    assert f"guard: {canary} failed: " in verdict.said
    assert verdict.failed == 0
    shared.until(lambda: shared.percent(STABLE) == 100)
