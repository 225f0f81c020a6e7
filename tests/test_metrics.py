"""predictor.metrics: series that keep revisions apart."""

from prometheus_client import CollectorRegistry

from predictor.metrics import Metrics
from predictor.protocol import Predictions, Source
from tests.support.predictors import SCORER

SOURCE = Source("intent", "v1", "rev-1")
NAMES = {"model": "intent", "version": "v1", "revision": "rev-1"}


def _metrics() -> tuple[Metrics, CollectorRegistry]:
    registry = CollectorRegistry()
    return Metrics(SOURCE, SCORER, ("a", "b"), registry), registry


def test_every_label_starts_at_zero() -> None:
    _, registry = _metrics()
    for label in ("a", "b"):
        names = NAMES | {"label": label}
        assert registry.get_sample_value("intent_predictions_total", names) == 0


def test_requests_are_counted_by_protocol_and_code() -> None:
    metrics, registry = _metrics()
    metrics.observe_request("v1", "200", 0.0002)
    metrics.observe_request("grpc", "OK", 0.0002)
    metrics.observe_request("v2", "200", 0.0002)
    names = NAMES | {"protocol": "v1", "code": "200"}
    assert registry.get_sample_value("intent_requests_total", names) == 1
    assert metrics.requests_by_code() == {"200": 2, "OK": 1}


def test_latency_has_buckets_below_a_millisecond() -> None:
    metrics, registry = _metrics()
    metrics.observe_request("v1", "200", 0.0002)
    for edge, count in (("0.0001", 0), ("0.00025", 1)):
        names = NAMES | {"protocol": "v1", "le": edge}
        name = "intent_request_duration_seconds_bucket"
        assert registry.get_sample_value(name, names) == count


def test_predictions_count_texts_labels_and_confidences() -> None:
    metrics, registry = _metrics()
    probabilities = [[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]]
    metrics.observe_predictions(Predictions.of(("a", "b"), probabilities))
    value = registry.get_sample_value
    assert value("intent_predictions_total", NAMES | {"label": "a"}) == 2
    assert value("intent_request_texts_sum", NAMES) == 3
    assert value("intent_confidence_bucket", NAMES | {"le": "0.75"}) == 1


def test_unsure_texts_are_counted_where_the_model_says_which_they_are() -> None:
    assert "intent_unsure" not in {family.name for family in _metrics()[1].collect()}
    registry = CollectorRegistry()
    metrics = Metrics(SOURCE, SCORER, ("a", "b"), registry, unsure_below=0.6)
    rows = [[0.6, 0.4], [0.39, 0.61], [0.5, 0.5]]
    metrics.observe_predictions(Predictions.of(("a", "b"), rows))
    assert registry.get_sample_value("intent_unsure_total", NAMES) == 2
