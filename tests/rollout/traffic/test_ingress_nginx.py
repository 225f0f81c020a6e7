"""Traffic by ingress-nginx's canary-weight, on the shipped pair of Ingresses."""

from typing import Any

import pytest
import yaml

from scripts.local.processes import ROOT
from scripts.rollout.errors import Conflict, RolloutError, Unreachable
from scripts.rollout.policy.policy import Target
from scripts.rollout.policy.reader import read
from scripts.rollout.state.actions import WarmUp
from scripts.rollout.state.observation import Replicas, View
from scripts.rollout.traffic import ingress_nginx
from scripts.rollout.traffic.ingress_nginx import IngressNginxTraffic
from scripts.rollout.traffic.routes.canary_ingress import (
    CANARY,
    PREFIX,
    WEIGHT,
    ingress_path,
    ingresses_path,
)
from tests.support.api_server import Api

OVERLAY = ROOT / "manifests" / "kubernetes" / "overlays" / "ingress-nginx"
STABLE, NEW = "intent-v1-predictor", "intent-v2-predictor"
FIRST, SECOND = (ingress_path("default", each) for each in ("intent", "intent-canary"))
PODS = f"/api/v1/namespaces/default/pods/{NEW}"
TARGET = Target(ingress="intent", backend="ingress-nginx")


class _Listing(Api):
    """An API server that lists the Ingresses too."""

    def get(self, path: str) -> dict[str, Any]:
        if path == ingresses_path("default"):
            found = [super(_Listing, self).get(p) for p in self.objects if path in p]
            return {"items": found}
        return super().get(path)


@pytest.fixture
def listing(api: Api) -> Api:
    """The recorded Services and pods behind both Ingresses."""
    found = _Listing()
    found.objects |= api.objects
    for document in yaml.safe_load_all((OVERLAY / "ingress.yaml").read_text()):
        document["metadata"] |= {"resourceVersion": "7", "generation": 1}
        path = document["spec"]["rules"][0]["http"]["paths"][0]
        path["backend"]["service"]["name"] += "-predictor"
        found.objects[ingress_path("default", document["metadata"]["name"])] = document
    return found


def _on(api: Api) -> IngressNginxTraffic:
    return IngressNginxTraffic(api, TARGET, "predictor")


def _annotations(api: Api) -> dict[str, str]:
    found: dict[str, str] = api.objects[SECOND]["metadata"]["annotations"]
    return found


