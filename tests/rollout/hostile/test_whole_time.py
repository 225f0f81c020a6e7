"""No answer, of whatever shape and speed, is more than a line of why in its time."""

import time

import pytest
import urllib3

from scripts.rollout import bounded
from scripts.rollout.cluster.client import Cluster
from scripts.rollout.errors import Unreachable
from scripts.rollout.integrations import hooks
from scripts.rollout.integrations.webhook import Receiver
from scripts.rollout.metrics import scrape
from scripts.rollout.metrics.port import Pages
from scripts.rollout.metrics.prometheus import server as prometheus
from scripts.rollout.metrics.prometheus.server import Prometheus
from scripts.rollout.metrics.scrape import Scrape
from scripts.rollout.policy.integrations import Hook, Webhook
from scripts.rollout.policy.prometheus import PrometheusServer
from scripts.rollout.shadow import client
from scripts.rollout.shadow.client import Client
from scripts.rollout.shadow.requests import Lent
from scripts.rollout.shadow.sources import Shadow
from scripts.rollout.state.actions import Says
from tests.support.attacker import SHAPES, Attacker, answering, attacked

SHORT_S = 0.3
# Far more than that, far less than the attackers would take: they never end.
LONG_S = 30.0
MOST_SENT = 64 * 1024 * 1024  # with what the kernel keeps, of 700 MB and more


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scrape, "TIMEOUT_S", SHORT_S)
    monkeypatch.setattr(prometheus, "LOOK_S", SHORT_S)
    monkeypatch.setattr(prometheus, "HISTORY_S", SHORT_S)
    monkeypatch.setattr(client, "TIMEOUT_S", SHORT_S)


def _pools() -> urllib3.PoolManager:
    return bounded.in_time(urllib3.PoolManager(retries=False))


def _page(url: str) -> None:
    pages = Pages(predictors=(url,))
    with pytest.raises(Unreachable):
        Scrape("default", lambda _: pages, patience_s=LONG_S).read(["r-1"])


def _prometheus(url: str) -> None:
    asked = Prometheus(PrometheusServer(url=url), "default", "gateway")
    with pytest.raises(Unreachable):
        asked.read(["r-1", "r-2"])
    with pytest.raises(Unreachable):
        asked.history("r-1", 60, 1)


def _hook(url: str) -> None:
    hook = Hook.model_validate({"url": url, "timeout": "300ms"})
    says, reason = hooks.ask(hook, {})
    assert (says, reason[:11]) == (Says.NOT_YET, "no answer: ")


def _pair(url: str) -> None:
    found = Client(_pools(), "shadow").ask(url, Lent("", ("hello",)), None)
    assert found.labels == ()


ASKERS = [_page, _prometheus, _hook, _pair]


@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize("asker", ASKERS)
def test_no_answer_holds_who_asks(kind: str, asker: object) -> None:
    assert callable(asker)
    with attacked(kind) as attacker:
        began = time.monotonic()
        asker(attacker.url)
        assert time.monotonic() - began < LONG_S
        assert attacker.sent < MOST_SENT


@pytest.mark.parametrize("kind", ["dripping head", "700 MB", "a gzip bomb"])
def test_a_warm_up_and_a_webhook_read_no_body(kind: str) -> None:
    with attacked(kind) as attacker:
        is_slow = kind == "dripping head"
        try:
            seconds = SHORT_S if is_slow else LONG_S
            said = bounded.status(_pools(), attacker.url, seconds=seconds)
        except urllib3.exceptions.HTTPError:
            said = 0
        assert said == (0 if is_slow else 200)
        assert attacker.sent < MOST_SENT


def test_nobody_is_redirected_elsewhere() -> None:
    with answering(b"here") as other:
        to = f"location: {other.url}/"
        for status in ("301 Moved", "302 Found", "307 Again", "308 For Good"):
            with answering(b"", to, status=status) as attacker:
                _page(attacker.url)
                _prometheus(attacker.url)
                hook = Hook.model_validate({"url": attacker.url, "timeout": "5s"})
                assert hooks.ask(hook, {})[0] is Says.NOT_YET
                assert Client(_pools(), "x").ask(attacker.url, Lent("", ("a",)), None)
                assert Cluster(attacker.url, _pools()).answer(attacker.url, {}, {})
                _told(attacker)
        assert other.asked == 0


def _told(attacker: Attacker) -> None:
    assert not Receiver(Webhook(url=attacker.url), 0).is_sent({})


LENT = b'{"requests":[{"id":"a","protocol":"v1","form":"plain","texts":["x"]}],'


@pytest.mark.parametrize(
    "body",
    [
        LENT + b'"model":"../../../../api/v1/namespaces/default/pods"}',
        LENT + b'"model":"a/b"}',
        LENT + b'"model":7}',
        LENT.replace(b'["x"]', b"[]") + b'"model":"intent"}',
        LENT.replace(b'["x"]', b"[1]") + b'"model":"intent"}',
        LENT.replace(b'["x"]', b'["\\ud800"]') + b'"model":"intent"}',
        LENT.replace(b"v1", b"v9") + b'"model":"intent"}',
        LENT + b'"model":"intent","grpcPort":65536}',
        b"[" * 100_000,
        b"\xff",
        b"[]",
        b"null",
    ],
)
def test_what_a_predictor_lends_chooses_no_path_and_ends_nothing(body: bytes) -> None:
    """A model's name with dots would leave the API server's proxy of its pod."""
    with answering(body) as attacker, pytest.raises(ValueError, match="lent"):
        list(Shadow(0.5, "secret", _pools()).requests([attacker.url]))


@pytest.mark.parametrize(
    "body",
    [
        b'{"intent": "a", "confidence": NaN}',
        b'{"intent": "a", "confidence": 1e400}',
        b'{"intent": "' + b"a" * 300 + b'", "confidence": 1}',
        b'{"intent": "a", "confidence": []}',
        b"[" * 100_000,
        b"\xff",
        b"",
    ],
)
def test_an_odd_answer_of_an_arm_is_its_failure(body: bytes) -> None:
    with answering(body) as attacker:
        found = Client(_pools(), "shadow").ask(attacker.url, Lent("", ("a",)), None)
    assert (found.labels, found.is_silent) == ((), False)


def test_fewer_answers_than_texts_are_a_failure() -> None:
    body = b'{"predictions": [{"label": "a", "confidence": 1}]}'
    with answering(body) as attacker:
        lent = Lent("", ("a", "b"), "v1", "plain", "intent")
        assert Client(_pools(), "shadow").ask(attacker.url, lent, None).labels == ()
