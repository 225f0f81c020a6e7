"""Writes faulty pipelines as model artifacts that a manifest can name."""

import sys
from pathlib import Path
from typing import Any

import joblib

from predictor import artifact
from tests.faults.pipelines import PROBE, Failing
from tests.support.predictors import MODELS


def inner() -> Any:
    """The good pipeline inside: v1's, which is fast."""
    return joblib.load(MODELS / "v1" / "intent_model.pkl")


def write(folder: Path, pipeline: Any) -> Path:
    """An artifact in `folder`, whose name is its version."""
    artifact.write(
        folder,
        pipeline,
        probe_text=PROBE,
        data_sha256="0" * 64,
        git_commit="tests",
        metrics={},
    )
    return folder


def main() -> None:
    """python -m tests.faults.models FOLDER: every tenth answer is a 500."""
    (folder,) = sys.argv[1:]
    write(Path(folder), Failing(inner(), every=10))


if __name__ == "__main__":
    main()
