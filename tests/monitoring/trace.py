"""The picture of a trace: python -m tests.monitoring.trace ZIPKIN-EXEC.jar FOLDER.

A sampled request to a real predictor, whose spans Zipkin's own page draws. Zipkin takes
no OTLP, so the names, times and attributes that arrived are handed on as its JSON.
"""

import os
import secrets
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import requests
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from pytest_httpserver import HTTPServer

from scripts.local.processes import free_ports
from tests.support import commands
from tests.support.predictors import predictor
from tests.support.tab import tab
from tests.support.waiting import until
from tests.test_tracing import V2, Collector

SERVICE = "intent-predictor"
DRAWN = "document.body?.innerText.includes('classify')"


def _zipkin(span: Span) -> dict[str, Any]:
    began, took = span.start_time_unix_nano, span.end_time_unix_nano
    values = [each.value for each in span.attributes]
    said = [str(each.string_value or each.int_value) for each in values]
    return {
        "traceId": span.trace_id.hex(),
        "id": span.span_id.hex(),
        "parentId": span.parent_span_id.hex(),
        "name": span.name,
        "kind": "SERVER" if span.kind == Span.SPAN_KIND_SERVER else None,
        "timestamp": began // 1000,
        "duration": max((took - began) // 1000, 1),
        "localEndpoint": {"serviceName": SERVICE},
        "tags": dict(zip([e.key for e in span.attributes], said, strict=True)),
    }


def _spans(folder: Path, trace: str) -> list[Span]:
    """What one sampled request has sent, after a few that were not sampled."""
    collector = Collector()
    with HTTPServer(host="127.0.0.1", port=0) as receiver:
        receiver.expect_request("/v1/traces").respond_with_handler(collector.take)
        environ = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url_for("").rstrip("/"),
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_SERVICE_NAME": SERVICE,
        }
        with predictor(folder, "--revision=r1", env=environ) as server:
            url = f"{server.url}/v2/models/intent/infer"
            sampled = {"traceparent": f"00-{trace}-{secrets.token_hex(8)}-01"}
            for headers in (*[{}] * 20, sampled):
                requests.post(url, json=V2, headers=headers, timeout=30)
            until(lambda: len(collector.spans(trace)) == 4)
    return list(collector.spans(trace).values())


def main() -> int:
    """Write trace.webp."""
    jar, folder, trace = sys.argv[1], Path(sys.argv[2]), secrets.token_hex(16)
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    with ExitStack() as until_then:
        made = Path(until_then.enter_context(tempfile.TemporaryDirectory()))
        spans = [_zipkin(each) for each in _spans(made, trace)]
        environ = {**os.environ, "QUERY_PORT": str(port)}
        options = {"env": environ, "stdout": subprocess.DEVNULL}
        until_then.callback(commands.end_started)
        commands.start(["java", "-jar", jar], **options)
        until(lambda: _is_up(url), 120)
        requests.post(f"{url}/api/v2/spans", json=spans, timeout=30).raise_for_status()
        until(lambda: requests.get(f"{url}/api/v2/trace/{trace}", timeout=5).ok)
        page = until_then.enter_context(tab(made))
        page.open(f"{url}/zipkin/traces/{trace}", 1200)
        until(lambda: page.run(DRAWN), 120)
        page.picture(folder / "trace.webp")
    return 0


def _is_up(url: str) -> bool:
    try:
        return requests.get(f"{url}/health", timeout=1).ok
    except requests.RequestException:
        return False


if __name__ == "__main__":
    sys.exit(main())
