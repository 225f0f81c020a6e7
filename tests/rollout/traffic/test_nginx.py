"""Traffic by nginx's split file: the file, what a worker says, predictors as pages."""

import json
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from scripts.local.processes import free_ports
from scripts.rollout.errors import Conflict, Forbidden, RolloutError, Unreachable
from scripts.rollout.policy.policy import Target
from scripts.rollout.policy.reader import read
from scripts.rollout.state.actions import WarmUp
from scripts.rollout.state.observation import Replicas
from scripts.rollout.traffic.nginx import NginxTraffic
from tests.support.vm import MANIFESTS

SHIPPED = MANIFESTS / "etc" / "intent" / "nginx.split"
ADDRESS = "http://127.0.0.1:6001/"


class _Nginx:
    """A worker that goes by a percent, and two predictors at one address."""

    def __init__(self, server: HTTPServer, folder: Path) -> None:
        """All to v1, as shipped."""
        self.split, self.server = folder / "nginx.split", server
        self.split.write_text(SHIPPED.read_text())
        self.takes(0)
        for protocol in ("v1/models/intent:predict", "v2/models/intent/infer"):
            server.expect_request(f"/{protocol}").respond_with_json({})
        self.is_ready(True)

    def takes(self, percent: int, **others: object) -> None:
        """A reload, or another status altogether."""
        address = f"{self.server.host}:{self.server.port}"
        arms = {"stable": {"name": "v1"}, "canary": {"name": "v2"}}
        for arm in arms.values():
            arm["address"] = address
        content = {**arms, "file": str(self.split), "percent": percent, **others}
        self.server.expect_request("/status").respond_with_json(content)

    def is_ready(self, is_so: bool) -> None:
        """What both predictors say."""
        ready = self.server.expect_request("/v2/models/intent/ready")
        ready.respond_with_data(status=200 if is_so else 503)

    def traffic(self) -> NginxTraffic:
        """The adapter."""
        target = Target(proxy="intent", backend="nginx")
        return NginxTraffic(self.server.url_for("/status"), target, "predictor")


@pytest.fixture
def on(httpserver: HTTPServer, tmp_path: Path) -> _Nginx:
    return _Nginx(httpserver, tmp_path)


def test_who_is_the_canary_and_how_much_it_has_says_a_worker(on: _Nginx) -> None:
    view = on.traffic().observe()
    assert (view.created, view.ready, view.rolledout) == ("v2", "v2", "v1")
    assert (view.percent, view.routed) == (0, {"v1": 100, "v2": 0})
    assert view.replicas == {"v1": Replicas(1), "v2": Replicas(1)}


def test_a_weight_is_in_the_file_and_counts_once_a_worker_goes_by_it(
    on: _Nginx,
) -> None:
    traffic = on.traffic()
    traffic.set_weight(25)
    assert "{ 25% v2; * v1; }" in on.split.read_text()
    view = traffic.observe()
    assert (view.percent, view.routed["v2"]) == (25, 0)
    assert "nginx goes by 0 and" in view.blocked
    on.server.clear()
    on.takes(25)
    view = traffic.observe()
    assert (view.percent, view.routed, view.blocked) == (25, {"v1": 75, "v2": 25}, "")


def test_nothing_and_everything_are_parts_that_nginx_takes(on: _Nginx) -> None:
    traffic = on.traffic()
    traffic.promote()
    assert "{ * v2; }" in on.split.read_text()
    on.server.clear()
    on.takes(100)
    view = traffic.observe()
    assert (view.rolledout, view.percent) == ("v2", None)
    assert "v2 has all traffic already" in view.danger
    traffic.set_weight(0)
    assert on.split.read_text() == SHIPPED.read_text()


def test_a_percent_set_by_hand_is_seen_and_not_written_over(on: _Nginx) -> None:
    traffic = on.traffic()
    on.split.write_text(on.split.read_text().replace("* v1", "3% v2; * v1"))
    on.split.write_text(on.split.read_text().replace("default 0", "default 3"))
    with pytest.raises(Conflict, match="changed since the last look"):
        traffic.set_weight(25)
    assert traffic.observe().percent == 3


def test_a_split_of_another_form_is_refused(on: _Nginx) -> None:
    on.split.write_text("split_clients $remote_addr $intent_server { * v1; }")
    with pytest.raises(RolloutError, match="expected a split between v1 and v2"):
        on.traffic()


def test_what_is_no_status_is_refused_and_silence_is_waited_for(on: _Nginx) -> None:
    traffic = on.traffic()
    on.server.clear()
    on.server.expect_request("/status").respond_with_data("Welcome to nginx!")
    with pytest.raises(RolloutError, match="is not the status of the shipped"):
        traffic.observe()
    target = Target(proxy="intent", backend="nginx")
    with pytest.raises(Unreachable, match="nginx at http://127"):
        NginxTraffic(f"http://127.0.0.1:{free_ports(1)[0]}/", target, "predictor")


def test_a_split_that_is_gone_is_waited_for(on: _Nginx) -> None:
    traffic = on.traffic()
    on.split.unlink()
    with pytest.raises(Unreachable, match="No such file"):
        traffic.observe()


def test_a_file_of_somebody_else_is_a_refusal(
    on: _Nginx, monkeypatch: pytest.MonkeyPatch
) -> None:
    traffic = on.traffic()

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "write_text", refuse)
    with pytest.raises(Forbidden, match="expected to be in its group"):
        traffic.set_weight(5)


def test_a_server_that_was_ready_and_is_not_has_fallen(on: _Nginx) -> None:
    traffic = on.traffic()
    traffic.observe()
    on.server.clear()
    on.takes(0)
    on.is_ready(False)
    view = traffic.observe()
    assert (view.ready, view.replicas["v2"]) == ("v1", Replicas(0, 1))
    assert traffic.observe().replicas["v2"] == Replicas(0, 1)


def test_the_canary_is_warmed_up_past_nginx(on: _Nginx) -> None:
    warmed = on.traffic().warm_up(WarmUp(2))
    assert (warmed.sent, warmed.failed, warmed.protocols) == (4, 0, ("v1", "v2"))


def test_pages_are_the_predictors(on: _Nginx) -> None:
    pages = on.traffic().pages(["v2"])
    assert pages is not None
    assert list(pages.arms.values()) == ["v2"]
    assert pages.with_http


def test_what_is_shipped_fits_together() -> None:
    policy = read(MANIFESTS / "etc" / "intent" / "nginx.yaml")
    assert policy.target.steered_at == ADDRESS
    text = (MANIFESTS / "etc/nginx/conf.d/intent.conf").read_text()
    assert f"listen {ADDRESS.removeprefix('http://').rstrip('/')};" in text
    said = json.loads(
        text.partition("return 200 '")[2]
        .partition("';")[0]
        .replace("$intent_percent", "0")
    )
    assert f"include {said['file']};" in text
    for arm in ("stable", "canary"):
        name, address = said[arm]["name"], said[arm]["address"]
        assert f"upstream {name} {{\n  server {address};" in text
