"""Istio's counts, as a Prometheus answers them; written after Istio's reference."""

import json

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from scripts.local.processes import ROOT
from scripts.rollout.errors import PolicyError
from scripts.rollout.metrics.port import Sample
from scripts.rollout.metrics.prometheus.server import Prometheus
from scripts.rollout.policy.prometheus import PrometheusServer
from scripts.rollout.policy.reader import parse

ANSWER = json.loads((ROOT / "tests" / "data" / "istio_answers.json").read_text())
STABLE, CANARY = "intent-predictor-00001", "intent-predictor-00002"
NOTHING = {"status": "success", "data": {"resultType": "vector", "result": []}}


def _read(httpserver: HTTPServer) -> dict[str, Sample]:
    asked = []

    def answer(request: Request) -> Response:
        query = request.form["query"]
        asked.append(query)
        is_counted = "istio_" in query and not query.startswith("timestamp")
        content = ANSWER if is_counted else NOTHING
        return Response(json.dumps(content), content_type="application/json")

    httpserver.expect_request("/api/v1/query").respond_with_handler(answer)
    server = PrometheusServer(url=httpserver.url_for(""))
    found = Prometheus(server, "default", "istio").read([STABLE, CANARY]).reading
    (counts,) = (each for each in asked if each.startswith('{__name__=~"istio_'))
    assert 'reporter="source",destination_service_namespace="default"' in counts
    return {name: next(iter(pods.values())) for name, pods in found.items()}


def test_both_revisions_are_counted_with_their_latency(httpserver: HTTPServer) -> None:
    stable = _read(httpserver)[STABLE]
    assert (stable["requests"], stable["errors"], stable["timed"]) == (900, 0, 900)
    assert stable["le:0.25"] == 890


def test_what_reached_no_pod_and_grpcs_codes_are_errors(httpserver: HTTPServer) -> None:
    canary = _read(httpserver)[CANARY]
    # 80 answers, 12 of 503 with no workload, 5 of INTERNAL, 3 of INVALID_ARGUMENT.
    assert (canary["requests"], canary["errors"]) == (100, 17)


def test_a_policy_that_names_no_prometheus_is_refused() -> None:
    target = "target: {inferenceservice: intent, backend: knative}"
    with pytest.raises(PolicyError, match=r"source.counts: .*needs source.prometheus"):
        parse(f"{target}\nsource: {{counts: istio}}", "test")
