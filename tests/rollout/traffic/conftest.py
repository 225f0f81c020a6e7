"""The API server with a route's objects, as they were recorded behind Contour."""

import json

import pytest

from scripts.local.processes import ROOT
from scripts.rollout.traffic.routes.httproute import route_path
from tests.support.api_server import Api

RECORDED = ROOT / "tests" / "data" / "standard_objects.json"
CORE = "/api/v1/namespaces/default"


@pytest.fixture
def api() -> Api:
    """The HTTPRoute `intent`, its two Services and their pods."""
    found, recorded = Api(), json.loads(RECORDED.read_text())["gateway"]
    found.objects[route_path("default", "intent")] = recorded["httproute"]
    for name, service in recorded["services"].items():
        found.objects[f"{CORE}/services/{name}"] = service
        for pod in recorded["pods"][name]["items"]:
            found.objects[f"{CORE}/pods/{pod['metadata']['name']}"] = pod
    return found
