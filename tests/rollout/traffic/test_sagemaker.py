"""traffic/sagemaker.py and metrics/cloudwatch, on a stand-in and its own clock."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from scripts.rollout.errors import Forbidden, NotFound, RolloutError, Unreachable
from scripts.rollout.metrics.cloudwatch.aws import refused
from scripts.rollout.metrics.cloudwatch.ledger import Ledger
from scripts.rollout.metrics.cloudwatch.source import CloudWatch
from scripts.rollout.policy import reader
from scripts.rollout.state.actions import WarmUp
from scripts.rollout.traffic.sagemaker import SagemakerTraffic
from tests.support.sagemaker import Arm, RefusedError, Service

STABLE, CANARY = "stable-intent-v1", "canary-intent-v2"
POLICY = """
target: {endpoint: intent, backend: sagemaker}
source: {cloudwatch: {period: 10s, lag: 20s}}
metrics:
  - {name: errors, budget: 1%}
  - {name: latency, slo: 250ms, budget: 1%}
"""


@dataclass
class Clock:
    """A time that only the test moves; it begins at a period's begin."""

    at: float = 1_000_000.0

    def __call__(self) -> float:
        """Return it."""
        return self.at


@dataclass
class Home:
    """The adapter, asking the stand-in without a network."""

    folder: Path
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        """Begin with an endpoint."""
        self.service = Service(now=self.clock, instances=4)
        self.traffic = self.begin()

    def begin(self) -> SagemakerTraffic:
        """Return an adapter as a promoter that begins anew has it."""
        ledger = Ledger(self.folder / "intent.json")
        api = self._ask
        return SagemakerTraffic("intent", api, api, api, ledger, self.clock)

    def _ask(self, operation: str, **parameters: Any) -> dict[str, Any]:
        try:
            return self.service(operation, **parameters)
        except RefusedError as error:
            answer = {
                "Error": {"Code": error.code, "Message": error.message},
                "ResponseMetadata": {"HTTPStatusCode": error.status},
                **error.more,
            }
            raise refused(operation, answer) from error

    def metrics(self) -> CloudWatch:
        """Return the counters as wiring makes them."""
        found = self.traffic.metrics()
        assert isinstance(found, CloudWatch)
        return found.judging(reader.parse(POLICY))

    def read(self) -> Mapping[str, float]:
        """Return the canary's counters, after a look at the weights."""
        self.traffic.observe()
        (sample,) = self.metrics().read([STABLE, CANARY]).reading[CANARY].values()
        return sample


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_the_variant_with_initial_weight_0_is_the_canary_at_any_weight(
    home: Home,
) -> None:
    home.traffic.set_weight(5)
    view = home.traffic.observe()
    assert (view.created, view.ready, view.rolledout) == (CANARY, CANARY, STABLE)
    assert (view.percent, view.routed) == (5, {STABLE: 95, CANARY: 5})


def test_two_variants_with_a_weight_are_refused(home: Home) -> None:
    home.service.arms["canary"] = Arm.of(50.0, 1)
    with pytest.raises(RolloutError, match="one of them with InitialVariantWeight 0"):
        home.begin()


def test_while_the_endpoint_is_updated_the_old_weight_routes_and_nothing_is_asked(
    home: Home,
) -> None:
    home.service.updating_s = 60.0
    home.traffic.set_weight(10)
    home.traffic.set_weight(0)
    view = home.traffic.observe()
    assert (view.percent, view.routed[CANARY]) == (10, 0)
    assert view.blocked == "endpoint Updating"
    home.clock.at += 61
    assert home.traffic.observe().routed[CANARY] == 10


def test_instances_come_before_the_weight_that_needs_them_and_go_with_it(
    home: Home,
) -> None:
    home.traffic.set_weight(50)
    assert home.service.arms["canary"].count == 2
    assert home.traffic.observe().percent == 0
    home.traffic.set_weight(50)
    assert home.traffic.observe().percent == 50
    assert home.service.arms["stable"].count == 4
    home.traffic.set_weight(0)
    assert home.service.arms["canary"].count == 1


def test_promoted_it_says_what_the_next_configuration_needs(home: Home) -> None:
    home.traffic.promote()
    home.traffic.promote()
    view = home.traffic.observe()
    assert (view.percent, view.rolledout, view.routed[CANARY]) == (None, CANARY, 100)
    assert "give it weight 100" in view.danger


