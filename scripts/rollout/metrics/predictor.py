"""gRPC requests, predicted labels and confidence as the predictor counts them. Pure."""

from collections.abc import Iterable

from scripts.rollout.metrics.exposition import Series, add, add_bucket, edge_of
from scripts.rollout.metrics.port import (
    CONFIDENCE,
    ERRORS,
    LABEL,
    REQUESTS,
    STARTED,
    TIMED,
    Reading,
)

PREDICTOR_FAMILIES = (
    "intent_requests_total",
    "intent_request_duration_seconds_bucket",
    "intent_request_duration_seconds_count",
    "intent_predictions_total",
    "intent_confidence_bucket",
    "process_start_time_seconds",
)
MOST_COUNTERS = 4096  # a model has one a label; each is part of every look's entry
# gRPC codes that are the server's doing; the others are the caller's.
OURS = ("UNKNOWN", "DEADLINE_EXCEEDED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS")


def from_predictor(
    series: Iterable[Series],
    instance: str,
    *,
    with_http: bool = False,
    with_grpc: bool = True,
) -> Reading:
    """gRPC requests and predicted labels, of the one revision behind a page.

    `with_http` counts HTTP too, for where nobody does before the predictor; without
    `with_grpc` no gRPC, for where somebody does.
    """
    sample: dict[str, float] = {}
    revision = ""
    for each in series:
        revision = each.labels.get("revision", revision)
        match each.name:
            case "process_start_time_seconds":
                sample[STARTED] = each.value
            case "intent_predictions_total":
                add(sample, LABEL + each.labels["label"], each.value)
            case "intent_confidence_bucket":
                add(sample, f"{CONFIDENCE}{edge_of(each):g}", each.value)
            case _ if not (with_grpc if _is_grpc(each) else with_http):
                pass
            case "intent_requests_total":
                code = each.labels["code"]
                add(sample, REQUESTS, each.value)
                add(sample, ERRORS, each.value * (code[:1] == "5" or code in OURS))
            case "intent_request_duration_seconds_count":
                add(sample, TIMED, each.value)
            case "intent_request_duration_seconds_bucket":
                add_bucket(sample, each, 1.0)
        if len(sample) > MOST_COUNTERS:
            raise ValueError(f"more than {MOST_COUNTERS} labels and edges")
    return {revision: {instance: sample}} if revision else {}


def _is_grpc(series: Series) -> bool:
    return series.labels["protocol"] == "grpc"
