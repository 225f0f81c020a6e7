"""The images of the end-to-end tests: both model versions, the promoter, bad canaries,
a pickle of one's own, and KServe's storage initializer with an S3 to read from.

python -m tests.e2e.images podman build: named as the manifests name them.
"""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import joblib

from scripts.local.processes import ROOT
from tests.faults import models
from tests.faults.pipelines import (
    CrashLooping,
    Failing,
    Healthy,
    Mistaken,
    NeverReady,
    OneClass,
    Slow,
)
from tests.support.dockerfile import STAGES, assemble
from tests.support.own_pipelines import german
from training.package import package

FAULTS = "intent-faults:e2e"
DOCKERFILE = """
FROM {base}
COPY tests tests
COPY models models
ENV TRUSTED_MODULES=tests.faults.pipelines
"""
STORAGE = "intent-storage:e2e"
# As KServe's storage initializer: the package, and of the clouds' libraries S3's.
STORAGE_DOCKERFILE = """
FROM python:3.11-slim AS storage
RUN pip install --no-cache-dir --no-deps --target /storage kserve-storage==0.20.0
RUN pip install --no-cache-dir --target /storage \\
      boto3==1.44.8 moto==5.2.5 flask==3.1.3 flask-cors==6.0.5
FROM {base}
ENV PYTHONPATH=/storage:/packages
COPY --from=storage /storage /storage
ENTRYPOINT ["python", "-c", \\
  "import sys, kserve_storage; kserve_storage.Storage.download(*sys.argv[1:])"]
"""
OWN = "own"


def build(builder: Sequence[str], prefix: str = "") -> list[str]:
    """Build all with a command such as `podman build`; their names."""
    return [first(builder, prefix), *others(builder, prefix)]


def first(builder: Sequence[str], prefix: str = "") -> str:
    """Build the one that others are built upon; a builder may install itself here."""
    return _predictor(builder, prefix, "v1", ROOT)


def others(builder: Sequence[str], prefix: str = "") -> list[str]:
    """Build the others, two at a time."""
    images: list[Callable[[], str]] = [
        partial(_promoter, builder, prefix),
        partial(_predictor, builder, prefix, "v2", ROOT),
        partial(_own, builder, prefix),
        partial(_upon_the_first, builder, prefix, FAULTS, _faults),
        partial(_upon_the_first, builder, prefix, STORAGE, _storage),
    ]
    with ThreadPoolExecutor(2) as pool:
        return [each.result() for each in [pool.submit(image) for image in images]]


def _predictor(builder: Sequence[str], prefix: str, version: str, context: Path) -> str:
    options = ["--target", "predictor", "--build-arg", f"MODEL={version}"]
    return _built(builder, f"{prefix}intent-classifier:{version}", context, *options)


def _promoter(builder: Sequence[str], prefix: str) -> str:
    return _built(
        builder, f"{prefix}intent-canary:latest", ROOT, "--target", "promoter"
    )


def _upon_the_first(
    builder: Sequence[str], prefix: str, name: str, prepare: Callable[[Path, str], None]
) -> str:
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder), f"{prefix}intent-classifier:v1")
        return _built(builder, prefix + name, Path(folder))


def _own(builder: Sequence[str], prefix: str) -> str:
    """What `make image` reads, and a stranger's pickle among its models."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for stage in STAGES:
            assemble(stage, folder)
        for file in ("Dockerfile", ".dockerignore"):
            shutil.copy(ROOT / file, folder / file)
        joblib.dump(german(), folder / "own.pkl")
        package(folder / "own.pkl", folder / "models" / OWN)
        return _predictor(builder, prefix, OWN, folder)


def _built(builder: Sequence[str], name: str, context: Path, *options: str) -> str:
    subprocess.run([*builder, "-q", *options, "-t", name, str(context)], check=True)
    return name


def _storage(folder: Path, base: str) -> None:
    (folder / "Dockerfile").write_text(STORAGE_DOCKERFILE.format(base=base))


def _faults(folder: Path, base: str) -> None:
    """One image with a model for each fault; arguments choose."""
    (folder / "Dockerfile").write_text(DOCKERFILE.format(base=base))
    (folder / "tests" / "faults").mkdir(parents=True)
    for name in ("__init__.py", "faults/__init__.py", "faults/pipelines.py"):
        shutil.copy(ROOT / "tests" / name, folder / "tests" / name)
    good = models.inner()
    for name, pipeline in {
        "failing": Failing(good, every=10),
        "broken": Failing(good, every=1),
        "slow": Slow(good),
        "one-class": OneClass(good),
        "never-ready": NeverReady(good),
        "crash-looping": CrashLooping(good),
        "mistaken": Mistaken(good, every=3),
        "altered": Healthy(good),
    }.items():
        (folder / "models").mkdir(exist_ok=True)
        models.write(folder / "models" / name, pipeline)
    with (folder / "models" / "altered" / "intent_model.pkl").open("ab") as file:
        file.write(b"one byte more")


if __name__ == "__main__":
    print("\n".join(build(sys.argv[1:], prefix="dev.local/")))