def _paths(api: Api, path: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.objects[path]["spec"]["rules"][0]["http"]["paths"]
    return found


def test_the_ingress_with_the_annotation_is_the_canary_of_the_other(
    listing: Api,
) -> None:
    view = _on(listing).observe()
    assert (view.created, view.ready, view.rolledout) == (NEW, NEW, STABLE)
    assert (view.percent, view.routed) == (0, {STABLE: 100, NEW: 0})
    assert view.replicas == {STABLE: Replicas(1), NEW: Replicas(1)}
    assert view.asked == "canary-weight 0"


def test_a_weight_is_one_annotation_and_counts_once_it_can_be_in_force(
    listing: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    traffic = _on(listing)
    traffic.observe()
    traffic.set_weight(25)
    assert _annotations(listing) == {CANARY: "true", WEIGHT: "25"}
    assert (traffic.observe().percent, traffic.observe().routed) == (25, {})
    monkeypatch.setattr(ingress_nginx, "IN_FORCE_S", 0.0)
    assert traffic.observe().routed == {STABLE: 75, NEW: 25}


def test_a_weight_set_by_hand_is_seen_and_is_not_written_over(listing: Api) -> None:
    traffic = _on(listing)
    traffic.observe()
    _annotations(listing)[WEIGHT] = "3"
    with pytest.raises(Conflict, match="changed since the last look"):
        traffic.set_weight(25)
    assert (traffic.observe().percent, traffic.observe().routed) == (3, {})


def test_who_wrote_the_weight_last_is_told(listing: Api) -> None:
    fields: dict[str, Any] = {"f:metadata": {"f:annotations": {f"f:{WEIGHT}": {}}}}
    at = "2026-11-27T02:00:00Z"
    entry = {"manager": "argocd-controller", "time": at, "fieldsV1": fields}
    listing.objects[SECOND]["metadata"]["managedFields"] = [entry]
    view = _on(listing).observe()
    assert (view.writer, view.written) == ("argocd-controller", at)


@pytest.mark.parametrize("path", [FIRST, SECOND])
def test_another_service_since_the_look_gets_no_weight(listing: Api, path: str) -> None:
    traffic = _on(listing)
    traffic.observe()
    _paths(listing, path)[0]["backend"]["service"]["name"] = "intent-v3"
    with pytest.raises(Conflict, match="changed since the last look"):
        traffic.set_weight(25)
    assert _annotations(listing)[WEIGHT] == "0"


def test_everything_is_a_promotion_and_0_takes_it_back(listing: Api) -> None:
    traffic = _on(listing)
    traffic.observe()
    traffic.promote()
    view = traffic.observe()
    assert (view.rolledout, view.percent, view.danger[:20]) == (NEW, None, NEW + " ")
    traffic.set_weight(0)
    assert _annotations(listing)[WEIGHT] == "0"


def test_no_annotation_is_no_traffic(listing: Api) -> None:
    del _annotations(listing)[WEIGHT]
    assert _on(listing).observe().percent == 0


def test_a_canary_without_a_ready_pod_is_not_ready(listing: Api) -> None:
    for path, pod in listing.objects.items():
        if path.startswith(PODS):
            pod["status"]["conditions"][0]["status"] = "False"
    view: View = _on(listing).observe()
    assert (view.ready, view.replicas[NEW].ready) == (STABLE, 0)
    assert _on(listing).warm_up(WarmUp(3)).sent == 0


def test_pages_are_the_predictors_by_their_service(listing: Api) -> None:
    pages = _on(listing).pages([STABLE, NEW])
    assert pages is not None
    assert pages.with_http
    assert sorted(pages.arms.values()) == [STABLE, NEW]
    assert all(":8080/proxy/metrics" in url for url in pages.predictors)


def test_an_api_that_is_away_is_not_seen_and_not_written(listing: Api) -> None:
    traffic = _on(listing)
    listing.is_away = True
    for ask in (traffic.observe, traffic.promote, lambda: traffic.pages([NEW])):
        with pytest.raises(Unreachable):
            ask()


def test_without_a_canary_beside_it_no_rollout_begins(listing: Api) -> None:
    _annotations(listing)[CANARY] = "false"
    with pytest.raises(RolloutError, match='canary: "true", got none'):
        _on(listing)
    del listing.objects[FIRST]
    with pytest.raises(RolloutError, match="Ingress intent not found; apply it first"):
        _on(listing)


def test_paths_that_the_stable_lacks_are_refused(listing: Api) -> None:
    (path,) = _paths(listing, SECOND)
    _paths(listing, SECOND).append({**path, "path": "/other"})
    with pytest.raises(RolloutError, match="hosts and paths of Ingress intent only"):
        _on(listing)


def test_the_same_service_twice_is_refused(listing: Api) -> None:
    _paths(listing, SECOND)[0]["backend"]["service"]["name"] = STABLE
    with pytest.raises(RolloutError, match="with one other Service"):
        _on(listing)


@pytest.mark.parametrize(
    ("annotation", "value"),
    [("canary-by-header", "x-try"), ("canary-weight-total", "1000")],
)
def test_another_rule_for_the_canarys_traffic_is_refused(
    listing: Api, annotation: str, value: str
) -> None:
    _annotations(listing)[f"{PREFIX}/{annotation}"] = value
    with pytest.raises(RolloutError, match=f"got '0' {PREFIX}/{annotation}"):
        _on(listing)


def test_a_weight_that_is_no_percent_is_refused(listing: Api) -> None:
    _annotations(listing)[WEIGHT] = "101"
    with pytest.raises(RolloutError, match="of 0 to 100 and no other"):
        _on(listing)


def test_the_shipped_policy_is_of_this_backend() -> None:
    policy = read(OVERLAY / "rollout.yaml")
    assert policy.backend.target == "ingress"
    assert policy.counted_by == "predictor"
