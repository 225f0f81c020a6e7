"""Prometheus series of one revision.

Every series carries model, version and revision, so that a canary and a stable that
are scraped side by side never mix. Predicted labels are a closed set; request text is
never a label. Counting is a few additions on the event loop's thread, the only one
that counts; series are made when a scrape asks for them.
"""

import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, repeat

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar

from predictor.protocol import Predictions, Source
from predictor.scorer import Scorer

SOURCE = ("model", "version", "revision")
SECONDS = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
TEXTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
CONFIDENCES = tuple(step / 20 for step in range(1, 21))


class Distribution:
    """A histogram: the number of values up to each bound, and their sum."""

    __slots__ = ("_bounds", "_counts", "_exemplars", "_sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        """Count into buckets that end at `bounds`, and one above."""
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0
        self._exemplars: dict[int, Exemplar] = {}

    def observe(self, value: float, trace: str = "") -> None:
        """Count one value, an example of its bucket if it has a trace."""
        bucket = bisect_left(self._bounds, value)
        self._counts[bucket] += 1
        self._sum += value
        if trace:
            self._exemplars[bucket] = Exemplar({"trace_id": trace}, value, time.time())

    def observe_all(self, values: Sequence[float]) -> None:
        """Count many values."""
        buckets = map(bisect_left, repeat(self._bounds), values)
        for bucket, count in Counter(buckets).items():
            self._counts[bucket] += count
        self._sum += sum(values)

    def up_to(self, bound: float) -> int:
        """Return how many values were at most `bound`, one of the bounds."""
        return sum(self._counts[: bisect_left(self._bounds, bound) + 1])

    def add_to(self, family: HistogramMetricFamily, labels: Sequence[str]) -> None:
        """Add the histogram to `family` as the series of these labels."""
        edges = [*map(str, map(float, self._bounds)), "+Inf"]
        pairs = enumerate(zip(edges, accumulate(self._counts), strict=True))
        examples = self._exemplars
        buckets = [
            (*pair, examples[bucket]) if bucket in examples else pair
            for bucket, pair in pairs
        ]
        family.add_metric(labels, buckets, self._sum)


class Metrics(Collector):
    """Counts requests by protocol and code, texts, predicted labels, confidences."""

    def __init__(
        self,
        source: Source,
        scorer: Scorer,
        labels: Iterable[str],
        registry: CollectorRegistry,
        unsure_below: float = 0.0,
    ) -> None:
        """Register the series; every predicted label starts at zero.

        A confidence up to `unsure_below`, a multiple of 0.05, is unsure; 0: none is.
        """
        self._unsure_below = unsure_below
        self._scorer = scorer
        self._source = (source.model, source.version, source.revision)
        self._requests: Counter[tuple[str, str]] = Counter()
        self._seconds: dict[str, Distribution] = {}
        self._texts = Distribution(TEXTS)
        self._predicted = dict.fromkeys(labels, 0)
        self._confidence = Distribution(CONFIDENCES)
        registry.register(self)

    def observe_request(
        self, protocol: str, code: str, seconds: float, trace: str = ""
    ) -> None:
        """Count one answered request; `code` is an HTTP or a gRPC status."""
        self._requests[protocol, code] += 1
        if protocol not in self._seconds:
            self._seconds[protocol] = Distribution(SECONDS)
        self._seconds[protocol].observe(seconds, trace)

    def observe_predictions(self, predictions: Predictions) -> None:
        """Count the labels and confidences of one request's texts."""
        labels, confidences = predictions.labels, predictions.confidences
        self._texts.observe(len(labels))
        if len(labels) == 1:
            self._predicted[labels[0]] += 1
            self._confidence.observe(confidences[0])
            return
        for label, count in Counter(labels).items():
            self._predicted[label] += count
        self._confidence.observe_all(confidences)

    def requests_by_code(self) -> dict[str, int]:
        """Return the requests since the start by code, over all protocols."""
        totals: Counter[str] = Counter()
        for (_, code), count in list(self._requests.items()):
            totals[code] += count
        return dict(totals)

    def collect(self) -> Iterator[Metric]:
        """Yield the series, as a registry requires."""
        requests = CounterMetricFamily(
            "intent_requests",
            "Requests answered, also those that never reached the model.",
            labels=(*SOURCE, "protocol", "code"),
        )
        for key, count in list(self._requests.items()):
            requests.add_metric((*self._source, *key), count)
        seconds = HistogramMetricFamily(
            "intent_request_duration_seconds",
            "From the request's head to the last byte of its answer.",
            labels=(*SOURCE, "protocol"),
        )
        for protocol, distribution in list(self._seconds.items()):
            distribution.add_to(seconds, (*self._source, protocol))
        texts = HistogramMetricFamily(
            "intent_request_texts",
            "Texts in a request that reached the model.",
            labels=SOURCE,
        )
        self._texts.add_to(texts, self._source)
        predicted = CounterMetricFamily(
            "intent_predictions", "Texts by predicted label.", labels=(*SOURCE, "label")
        )
        for label, count in self._predicted.items():
            predicted.add_metric((*self._source, label), count)
        confidence = HistogramMetricFamily(
            "intent_confidence", "Probability of the predicted label.", labels=SOURCE
        )
        self._confidence.add_to(confidence, self._source)
        if self._unsure_below:
            unsure = CounterMetricFamily(
                "intent_unsure",
                "Texts whose confidence was at most the model's unsure_below.",
                labels=SOURCE,
            )
            count = self._confidence.up_to(self._unsure_below)
            unsure.add_metric(self._source, count)
            yield unsure
        cost = GaugeMetricFamily(
            "intent_text_cost_seconds",
            "Seconds for a short text, as measured when the model was loaded.",
            labels=(*SOURCE, "answered_by"),
        )
        cost.add_metric((*self._source, self._scorer.answered_by), self._scorer.text_s)
        yield from (requests, seconds, texts, predicted, confidence, cost)
