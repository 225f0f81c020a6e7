"""The kserve.Model of one artifact: V1 and V2 requests in, predictions out."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import kserve
from kserve import InferRequest, InferResponse
from prometheus_client import REGISTRY, CollectorRegistry

from predictor import artifact, compiled, tracing
from predictor.log import logger
from predictor.metrics import Metrics
from predictor.overload.work import Work
from predictor.protocol import (
    INPUT,
    Predictions,
    Source,
    texts_from_v1,
    v1_answer,
    v1_sent,
)
from predictor.protocol_v2 import requested_outputs, texts_from_v2, v2_answer
from predictor.recorder import Form, Origin, Protocol, Recorder
from predictor.scorer import scorer

TRAFFIC = "x-intent-traffic"
# Written by our routes over whatever a caller sent: which of them the request came by.
PROTOCOL = "x-intent-protocol"
JSON_LENGTH = "inference-header-content-length"


def is_of_users(headers: Mapping[str, str]) -> bool:
    """Return whether a request is a user's, not the promoter's own."""
    return TRAFFIC not in headers


def is_cloud_event(headers: Mapping[str, str]) -> bool:
    """Return whether a V1 request is a CloudEvent, in its headers or as a whole."""
    kind = headers.get("content-type", "")
    return "cloudevents" in kind or "ce-specversion" in headers


class IntentModel(kserve.Model):  # type: ignore[misc]  # published without types
    """Classifies texts with the pipeline of `directory`, on behalf of one revision."""

    def __init__(
        self,
        name: str,
        directory: Path,
        *,
        revision: str,
        expected_sha256: str | None = None,
        trusted: Sequence[str] = (),
        registry: CollectorRegistry = REGISTRY,
    ) -> None:
        """Name the model; `load` reads the artifact."""
        super().__init__(name)
        self._directory = directory
        self._revision = revision
        self._expected_sha256, self._trusted = expected_sha256, trusted
        self._registry = registry
        self.recorder: Recorder | None = None

    def load(self) -> bool:
        """Verify and unpickle the artifact. Raises ArtifactError."""
        loaded = artifact.read(self._directory, self._expected_sha256, self._trusted)
        facts = loaded.metadata
        probes = [*compiled.probes(loaded.pipeline), facts.probe.text]
        self.scorer = scorer(loaded.pipeline, probes, facts.differs)
        if self.scorer.reason:
            cost = {"ms_a_text": self.scorer.text_s * 1000}
            fields = {"reason": self.scorer.reason, **cost}
            logger.warning("the pipeline itself answers", extra={"fields": fields})
        self.work = Work(self.scorer)
        self.labels, self.sha256 = facts.labels, facts.sha256
        self.source = Source(self.name, facts.version, self._revision)
        self.metrics = Metrics(
            self.source, self.scorer, self.labels, self._registry, facts.unsure_below
        )
        self.ready = True
        return self.ready

    async def predict(
        self,
        payload: dict[str, Any] | InferRequest,
        headers: dict[str, str] | None = None,
    ) -> dict[str, Any] | InferResponse:
        """Answer a V1 body or a V2 request in its own form.

        Of V1's, what our own route sends as JSON may be JSON already: `v1_sent`.
        Raises kserve's InvalidInput for a fault of the caller.
        """
        headers = headers or {}
        if isinstance(payload, InferRequest):
            with tracing.span("decode"):
                requested_outputs(payload)
                texts = texts_from_v2(payload)
            origin = _origin_of_v2(payload, headers)
            found = await self.classify(texts, origin, is_of_users(headers))
            with tracing.span("encode"):
                return v2_answer(payload, found, self.source)
        with tracing.span("decode"):
            texts = texts_from_v1(payload)
        origin = _origin_of_v1(headers)
        found = await self.classify(texts, origin, is_of_users(headers))
        is_sent = headers.get(PROTOCOL) == "v1" and origin.form == "plain"
        with tracing.span("encode"):
            return v1_sent(found) if is_sent else v1_answer(found)

    def get_input_types(self) -> list[dict[str, Any]]:
        """Return V2 metadata of the one input: any number of texts."""
        return [{"name": INPUT, "datatype": "BYTES", "shape": [-1]}]

    def get_output_types(self) -> list[dict[str, Any]]:
        """Return V2 metadata of the outputs; `probabilities` are in class order."""
        return [
            {"name": "label", "datatype": "BYTES", "shape": [-1]},
            {"name": "confidence", "datatype": "FP32", "shape": [-1]},
            {
                "name": "probabilities",
                "datatype": "FP32",
                "shape": [-1, len(self.labels)],
            },
        ]

    async def classify(
        self, texts: list[str], origin: Origin, is_of_users: bool
    ) -> Predictions:
        """Classify what is short on the event loop, the rest on a thread.

        Raises BusyError where too much waits for that thread.
        """
        self.record(texts, origin, is_of_users)
        with tracing.span("classify", texts=len(texts)):
            if self.scorer.is_short(texts):
                return self.classify_now(texts, is_of_users)
            return self._observed(await self.work.rows(texts), is_of_users)

    def classify_now(self, texts: list[str], is_of_users: bool) -> Predictions:
        """Classify on the calling thread, the event loop's; users' are counted."""
        return self._observed(self.scorer.rows(texts), is_of_users)

    def record(self, texts: list[str], origin: Origin, is_of_users: bool) -> None:
        """Offer a user's request for lending, whatever becomes of it.

        A request on which this model fails is lent as any other: without them, pairs
        would be chosen by the answers of the arm that lends them.
        """
        if is_of_users and self.recorder is not None:
            self.recorder.offer(origin, texts)

    def _observed(self, rows: list[list[float]], is_of_users: bool) -> Predictions:
        predictions = Predictions.of(self.labels, rows)
        if is_of_users:
            self.metrics.observe_predictions(predictions)
        return predictions


def _origin_of_v1(headers: Mapping[str, str]) -> Origin:
    protocol: Protocol = "predict" if headers.get(PROTOCOL) == "predict" else "v1"
    form: Form = "event" if is_cloud_event(headers) and protocol == "v1" else "plain"
    return Origin(headers.get("x-request-id", ""), protocol, form)


def _origin_of_v2(request: InferRequest, headers: Mapping[str, str]) -> Origin:
    protocol: Protocol = "grpc" if request.from_grpc else "v2"
    is_raw = request.from_grpc and not request.inputs[0].data
    is_binary = is_raw or JSON_LENGTH in headers
    return Origin(request.id or "", protocol, "binary" if is_binary else "plain")
