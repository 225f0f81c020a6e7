"""Prometheus series of one revision.

Every series carries model, version and revision, so that a canary and a stable that
are scraped side by side never mix. Predicted labels are a closed set; request text is
never a label.
"""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram

from predictor.protocol import Predictions, Source

SOURCE = ("model", "version", "revision")
SECONDS = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
TEXTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
CONFIDENCES = tuple(step / 20 for step in range(1, 21))


class Metrics:
    """Counts requests by protocol and code, texts, predicted labels, confidences."""

    def __init__(
        self, source: Source, labels: Iterable[str], registry: CollectorRegistry
    ) -> None:
        """Register the series; every predicted label starts at zero."""
        self._source = {
            "model": source.model,
            "version": source.version,
            "revision": source.revision,
        }
        self._requests = Counter(
            "intent_requests",
            "Requests answered, also those that never reached the model.",
            (*SOURCE, "protocol", "code"),
            registry=registry,
        )
        self._seconds = Histogram(
            "intent_request_duration_seconds",
            "From the request's head to the last byte of its answer.",
            (*SOURCE, "protocol"),
            buckets=SECONDS,
            registry=registry,
        )
        self._texts = Histogram(
            "intent_request_texts",
            "Texts in a request that reached the model.",
            SOURCE,
            buckets=TEXTS,
            registry=registry,
        ).labels(**self._source)
        predicted = Counter(
            "intent_predictions",
            "Texts by predicted label.",
            (*SOURCE, "label"),
            registry=registry,
        )
        self._predicted = {
            label: predicted.labels(**self._source, label=label) for label in labels
        }
        self._confidence = Histogram(
            "intent_confidence",
            "Probability of the predicted label.",
            SOURCE,
            buckets=CONFIDENCES,
            registry=registry,
        ).labels(**self._source)

    def observe_request(self, protocol: str, code: str, seconds: float) -> None:
        """Count one answered request; `code` is an HTTP or a gRPC status."""
        self._requests.labels(**self._source, protocol=protocol, code=code).inc()
        self._seconds.labels(**self._source, protocol=protocol).observe(seconds)

    def observe_predictions(self, predictions: Predictions) -> None:
        """Count the labels and confidences of one request's texts."""
        labels, confidences = predictions.best()
        self._texts.observe(len(labels))
        for label, confidence in zip(labels, confidences, strict=True):
            self._predicted[label].inc()
            self._confidence.observe(confidence)

    def requests_by_code(self) -> dict[str, int]:
        """Requests answered since the start, by code, over all protocols."""
        totals: dict[str, int] = {}
        for sample in next(iter(self._requests.collect())).samples:
            if sample.name.endswith("_total"):
                code = sample.labels["code"]
                totals[code] = totals.get(code, 0) + int(sample.value)
        return totals