def test_weights_that_an_update_put_back_are_seen(home: Home) -> None:
    home.traffic.set_weight(10)
    home.service.reset()
    view = home.traffic.observe()
    assert (view.percent, view.routed[CANARY]) == (0, 0)


def test_closed_periods_are_counted_after_their_lag(home: Home) -> None:
    home.read()
    home.service.count("canary", 200, 0.1)
    home.service.count("canary", 500, 0.3)
    home.clock.at += 29
    assert home.read()["requests"] == 0
    home.clock.at += 1
    sample = home.read()
    assert (sample["requests"], sample["errors"]) == (2, 1)
    assert (sample["timed"], sample["le:0.25"]) == (2, 1)
    assert sample["at"] == home.clock.at - 20


def test_a_point_that_is_published_later_changes_nothing(home: Home) -> None:
    home.read()
    home.service.count("canary", 500)
    home.service.late_s = 60.0
    home.clock.at += 40
    assert home.read()["requests"] == 0
    home.service.late_s = 0.0
    home.service.count("canary", 200)
    home.clock.at += 40
    sample = home.read()
    assert (sample["requests"], sample["errors"]) == (1, 0)


def test_a_promoter_that_begins_anew_counts_nothing_twice_and_misses_nothing(
    home: Home,
) -> None:
    home.read()
    home.service.count("canary", 200)
    home.clock.at += 30
    home.read()
    home.service.count("canary", 200)
    home.clock.at += 30
    home.traffic = home.begin()
    assert home.read()["requests"] == 2


def test_what_came_while_the_weight_moved_is_not_counted(home: Home) -> None:
    home.read()
    home.service.count("canary", 500)
    home.clock.at += 5
    home.service.updating_s = 30.0
    home.traffic.set_weight(10)
    home.read()
    home.service.count("canary", 500)
    home.clock.at += 35
    home.read()
    home.clock.at += 10
    home.service.count("canary", 200)
    home.clock.at += 60
    sample = home.read()
    assert (sample["requests"], sample["errors"]) == (1, 0)


def test_a_container_without_an_answer_counts_as_an_error(home: Home) -> None:
    home.read()
    for code in (200, 404, 500):
        home.service.count("canary", code)
    home.clock.at += 30
    assert home.read()["errors"] == 1


@pytest.mark.parametrize(
    ("fault", "expected"),
    [({"throttled": 1}, "ThrottlingException"), ({"expired": True}, "ExpiredToken")],
)
def test_throttling_and_expired_credentials_are_waited_for(
    home: Home, fault: dict[str, Any], expected: str
) -> None:
    for name, value in fault.items():
        setattr(home.service, name, value)
    with pytest.raises(Unreachable, match=expected):
        home.traffic.observe()


def test_a_missing_endpoint_and_a_missing_right_are_named() -> None:
    def answer(code: str, message: str, status: int) -> dict[str, Any]:
        error = {"Code": code, "Message": message}
        return {"Error": error, "ResponseMetadata": {"HTTPStatusCode": status}}

    gone = answer("ValidationException", 'Could not find endpoint "a".', 400)
    assert isinstance(refused("describe_endpoint", gone), NotFound)
    denied = answer("AccessDeniedException", "not authorized", 403)
    assert isinstance(refused("describe_endpoint", denied), Forbidden)


def test_a_warm_up_asks_the_canary_alone(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[tuple[str, Mapping[str, str]]] = []

    def answer(name: str, body: bytes, more: Mapping[str, str]) -> Any:
        del body
        sent.append((name, more))
        return (500 if len(sent) == 1 else 200), b"{}", {}

    monkeypatch.setattr(home.service, "_container", answer)
    warmed = home.traffic.warm_up(WarmUp(requests=3))
    assert (warmed.sent, warmed.failed) == (3, 1)
    assert {name for name, _ in sent} == {"canary"}
    assert sent[0][1]["CustomAttributes"] == "x-intent-traffic=warm-up"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("source: {prometheus: http://p:9090}", "it counts itself"),
        ("shadow: {share: 10%}", "only the service reaches a container"),
        ("synthetic: {rps: 1, texts: a.txt}", "would count them as users' requests"),
        ("source: {cloudwatch: {period: 15s}}", "expected 1, 5, 10, 20, 30 seconds"),
    ],
)
def test_a_policy_asks_for_nothing_that_the_service_does_not_do(
    more: str, said: str
) -> None:
    target = "target: {endpoint: intent, backend: sagemaker}\n"
    with pytest.raises(RolloutError, match=said):
        reader.parse(target + more)
