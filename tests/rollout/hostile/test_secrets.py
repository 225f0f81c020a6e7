"""Ten secrets of one rollout, and whatever it leaves behind: none is in it."""

import base64
import gzip
import json
import os
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import wait
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
import urllib3
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from scripts.rollout import wiring
from scripts.rollout.errors import Exit, PolicyError, RolloutError
from scripts.rollout.integrations import hooks, webhook
from scripts.rollout.integrations.events import Events
from scripts.rollout.integrations.hooks import PolicyHooks
from scripts.rollout.integrations.outbox import Outbox
from scripts.rollout.integrations.webhook import Notify
from scripts.rollout.journal.broadcast import Broadcast, Listener, copy_to
from scripts.rollout.journal.configmap import STATE, ConfigMapJournal
from scripts.rollout.loop.runner import Runner
from scripts.rollout.loop.world import World
from scripts.rollout.metrics.port import Metrics, Pages, Scraped
from scripts.rollout.metrics.prometheus.server import Prometheus
from scripts.rollout.policy.reader import parse
from scripts.rollout.report.writer import Report
from scripts.rollout.shadow.asker import PairAsker
from scripts.rollout.shadow.sources import Shadow
from tests.support.api_server import OWNER, Api
from tests.support.folder_world import FolderWorld
from tests.support.waiting import until
from tests.support.worlds import POLICY

Captured = pytest.CaptureFixture[str]
IN_VARIABLES = ("SLACK", "CONFIRM", "PART", "PASSWORD", "HEADER", "RECORDING_TOKEN")
IN_FILES = ("teams", "pagerduty", "post", "chat")
WHOLE = ("SLACK", "CONFIRM", "teams", "post")  # URLs that are secret as a whole


def _secret(name: str) -> str:
    return f"s3cret-{name.lower().replace('_', '-')}-0123456789"


SECRETS = [_secret(name) for name in (*IN_VARIABLES, *IN_FILES)]


def _policy(server: str, folder: Path) -> str:
    return f"""{POLICY}
notify:
  - {{url: "${{SLACK}}", format: slack}}
  - {{url: "${{file:{folder}/teams}}", format: teams}}
  - {{key: "${{file:{folder}/pagerduty}}", url: "{server}/alerts", format: pagerduty}}
  - {{url: "{server}/${{PART}}/${{file:{folder}/chat}}"}}
hooks:
  confirm: {{url: "${{CONFIRM}}"}}
  post: {{url: "${{file:{folder}/post}}"}}
source:
  prometheus:
    url: {server}
    basic: {{username: canary, password: {{env: PASSWORD}}}}
    headers: {{X-Api-Token: "${{HEADER}}"}}
"""


@pytest.fixture
def httpserver() -> Iterator[HTTPServer]:
    """One for each test: what its threads still ask comes to no other test."""
    with HTTPServer(host="127.0.0.1", port=0) as server:
        yield server


class _Odd:
    """A source of counters whose Prometheus is asked too, and refuses."""

    def __init__(self, world: FolderWorld, prometheus: Metrics) -> None:
        self._world, self._prometheus, self._looks = world, prometheus, 0
        self.history = world.history

    def read(self, revisions: Sequence[str]) -> Scraped:
        self._looks += 1
        source = self._prometheus if self._looks % 3 == 0 else self._world
        return source.read(revisions)


def _echoed(request: Request) -> Response:
    """A refusal that repeats what was asked, as a debugging server's may."""
    said = f"{request.url} {dict(request.headers)} {request.get_data(as_text=True)}"
    return Response(said, 200 if "confirm" in request.path else 500)


