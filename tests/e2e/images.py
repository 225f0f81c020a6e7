"""The images of the end-to-end tests: both model versions, the promoter, bad canaries.

python -m tests.e2e.images podman build: named as the manifests name them.
"""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

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

FAULTS = "intent-faults:e2e"
DOCKERFILE = """
FROM {base}
COPY tests tests
COPY models models
ENV TRUSTED_MODULES=tests.faults.pipelines
"""


def build(builder: Sequence[str], prefix: str = "") -> list[str]:
    """Build all with a command such as `podman build`; their names."""
    names = []
    for version in ("v1", "v2"):
        name = f"{prefix}intent-classifier:{version}"
        target = ["--target", "predictor", "--build-arg", f"MODEL={version}"]
        _run(*builder, "-q", *target, "-t", name, str(ROOT))
        names.append(name)
    promoter = f"{prefix}intent-canary:latest"
    _run(*builder, "-q", "--target", "promoter", "-t", promoter, str(ROOT))
    with tempfile.TemporaryDirectory() as folder:
        _faults(Path(folder), base=names[0])
        _run(*builder, "-q", "-t", prefix + FAULTS, folder)
    return [*names, promoter, prefix + FAULTS]


def _run(*command: str) -> None:
    subprocess.run(command, check=True)


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
