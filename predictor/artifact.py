"""Reads, verifies and writes one model artifact: a folder with a pickle and its facts.

A pickle is loaded only after its digest is checked, and only with the scikit-learn
version that fitted it. It knows nothing of servers or protocols.
"""

import hashlib
import importlib.util
import io
import json
import math
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata as packages
from pathlib import Path
from types import ModuleType
from typing import Any

import joblib

from predictor.errors import ArtifactError, one_line
from predictor.facts import (
    METADATA_FILE,
    MODEL_FILE,
    MOST_METADATA,
    Metadata,
    Probe,
    read_file,
    read_metadata,
)
from predictor.unpickling import MOST_BYTES, NotAllowed, load

PROBE_TOLERANCE = 1e-9


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
    pickled: bytes | None = None,
    modules: Sequence[Path] = (),
    differs: str = "",
    unsure_below: float = 0.0,
) -> Metadata:
    """Write a fitted pipeline as the artifact of the version that `directory` names.

    `pickled` are its bytes where they are known; `modules` are copied beside them.
    """
    if pickled is None:
        buffer = io.BytesIO()
        joblib.dump(pipeline, buffer)
        pickled = buffer.getvalue()
    sources = {path.name: path.read_bytes() for path in modules}
    facts = Metadata(
        version=directory.name,
        sha256=_digest(pickled, *sources.values()),
        labels=tuple(str(label) for label in pipeline.classes_),
        packages=installed_packages(),
        probe=_answer(pipeline, probe_text),
        data_sha256=data_sha256,
        git_commit=git_commit,
        metrics=metrics,
        modules=tuple(sources),
        differs=differs,
        unsure_below=unsure_below,
    )
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in {MODEL_FILE: pickled, **sources}.items():
        (directory / name).write_bytes(content)
    text = json.dumps(asdict(facts), indent=2, ensure_ascii=False)
    (directory / METADATA_FILE).write_text(text + "\n", encoding="utf-8")
    return facts


def read(
    directory: Path, expected_sha256: str | None = None, trusted: Sequence[str] = ()
) -> Artifact:
    """Verify the artifact in `directory` and return it.

    `expected_sha256` is a digest known from elsewhere (a flag, a manifest); it is
    checked besides the one in the metadata, and vouches for the code in a pickle.
    Without it only what a text pipeline needs and what is of the `trusted` modules is
    unpickled. Raises ArtifactError.
    """
    facts = read_metadata(directory / METADATA_FILE)
    pickled = read_file(directory / MODEL_FILE, MOST_BYTES)
    sources = [read_file(directory / name, MOST_METADATA) for name in facts.modules]
    actual = _digest(pickled, *sources)
    _check_digest(directory, actual, facts.sha256, METADATA_FILE)
    is_pinned = expected_sha256 is not None
    if expected_sha256 is not None:
        _check_digest(directory, facts.sha256, expected_sha256.lower(), "model_sha256")
    _check_scikit_learn(directory, facts)
    if facts.modules and not is_pinned:
        raise ArtifactError(
            f"{directory}: brings code, {', '.join(facts.modules)}; if you know whose "
            f"it is, pin it: --model_sha256 {facts.sha256}"
        )
    for name in facts.modules:
        import_file(directory / name)
    pipeline = _unpickle(directory, pickled, is_pinned, trusted)
    _check_answers(directory, pipeline, facts)
    return Artifact(pipeline, facts)


def _digest(*contents: bytes) -> str:
    return hashlib.sha256(b"".join(contents)).hexdigest()


def import_file(path: Path) -> ModuleType:
    """Import one file under its own name, for a pickle that names it.

    Raises ArtifactError.
    """
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ArtifactError(f"{path}: expected a Python file, such as {path.stem}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise ArtifactError(
            f"{path}: cannot be imported: {type(error).__name__}: {one_line(error)}"
        ) from error
    return module


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


def _unpickle(
    directory: Path, pickled: bytes, is_pinned: bool, trusted: Sequence[str]
) -> Any:
    """Unpickle; without a digest from outside only what a text pipeline needs."""
    file = directory / MODEL_FILE
    try:
        if is_pinned:
            return joblib.load(io.BytesIO(pickled))
        return load(pickled, trusted)
    except NotAllowed as error:
        raise ArtifactError(
            f"{file}: not unpickled: {one_line(error)}; if you know whose it is, pin "
            f"it: --model_sha256 {_digest(pickled)}, or trust that module: "
            "--trusted_modules"
        ) from error
    except Exception as error:
        raise ArtifactError(
            f"{file}: cannot be unpickled: {type(error).__name__}: {one_line(error)}"
        ) from error


def _check_answers(directory: Path, pipeline: Any, facts: Metadata) -> None:
    try:
        labels = tuple(str(label) for label in pipeline.classes_)
        probe = _answer(pipeline, facts.probe.text)
    except Exception as error:
        raise ArtifactError(
            f"{directory / MODEL_FILE}: is not a fitted text classifier: "
            f"{type(error).__name__}: {one_line(error)}"
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