def test_ten_secrets_are_in_nothing_that_a_rollout_leaves(
    httpserver: HTTPServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Captured,
) -> None:
    monkeypatch.setattr(webhook, "FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(hooks, "AGAIN_S", 0.0)
    httpserver.expect_request(re.compile(".*")).respond_with_handler(_echoed)
    server = httpserver.url_for("").rstrip("/")
    kept, left = tmp_path / "secrets", tmp_path / "left"
    kept.mkdir()
    left.mkdir()
    for name in (*IN_VARIABLES, *IN_FILES):
        value = f"{server}/{_secret(name)}" if name in WHOLE else _secret(name)
        if name in IN_FILES:
            (kept / name).write_text(f"{value}\n")
        else:
            monkeypatch.setenv(name, value)
    api = Api()
    _rolled_out(httpserver, _policy(server, kept), left, api)
    assert len({each.path for each, _ in httpserver.log}) >= 8
    found = [*capsys.readouterr(), json.dumps(api.objects)]
    found += [each.read_text() for each in left.rglob("*") if each.is_file()]
    for each in api.objects.values():
        packed = each.get("binaryData", {}).get(STATE)
        found += [gzip.decompress(base64.b64decode(packed)).decode()] if packed else []
    assert len(found) >= 7
    for text in found:
        for secret in SECRETS:
            assert secret not in text, text[text.index(secret) - 200 :][:300]


def _rolled_out(httpserver: HTTPServer, text: str, folder: Path, api: Api) -> None:
    """A whole rollout, with everything that a promoter in a cluster tells."""
    policy, cluster = parse(text), FolderWorld(folder)
    assert policy.source.prometheus is not None
    journal = ConfigMapJournal(api, "default", "intent", "me", OWNER)
    cluster.journal = journal  # type: ignore[assignment]
    copy, outbox = folder / "journal.jsonl", Outbox(journal)
    wiring.check_secrets(policy)
    page = f"{policy.source.prometheus.url}/lent/metrics"
    pages = Pages(predictors=(page,))
    users = Shadow(1.0, os.environ["RECORDING_TOKEN"], http := urllib3.PoolManager())
    with ExitStack() as until_then:
        lent = PairAsker(users, lambda _: pages, http, print, counts=True)
        until_then.callback(lent.close)
        told = [
            until_then.enter_context(closing(Notify(each, policy.key, outbox)))
            for each in wiring.receivers(policy)
        ]
        asked = PolicyHooks(policy, print)
        others: list[Listener] = [
            *told,
            Events(api, "default", OWNER),
            Report(copy, print),
            asked,
        ]
        heard = Broadcast(journal, copy_to(copy, print), others)
        source = Prometheus(policy.source.prometheus, "default", "gateway", {})
        metrics = _Odd(cluster, source)

        def sleep(seconds: float) -> None:
            """Wait for the hook, however short the simulated time is."""
            del seconds
            wait(() if asked._future is None else (asked._future,), 60)

        world = World(
            cluster, metrics, heard, cluster.now, sleep, print, asked, (lent,)
        )
        assert Runner(policy, text, world).run() is Exit.PROMOTED
        until(lambda: any("/lent" in each.path for each, _ in httpserver.log))
    assert len(outbox.left()) == 4


@pytest.mark.parametrize(
    "line",
    [
        "notify: [{url: 'https://hooks.slack.com/services/SECRET', format: slack}]",
        "notify: [{url: 'https://chat.example/hooks/SECRET'}]",
        "notify: [{url: 'http://me:SECRET@localhost/hook'}]",
        "notify: [{url: 'http://localhost/hook?token=SECRET'}]",
        "notify: [{url: 'https://me:SECRET@${HOST}/hook'}]",
        "notify: [{url: 'SECRET'}]",
        "notify: [{format: pagerduty, key: SECRET}]",
        "notify: [{url: '${URL}', link: 'https://me:SECRET@grafana.example'}]",
        "hooks: {confirm: {url: 'https://gate.example/SECRET'}}",
        "hooks: {confirm: {url: 'http://me:SECRET@localhost/'}}",
        "source: {prometheus: 'http://me:SECRET@localhost'}",
        "source: {prometheus: 'http://localhost?key=SECRET'}",
        "source: {prometheus: {url: 'http://localhost', bearer: SECRET}}",
        "source: {prometheus: {url: 'http://h', headers: {X-Api-Key: SECRET}}}",
        "notify: SECRET",
        "notify: [{url: [SECRET]}]",
        "hooks: {confirm: SECRET}",
        "hooks: {confirm: {command: [curl, 'https://me:SECRET@gate.example']}}",
        "source: {prometheus: SECRET}",
        "source: {prometheus: {url: 'http://h', bearer: {env: [SECRET]}}}",
        "source: {prometheus: {url: 'http://h', headers: {X-Api-Key: [SECRET]}}}",
        "source: {prometheus: {url: 'http://h', headers: {Authorization: SECRET}}}",
    ],
)
def test_a_secret_that_is_written_out_is_refused_and_not_repeated(line: str) -> None:
    with pytest.raises(PolicyError) as error:
        parse(f"target: {{inferenceservice: intent}}\n{line}")
    assert "SECRET" not in str(error.value)


@pytest.mark.parametrize(
    "line",
    [
        "notify: [{url: 'http://broker-ingress.knative-eventing.svc/shop/default'}]",
        "notify: [{url: 'http://127.0.0.1:8000/hook'}, {url: 'http://receiver/'}]",
        "notify: [{url: 'https://hooks.slack.com/services/${SLACK}'}]",
        "notify: [{url: 'https://events.eu.pagerduty.com/v2/enqueue', "
        "format: pagerduty, key: '${KEY}'}]",
        "hooks: {confirm: {url: 'http://gate.shop.svc.cluster.local:8080/confirm'}}",
    ],
)
def test_what_is_no_secret_may_be_written_out(line: str) -> None:
    parse(f"target: {{inferenceservice: intent}}\n{line}")


def test_a_rollout_does_not_begin_without_what_its_receivers_need(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("NOT_THERE", raising=False)
    for line, said in (
        ("notify: [{url: '${NOT_THERE}'}]", "notify[0].url: variable NOT_THERE: "),
        (
            "notify: [{format: pagerduty, key: '${file:/not/there}'}]",
            "notify[0].key: file /not/there: No such file",
        ),
        (
            "hooks: {post: {url: 'http://x.svc/${NOT_THERE}'}}",
            "hooks.post.url: variable NOT_THERE: expected one line of ASCII",
        ),
    ):
        policy = parse(f"target: {{inferenceservice: intent}}\n{line}")
        with pytest.raises(RolloutError) as error:
            wiring.check_secrets(policy)
        assert str(error.value).startswith(said)
        assert error.value.code == Exit.USAGE
