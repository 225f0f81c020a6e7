"""The managed home, by boto3: `make homes`. Service and clock are a stand-in's."""

from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from scripts.rollout.errors import NotFound, Unreachable
from scripts.rollout.metrics.cloudwatch.aws import Client
from tests.faults import models
from tests.faults.pipelines import Failing, Slow
from tests.support.predictors import MODELS
from tests.support.sagemaker_home import (
    POLICY,
    SagemakerHome,
    environment,
    sagemaker_home,
)
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(300)
COLD = POLICY.replace("warmup: {requests: 5, settle: 5s}", "warmup: 0")
QUICK = COLD.replace("slo: 1s", "slo: 250ms")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SagemakerHome]:
    with sagemaker_home(tmp_path_factory.mktemp("sagemaker")) as built:
        yield built


@pytest.fixture
def on(running: SagemakerHome) -> Iterator[SagemakerHome]:
    """All traffic at v1, and no rollout yet."""
    running.forget()
    yield running
    running.stop("canary")


@pytest.fixture
def aws(on: SagemakerHome, monkeypatch: pytest.MonkeyPatch) -> partial[Client]:
    """boto3, asking the stand-in."""
    for name, value in environment(on.url).items():
        monkeypatch.setenv(name, value)
    return partial(Client)


def _serve(on: SagemakerHome, pipeline: Any) -> None:
    name = type(pipeline).__name__.lower()
    on.serve("canary", models.write(on.folder / name, pipeline))


def test_boto3_invokes_a_real_container_by_weight_and_by_name(
    on: SagemakerHome, aws: partial[Client]
) -> None:
    on.serve("canary", MODELS / "v2")
    ask = partial(
        aws("sagemaker-runtime"),
        "invoke_endpoint",
        EndpointName="intent",
        ContentType="text/csv",
        Accept="application/jsonlines",
        CustomAttributes="x-request-id=7",
        Body=b"hello\n",
    )
    answer = ask()
    assert answer["InvokedProductionVariant"] == "stable"
    assert b'"label":"greeting"' in answer["Body"].read()
    answer = ask(TargetVariant="canary")
    assert answer["CustomAttributes"] == "version=v2;revision=canary;x-request-id=7"
    assert answer["ContentType"] == "application/jsonlines"


def test_a_refusal_is_read_by_its_own_words(
    on: SagemakerHome, aws: partial[Client]
) -> None:
    ask = aws("sagemaker")
    with pytest.raises(NotFound, match="Could not find endpoint"):
        ask("describe_endpoint", EndpointName="other")
    on.service.expired = True
    with pytest.raises(Unreachable, match="ExpiredTokenException"):
        ask("describe_endpoint", EndpointName="intent")
    on.service.expired = False
    on.service.throttled = 1  # asked once more by boto3 itself
    assert ask("describe_endpoint", EndpointName="intent")["EndpointName"] == "intent"


def test_a_good_version_is_promoted_and_no_request_fails(on: SagemakerHome) -> None:
    on.serve("canary", MODELS / "v2")
    verdict = on.run(POLICY)
    print(verdict)
    assert verdict.code == 0, verdict.said
    assert on.weights() == (0, 100)
    assert verdict.failed == 0
    code, said = on.verb("undo", "intent")
    assert code == 0, said
    until(lambda: on.weights() == (100, 0))


@pytest.mark.parametrize(
    ("pipeline", "policy", "code", "said"),
    [
        (Failing(models.inner(), every=10), COLD, 10, "errors: "),
        (Failing(models.inner(), every=1), POLICY, 11, "warm-up requests failed"),
        (Failing(models.inner(), every=1), COLD, 10, "errors: "),
        (Slow(models.inner()), QUICK, 10, "latency: "),
    ],
    ids=["every tenth 500", "500 always", "500 always, cold", "slow"],
)
def test_a_faulty_version_is_rolled_back(
    on: SagemakerHome, pipeline: Any, policy: str, code: int, said: str
) -> None:
    _serve(on, pipeline)
    verdict = on.run(policy)
    print(verdict)
    assert verdict.code == code, verdict.said
    assert said in verdict.said
    assert on.weights() == (100, 0)


def test_one_that_never_comes_up_is_taken_back_before_users_meet_it(
    on: SagemakerHome,
) -> None:
    """The service itself would not let such a variant into an endpoint."""
    verdict = on.run(POLICY)
    print(verdict)
    assert verdict.code == 11, verdict.said
    assert " warm-up requests failed" in verdict.said
    assert verdict.failed == 0
    assert on.weights() == (100, 0)


def test_a_container_that_dies_among_users_is_rolled_back(on: SagemakerHome) -> None:
    on.serve("canary", MODELS / "v2")
    with on.users():
        promoter = on.start(POLICY)
        until(lambda: on.weights()[1] > 0)
        on.stop("canary")
        said, _ = promoter.communicate(timeout=150)
    assert promoter.returncode == 10, said
    assert on.weights() == (100, 0)


def test_a_killed_promoter_goes_on_with_the_same_evidence(on: SagemakerHome) -> None:
    on.serve("canary", MODELS / "v2")
    with on.users() as answers:
        first = on.start(POLICY)
        until(lambda: on.weights()[1] > 0)
        first.kill()
        first.communicate()
        code, said = on.verb("run", "-f", str(on.policy(POLICY)))
    assert code == 0, said
    assert "going on at" in said
    assert on.weights() == (0, 100)
    assert Counter(each.error for each in answers) == {"": len(answers)}


def test_weights_that_an_update_put_back_are_held_until_a_person_says_more(
    on: SagemakerHome,
) -> None:
    on.serve("canary", MODELS / "v2")
    with on.users():
        promoter = on.start(POLICY.replace("duration: 2s", "duration: 60s"))
        # Not before it counts as in force: until then the promoter sets it again.
        until(lambda: "'canary-intent-v2': 95" in str(on.records()), 110)
        on.service.reset()
        until(lambda: "by hand" in str(on.records()))
        assert on.weights() == (100, 0)
        code, said = on.verb("abort", "intent")
        assert code == 0, said
        said, _ = promoter.communicate(timeout=110)
    assert promoter.returncode == 12, said


def test_throttling_and_expired_credentials_in_the_middle_end_nothing(
    on: SagemakerHome,
) -> None:
    on.serve("canary", MODELS / "v2")
    with on.users():
        promoter = on.start(POLICY)
        until(lambda: on.weights()[1] > 0)
        on.service.throttled = 20
        until(lambda: not on.service.throttled)
        on.service.expired = True
        looks = len(on.records())
        until(lambda: len(on.records()) > looks + 3)
        on.service.expired = False
        said, _ = promoter.communicate(timeout=150)
    assert promoter.returncode == 0, said
    assert "ExpiredToken" in said
