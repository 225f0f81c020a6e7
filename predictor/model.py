"""The kserve.Model of one artifact: V1 and V2 requests in, predictions out."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import kserve
from kserve import InferRequest, InferResponse
from prometheus_client import REGISTRY, CollectorRegistry

from predictor import artifact, scorer
from predictor.log import logger
from predictor.metrics import Metrics
from predictor.protocol import INPUT, Predictions, Source, texts_from_v1, v1_answer
from predictor.protocol_v2 import requested_outputs, texts_from_v2, v2_answer
from predictor.recorder import Recorder

INLINE_CHARACTERS = 10_240
TRAFFIC = "x-intent-traffic"
PROBES = (
    "",
    "Hello!",
    "where is my order, it isn't here yet?",
    "I do not like this AT ALL, but thank you so much :)",
    "\u00dcber-caf\u00e9 \u6771\u4eac \U0001f600 42\u00a0%",
)


def is_of_users(headers: Mapping[str, str]) -> bool:
    """Return whether a request is a user's, not the promoter's own."""
    return TRAFFIC not in headers


class IntentModel(kserve.Model):  # type: ignore[misc]  # published without types
    """Classifies texts with the pipeline of `directory`, on behalf of one revision."""

    def __init__(
        self,
        name: str,
        directory: Path,
        *,
        revision: str,
        expected_sha256: str | None = None,
        registry: CollectorRegistry = REGISTRY,
    ) -> None:
        """Name the model; `load` reads the artifact."""
        super().__init__(name)
        self._directory = directory
        self._revision = revision
        self._expected_sha256 = expected_sha256
        self._registry = registry
        self.recorder: Recorder | None = None

    def load(self) -> bool:
        """Verify and unpickle the artifact. Raises ArtifactError."""
        loaded = artifact.read(self._directory, self._expected_sha256)
        self._scores, self.is_compiled = _scores(loaded)
        self.labels = loaded.metadata.labels
        self.source = Source(self.name, loaded.metadata.version, self._revision)
        self.metrics = Metrics(self.source, self.labels, self._registry)
        self.ready = True
        return self.ready

    async def predict(
        self,
        payload: dict[str, Any] | InferRequest,
        headers: dict[str, str] | None = None,
    ) -> dict[str, Any] | InferResponse:
        """Answer a V1 body or a V2 request in its own form.

        Raises kserve's InvalidInput for a fault of the caller.
        """
        headers = headers or {}
        if isinstance(payload, InferRequest):
            requested_outputs(payload)
            texts, request = texts_from_v2(payload), payload.id or ""
            predictions = await self.classify(texts, request, is_of_users(headers))
            return v2_answer(payload, predictions, self.source)
        texts = texts_from_v1(payload)
        request = headers.get("x-request-id", "")
        return v1_answer(await self.classify(texts, request, is_of_users(headers)))

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
        self, texts: list[str], request: str, is_of_users: bool
    ) -> Predictions:
        """Classify short requests on the event loop, long ones on a thread.

        A hop to a thread costs 0.1 ms, ten times what v1 needs for a short text; a long
        batch on the event loop would starve the probes. INLINE_CHARACTERS are some 300
        sentences: 2 ms of v1, 25 ms of v2.
        """
        if sum(map(len, texts)) <= INLINE_CHARACTERS:
            return self.classify_now(texts, request, is_of_users)
        rows = await asyncio.to_thread(self._scores, texts)
        return self._observed(texts, rows, request, is_of_users)

    def classify_now(
        self, texts: list[str], request: str, is_of_users: bool
    ) -> Predictions:
        """Classify on the calling thread, the event loop's.

        `request` is the id under which a recorded text is lent; only users' requests
        are recorded and counted.
        """
        return self._observed(texts, self._scores(texts), request, is_of_users)

    def _observed(
        self, texts: list[str], rows: list[list[float]], request: str, is_of_users: bool
    ) -> Predictions:
        predictions = Predictions.of(self.labels, rows)
        if is_of_users:
            self.metrics.observe_predictions(predictions)
            if self.recorder is not None:
                self.recorder.offer(request, texts)
        return predictions


Scores = Callable[[Sequence[str]], list[list[float]]]


def _scores(loaded: artifact.Artifact) -> tuple[Scores, bool]:
    """Return a function from texts to class probabilities, and whether it is compiled.

    A pipeline that cannot be compiled, or whose compiled form answers differently, is
    used as it is.
    """
    pipeline, probes = loaded.pipeline, (*PROBES, loaded.metadata.probe.text)
    try:
        score = scorer.compile_pipeline(pipeline)
        reason = scorer.difference(score, pipeline, probes)
    except scorer.UnknownStep as step:
        reason = f"{step} is not compiled"
    if not reason:
        return lambda texts: [score(text) for text in texts], True
    start = time.perf_counter()
    pipeline.predict_proba([loaded.metadata.probe.text])
    fields = {"reason": reason, "ms_a_text": (time.perf_counter() - start) * 1000}
    logger.warning("the pipeline itself answers", extra={"fields": fields})
    return lambda texts: pipeline.predict_proba(texts).tolist(), False
