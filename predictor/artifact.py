"""Reads, verifies and writes one model artifact: a folder with a pickle and its facts.

A pickle is loaded only after its digest is checked, and only with the scikit-learn
version that fitted it. It knows nothing of servers or protocols.
"""

import hashlib
import io
import json
import math
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import metadata as packages
from pathlib import Path
from typing import Any

import joblib

from predictor.errors import ArtifactError

MODEL_FILE = "intent_model.pkl"
METADATA_FILE = "metadata.json"
PROBE_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class Probe:
    """One text with the answer that the pipeline gave when it was fitted."""

    text: str
    label: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Metadata:
    """Facts about an artifact; `sha256` is the pickle's digest in hexadecimal."""

    version: str
    sha256: str
    labels: tuple[str, ...]
    packages: Mapping[str, str]
    probe: Probe
    data_sha256: str
    git_commit: str
    metrics: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Artifact:
    """A verified pipeline and its facts; labels are in the order of its columns."""

    pipeline: Any
    metadata: Metadata


def installed_packages() -> dict[str, str]:
    """Return the versions, in this process, of what a pickle depends on."""
    names = ("scikit-learn", "numpy", "joblib")
    return {"python": platform.python_version()} | {
        name: packages.version(name) for name in names
    }


def write(
    directory: Path,
    pipeline: Any,
    *,
    probe_text: str,
    data_sha256: str,
    git_commit: str,
    metrics: Mapping[str, Any],
) -> Metadata:
    """Write a fitted pipeline as the artifact of the version that `directory` names."""
    buffer = io.BytesIO()
    joblib.dump(pipeline, buffer)
    facts = Metadata(
        version=directory.name,
        sha256=_digest(buffer.getvalue()),
        labels=tuple(str(label) for label in pipeline.classes_),
        packages=installed_packages(),
        probe=_answer(pipeline, probe_text),
        data_sha256=data_sha256,
        git_commit=git_commit,
        metrics=metrics,
    )
    directory.mkdir(parents=True, exist_ok=True)
    (directory / MODEL_FILE).write_bytes(buffer.getvalue())
    text = json.dumps(asdict(facts), indent=2, ensure_ascii=False)
    (directory / METADATA_FILE).write_text(text + "\n", encoding="utf-8")
    return facts


def read(directory: Path, expected_sha256: str | None = None) -> Artifact:
    """Verify the artifact in `directory` and return it.

    `expected_sha256` is a digest known from elsewhere (a flag, a manifest); it is
    checked besides the one in the metadata. Raises ArtifactError.
    """
    facts = _read_metadata(directory / METADATA_FILE)
    pickled = _read_file(directory / MODEL_FILE)
    _check_digest(directory, _digest(pickled), facts.sha256, METADATA_FILE)
    if expected_sha256:
        _check_digest(directory, facts.sha256, expected_sha256.lower(), "model_sha256")
    _check_scikit_learn(directory, facts)
    pipeline = _unpickle(directory, pickled)
    _check_answers(directory, pipeline, facts)
    return Artifact(pipeline, facts)


def _read_file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ArtifactError(
            f"{path}: {error.strerror}; expected a model folder with {MODEL_FILE} and "
            f"{METADATA_FILE}, as `python -m training.train` writes it"
        ) from error


def _read_metadata(path: Path) -> Metadata:
    try:
        raw = json.loads(_read_file(path))
        raw["probe"] = Probe(**raw["probe"])
        raw["labels"] = tuple(raw["labels"])
        return Metadata(**raw)
    except (ValueError, TypeError, KeyError) as error:
        raise ArtifactError(f"{path}: not the metadata of a model: {error}") from error


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _check_digest(directory: Path, actual: str, expected: str, source: str) -> None:
    if actual != expected:
        raise ArtifactError(
            f"{directory / MODEL_FILE}: its sha256 is {actual}, {source} says "
            f"{expected}; not unpickled. Train again or fetch the artifact anew"
        )


def _check_scikit_learn(directory: Path, facts: Metadata) -> None:
    fitted = facts.packages.get("scikit-learn")
    running = packages.version("scikit-learn")
    if fitted != running:
        raise ArtifactError(
            f"{directory}: fitted with scikit-learn {fitted}, this process has "
            f"{running}; install {fitted} or train again"
        )


def _unpickle(directory: Path, pickled: bytes) -> Any:
    try:
        return joblib.load(io.BytesIO(pickled))
    except Exception as error:
        raise ArtifactError(
            f"{directory / MODEL_FILE}: cannot be unpickled: "
            f"{type(error).__name__}: {error}"
        ) from error


def _check_answers(directory: Path, pipeline: Any, facts: Metadata) -> None:
    try:
        labels = tuple(str(label) for label in pipeline.classes_)
        probe = _answer(pipeline, facts.probe.text)
    except Exception as error:
        raise ArtifactError(
            f"{directory / MODEL_FILE}: is not a fitted text classifier: "
            f"{type(error).__name__}: {error}"
        ) from error
    if labels != facts.labels:
        raise ArtifactError(
            f"{directory}: the pipeline's labels are {labels}, "
            f"{METADATA_FILE} says {facts.labels}"
        )
    same = math.isclose(
        probe.confidence, facts.probe.confidence, abs_tol=PROBE_TOLERANCE
    )
    if probe.label != facts.probe.label or not same:
        raise ArtifactError(
            f"{directory}: the probe text gives {probe.label} {probe.confidence:.9f}, "
            f"at training it gave {facts.probe.label} {facts.probe.confidence:.9f}"
        )


def _answer(pipeline: Any, text: str) -> Probe:
    probabilities = pipeline.predict_proba([text])[0]
    best = int(probabilities.argmax())
    return Probe(text, str(pipeline.classes_[best]), float(probabilities[best]))
