"""Local mode as an installed command has it: begun in a folder that is no clone."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from scripts.local import processes
from scripts.local.background import SUPERVISOR
from scripts.local.processes import ROOT
from tests.support.predictors import MODELS
from tests.support.waiting import killed, until

V1 = str(ROOT / "manifests" / "isvc-v1.yaml")


def _local(cwd: Path, *args: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "scripts.local", *args],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _answers(port: int) -> bool:
    url = f"http://127.0.0.1:{port}/predict"
    try:
        return requests.post(url, json={"text": "hello"}, timeout=5).ok
    except requests.RequestException:
        return False


@pytest.fixture
def work(tmp_path: Path) -> Iterator[Path]:
    """A folder with a model, and with a package that is called as the predictor is."""
    folder = tmp_path / "work"
    shutil.copytree(MODELS / "v1", folder / "models" / "v1")
    (folder / "predictor").mkdir()
    (folder / "predictor" / "__main__.py").write_text("raise SystemExit('a stranger')")
    yield folder
    _local(folder, "down")


def test_relative_paths_begin_where_it_was_first_applied(
    work: Path, tmp_path: Path
) -> None:
    (port,) = processes.free_ports(1)
    _local(work, "apply", "-f", V1, "--port", str(port))
    assert _answers(port)
    children = processes.find(work / ".local")
    assert SUPERVISOR in [child.role for child in children]
    for child in children:
        killed(child)
    _local(tmp_path, "--dir", str(work / ".local"), "get")
    until(lambda: _answers(port))
