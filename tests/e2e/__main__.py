"""Every end-to-end test on a cluster: python -m tests.e2e [CLUSTER].

CLUSTER is a folder with the commands status, up, run, load, image-build and down: the
cluster is started if it is down, and left as it was found. Without one, the cluster is
the one of KUBECONFIG, which has KServe and the images of `tests.e2e.images`.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from scripts.local.processes import ROOT
from tests.e2e import images
from tests.support import prometheus

PYTEST = (
    *(sys.executable, "-m", "pytest", "--backend", "cluster"),
    *("--timeout", "300", "--durations", "25"),
)
# They wait for controllers most of their time. In their order, or the files with few
# tests, and long ones, come last.
BESIDE = ("-n", "2", "--dist", "loadfile", "--no-loadscope-reorder")
# Of a cluster for half an hour: a quarter of its API server's work was collecting.
GARBAGE = {"GOGC": "400"}
RUNS = (
    (*PYTEST, *BESIDE, "-m", "not alone", "tests/contract", "tests/e2e"),
    (*PYTEST, "-m", "alone", "tests/e2e"),
)


def main() -> int:
    """Run; the exit code is 0 where every test has passed."""
    # The network of a cluster may have no way out to fetch it.
    if prometheus.find() is None:
        print("error: tests/e2e needs Debian's package prometheus", file=sys.stderr)
        return 2
    if not sys.argv[1:]:
        return _tests(())
    cluster = Path(sys.argv[1]).resolve()
    command = {name: str(cluster / name) for name in ("status", "up", "run", "down")}
    was_up = subprocess.run([command["status"]], capture_output=True).returncode == 0
    began = time.monotonic()
    builder = [str(cluster / "image-build")]
    try:
        # The first alone: it may install packages, as starting the cluster may.
        names = [images.first(builder)]
        with ThreadPoolExecutor(1) as pool:
            starting = pool.submit(
                subprocess.run, [command["up"]], env=os.environ | GARBAGE, check=True
            )
            names += images.others(builder)
            starting.result()
        _load(cluster, names)
        print(f"ready to test after {time.monotonic() - began:.0f} s", flush=True)
        return _tests([command["run"]])
    finally:
        if not was_up:
            subprocess.run([command["down"]], check=True)


def _load(cluster: Path, names: Sequence[str]) -> None:
    """All in one archive: they share most of their layers."""
    with tempfile.TemporaryDirectory() as folder:
        archive = str(Path(folder) / "images.tar")
        save = ["podman", "save", "-q", "--multi-image-archive", "-o", archive]
        subprocess.run([*save, *names], check=True)
        subprocess.run([str(cluster / "load"), archive], check=True)


def _tests(inside: Sequence[str]) -> int:
    codes = [subprocess.run([*inside, *run], cwd=ROOT).returncode for run in RUNS]
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
