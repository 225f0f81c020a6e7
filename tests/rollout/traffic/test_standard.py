"""Standard mode's own canary: recorded on KServe 0.20.0, which routes nothing to it.

No release routes to it yet. What a newer one does is written here as its controller
says it (httproute_reconciler.go): a backendRef for each canary, with its weight.
"""

import json

import pytest

from scripts.local.processes import ROOT
from scripts.rollout.errors import RolloutError
from scripts.rollout.policy.policy import Target
from scripts.rollout.traffic import standard
from scripts.rollout.traffic.routes.httproute import route_path
from scripts.rollout.traffic.standard import StandardTraffic
from tests.support.api_server import OWNER, Api
from tests.support.managed import RIVAL, WRITTEN, owned

INTENT = Target(inferenceservice="intent", backend="standard")

RECORDED = json.loads((ROOT / "tests" / "data" / "standard_objects.json").read_text())
ROUTE = route_path("default", "intent")
STABLE, CANARY = "intent-predictor", "intent-v2-predictor"


@pytest.fixture
def api() -> Api:
    """KServe 0.20.0, with a canary at 20 %."""
    found, recorded = Api(), json.loads(json.dumps(RECORDED["canary"]))
    found.objects[OWNER] = recorded["inferenceservice"]
    found.objects[ROUTE] = recorded["httproute"]
    for pod in recorded["pods"]["items"]:
        found.objects[f"/api/v1/namespaces/default/pods/{pod['metadata']['name']}"] = (
            pod
        )
    return found


def _traffic(api: Api) -> StandardTraffic:
    return StandardTraffic(api, INTENT, "predictor")


def _routes(api: Api, **weights: int) -> None:
    """A newer KServe."""
    (rule,) = api.objects[ROUTE]["spec"]["rules"]
    (known,) = rule["backendRefs"]
    rule["backendRefs"] = [
        {**known, "name": name.replace("_", "-"), "weight": weight}
        for name, weight in weights.items()
    ]


def test_a_canary_that_is_reported_ready_and_not_routed_is_refused(api: Api) -> None:
    with pytest.raises(
        RolloutError, match=r"0\.20\.0 does; use target\.backend: gateway"
    ):
        _traffic(api)


def test_one_that_gets_no_part_at_its_first_step_has_failed_after_a_while(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.objects[OWNER]["spec"]["canary"][0]["trafficPercent"] = 0
    traffic = _traffic(api)
    traffic.set_weight(10)
    view = traffic.observe()
    assert view is not None
    assert (view.percent, view.routed, view.failure) == (10, {STABLE: 100}, "")
    monkeypatch.setattr(standard, "PATIENCE_S", 0.0)
    view = traffic.observe()
    assert view is not None
    assert "has no part for it" in view.failure


def test_where_it_is_routed_its_percent_is_set_and_read_back(api: Api) -> None:
    _routes(api, intent_predictor=80, intent_v2_predictor=20)
    traffic = _traffic(api)
    view = traffic.observe()
    assert view is not None
    assert (view.created, view.ready, view.rolledout) == (CANARY, CANARY, STABLE)
    assert (view.percent, view.routed) == (20, {STABLE: 80, CANARY: 20})
    traffic.set_weight(50)
    (entry,) = api.objects[OWNER]["spec"]["canary"]
    assert (entry["trafficPercent"], entry["predictor"]["name"]) == (50, "v2")


def test_a_promotion_makes_the_canary_the_predictor_in_one_patch(api: Api) -> None:
    _routes(api, intent_predictor=50, intent_v2_predictor=50)
    traffic = _traffic(api)
    traffic.promote()
    spec = api.objects[OWNER]["spec"]
    assert not spec["canary"]
    assert spec["predictor"]["name"] == "v2"
    assert spec["predictor"]["model"]["runtime"] == "intent-v2"
    _routes_after = {"intent_v2_predictor": 100}
    (rule,) = api.objects[ROUTE]["spec"]["rules"]
    del rule["backendRefs"][1:]
    _routes(api, **_routes_after)
    view = traffic.observe()
    assert view is not None
    assert (view.rolledout, view.percent, view.routed) == (CANARY, None, {CANARY: 100})
    with pytest.raises(RolloutError, match="forgets what was before a promotion"):
        traffic.set_weight(0)


def test_pages_are_the_predictors_of_both(api: Api) -> None:
    _routes(api, intent_predictor=80, intent_v2_predictor=20)
    pages = _traffic(api).pages([STABLE, CANARY])
    assert pages is not None
    assert sorted(pages.arms.values()) == [STABLE, CANARY]


def test_other_states_are_refused(api: Api) -> None:
    api.objects[OWNER]["status"]["deploymentMode"] = "Knative"
    with pytest.raises(RolloutError, match="in Knative mode, not in Standard"):
        _traffic(api)
    del api.objects[OWNER]
    with pytest.raises(RolloutError, match="not found; apply it first"):
        _traffic(api)


def test_who_wrote_the_canaries_last_is_the_percents_writer(api: Api) -> None:
    _routes(api, intent_predictor=80, intent_v2_predictor=20)
    owned(api.objects[OWNER], "spec", "canary")
    view = _traffic(api).observe()
    assert (view.writer, view.written) == (RIVAL, WRITTEN)
