"""Two LLMInferenceServices of a group, on objects written after KServe's design."""

import json

import pytest

from scripts.local.processes import ROOT
from scripts.rollout.errors import Conflict, RolloutError
from scripts.rollout.policy.policy import Target
from scripts.rollout.traffic.gateway import GroupTraffic
from scripts.rollout.traffic.routes.group import WEIGHT, member_path
from scripts.rollout.traffic.routes.httproute import route_path
from tests.support.api_server import Api
from tests.support.managed import RIVAL, WRITTEN, owned

RECORDED = json.loads((ROOT / "tests" / "data" / "llm_group.json").read_text())
ROUTE = route_path("default", "chat-v2-kserve-route")
STABLE, CANARY = "chat-v1-inference-pool", "chat-v2-inference-pool"


class _Listing(Api):
    """An API server that lists the members too."""

    def get(self, path: str) -> dict[str, object]:
        if path.endswith("/llminferenceservices"):
            found = [super(_Listing, self).get(p) for p in self.objects if path in p]
            return {"items": found}
        return super().get(path)


@pytest.fixture
def api() -> Api:
    found, recorded = _Listing(), json.loads(json.dumps(RECORDED))
    found.objects[ROUTE] = recorded["route"]
    for member in recorded["members"]:
        path = member_path("default", member["metadata"]["name"])
        found.objects[path] = member
    return found


def _on(api: Api) -> GroupTraffic:
    target = Target(llminferenceservice="chat-v2", backend="group")
    return GroupTraffic(api, target, "predictor")


def _weight(api: Api, name: str) -> int:
    spec = api.objects[member_path("default", name)]["spec"]
    return int(spec["router"]["route"]["weight"])


def test_the_other_member_of_the_group_is_the_stable(api: Api) -> None:
    view = _on(api).observe()
    assert (view.created, view.rolledout, view.percent) == (CANARY, STABLE, 10)
    assert view.routed == {STABLE: 90, CANARY: 10}


def test_both_members_weights_are_set_and_nothing_else(api: Api) -> None:
    traffic = _on(api)
    traffic.observe()
    traffic.set_weight(25)
    assert (_weight(api, "chat-v1"), _weight(api, "chat-v2")) == (75, 25)
    assert _weight(api, "search") == 1
    model = api.objects[member_path("default", "chat-v2")]["spec"]["model"]
    assert model == RECORDED["members"][1]["spec"]["model"]


def test_what_is_set_is_not_yet_what_is_routed(api: Api) -> None:
    traffic = _on(api)
    traffic.observe()
    traffic.set_weight(25)
    view = traffic.observe()
    assert (view.percent, view.routed[CANARY]) == (25, 10)


def test_a_route_that_changed_meanwhile_is_looked_at_first(api: Api) -> None:
    traffic = _on(api)
    traffic.observe()
    api.objects[ROUTE]["metadata"]["generation"] += 1
    with pytest.raises(Conflict):
        traffic.set_weight(25)
    assert _weight(api, "chat-v2") == 10


def test_a_member_without_a_group_or_alone_in_it_is_refused(api: Api) -> None:
    del api.objects[member_path("default", "chat-v1")]
    with pytest.raises(RolloutError, match="one other member of group chat"):
        _on(api)
    route = api.objects[member_path("default", "chat-v2")]["spec"]["router"]["route"]
    del route["group"]
    with pytest.raises(RolloutError, match=r"expected spec\.router\.route\.group"):
        _on(api)


def test_who_wrote_either_members_weight_last_is_the_writer(api: Api) -> None:
    stable, canary = (
        api.objects[member_path("default", each)] for each in ("chat-v1", "chat-v2")
    )
    owned(canary, *WEIGHT, manager="intent-canary", time="2025")
    owned(stable, *WEIGHT)
    view = _on(api).observe()
    assert (view.writer, view.written) == (RIVAL, WRITTEN)
