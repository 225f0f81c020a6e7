"""Contour's Envoy, on a page recorded behind it: HTTP and gRPC by backend."""

from scripts.local.processes import ROOT
from scripts.rollout.metrics import edges, envoy, exposition
from scripts.rollout.metrics.exposition import Series

PAGE = (ROOT / "tests" / "data" / "contour_stats.txt").read_text(encoding="utf-8")


def _read(page: str, **arms: str) -> dict[str, dict[str, float]]:
    lines = exposition.parse(page, envoy.proxy_names())
    found = envoy.from_proxy(lines, "foreign", "here", arms)
    return {name: dict(samples["here"]) for name, samples in found.items()}


def _line(name: str, value: float, **labels: str) -> Series:
    cluster = {"envoy_cluster_name": "foreign/r-1"}
    return Series(f"envoy_cluster_{name}", {**cluster, **labels}, value)


def test_requests_that_reached_no_pod_count_against_their_backend() -> None:
    echo = _read(PAGE)["echo-old"]
    assert (echo["requests"], echo["errors"]) == (32, 16)


def test_grpc_codes_in_trailers_count_beside_answers_of_200() -> None:
    grpc = _read(PAGE)["grpc-new"]
    assert (grpc["requests"], grpc["errors"]) == (33, 9)


def test_a_grpc_request_that_reached_no_pod_is_one_error_and_not_two() -> None:
    grpc = _read(PAGE)["grpc-old"]
    assert (grpc["requests"], grpc["errors"]) == (35, 19)


def test_a_callers_fault_over_grpc_counts_against_nobody() -> None:
    assert "envoy_cluster_grpc_12" not in envoy.proxy_names()


def test_latency_comes_with_it() -> None:
    echo = _read(PAGE)["echo-old"]
    assert echo["timed"] == 16
    assert edges.at_most(0.25, edges.shared([echo])) == 0.25


def test_clusters_of_another_namespace_are_nobodys_unless_the_route_says_so() -> None:
    page = PAGE.replace("foreign_echo-new_80", "other_echo-new_80")
    assert "echo-new" not in _read(page)
    assert _read(page, **{"other_echo-new_80": "echo-new"})["echo-new"]["requests"]


def test_errors_never_fall_while_a_server_changes_from_http_to_grpc_errors() -> None:
    seen = []
    for http, grpc in ((3.0, 0.0), (3.0, 2.0), (3.0, 5.0), (4.0, 5.0)):
        lines = [
            _line("upstream_rq_xx", http, envoy_response_code_class="5"),
            _line("grpc_14", grpc),
        ]
        seen.append(envoy.from_proxy(lines, "foreign", "a")["r-1"]["a"]["errors"])
    assert seen == sorted(seen)
