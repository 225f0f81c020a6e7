"""make bundle: installed and run in a network namespace without any way out.

Collected by `make homes` alone: it downloads all wheels, and installs them twice.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.local.processes import ROOT

pytestmark = pytest.mark.timeout(900)
BUNDLE = ROOT / ".ci" / "bundle"
# Only loopback is there, and it is down before this.
INSIDE = ("unshare", "--map-root-user", "--net", "bash", "-euo", "pipefail", "-c")
PROMOTER = "localhost/intent-canary:latest"
ASKED = """
ip link set lo up
predictor-env/bin/python -m predictor --model_name=intent --model_dir=models/v1 \\
  --http_port=18080 --grpc_port=18081 >predictor.log 2>&1 & server=$!
curl -s --retry 60 --retry-connrefused --retry-delay 1 127.0.0.1:18080/predict \\
  -d '{"text": "where is my order?"}'
kill $server
"""
OTHER = """
python3 -m venv other
other/bin/pip --disable-pip-version-check install --quiet --no-index \\
  --find-links wheels --require-hashes -r requirements-promoter.lock
"""
REPLAY = "intent/bin/intent-canary replay worse.csv --policy policy.yaml"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder, moved to where nothing of the clone is."""
    folder = tmp_path_factory.mktemp("offline") / "bundle"
    subprocess.run([BUNDLE, folder], check=True, cwd=ROOT)
    yield folder
    shutil.rmtree(folder)


def _inside(folder: Path, script: str) -> tuple[int, str]:
    done = subprocess.run(
        [*INSIDE, script],
        cwd=folder,
        env={**os.environ, "PIP_NO_COMPILE": "1"},  # byte code comes when it runs
        capture_output=True,
        text=True,
        timeout=600,
    )
    return done.returncode, done.stdout + done.stderr


def test_there_is_no_way_out(bundle: Path) -> None:
    code, said = _inside(bundle, "curl -sS --max-time 5 https://1.1.1.1")
    assert code != 0
    assert "Couldn't connect" in said or "unreachable" in said or "connect" in said


def test_its_readmes_commands_install_and_run_everything(bundle: Path) -> None:
    readme = (bundle / "README.md").read_text()
    blocks = re.findall(r"^```sh\n(.*?)^```$", readme, re.M | re.S)
    assert len(blocks) == 2
    for block in blocks:
        code, said = _inside(bundle, block)
        assert code == 0, said
    for name in ("worse.csv", "policy.yaml"):
        shutil.copy(ROOT / "docs" / "examples" / name, bundle)
    code, said = _inside(bundle, REPLAY)
    assert code == 10, said
    code, said = _inside(bundle, ASKED)
    assert code == 0, said
    assert '"intent":"question"' in said


def test_a_byte_that_is_not_the_locked_one_is_not_installed(bundle: Path) -> None:
    (wheel,) = (bundle / "wheels").glob("rich-*.whl")
    before = wheel.read_bytes()
    wheel.write_bytes(before + b"x")
    try:
        code, said = _inside(bundle, OTHER)
        assert code != 0
        assert "DO NOT MATCH THE HASHES" in said
        assert _inside(bundle, "sha256sum --quiet --check SHA256SUMS")[0] != 0
    finally:
        wheel.write_bytes(before)


def test_an_image_in_it_is_loaded_where_there_is_none_and_starts() -> None:
    """Needs the promoter's image, which `make image-promoter` builds.

    It starts in a root and a network of its own, by its own entry point, as where no
    container may be made. On a cluster without a registry tests/e2e start it.
    """
    podman = shutil.which("podman")
    if podman is None or _ran(podman, "image", "exists", PROMOTER).returncode:
        pytest.skip(f"needs {PROMOTER}")
    # A store of its own; podman takes no longer name for one.
    with tempfile.TemporaryDirectory(dir="/tmp", ignore_cleanup_errors=True) as place:
        file = f"{place}/image.tar"
        saved = _ran(podman, "save", "-q", "-o", file, PROMOTER)
        assert saved.returncode == 0, saved.stderr
        store = ("--root", f"{place}/root", "--runroot", f"{place}/run")
        try:
            loaded = _ran(podman, *store, "load", "-q", "-i", file)
            assert loaded.returncode == 0, loaded.stderr
            named = ("image", "inspect", "--format", "{{.Id}}", PROMOTER)
            before, after = _ran(podman, *named), _ran(podman, *store, *named)
            assert after.stdout == before.stdout != ""
            root = _ran(podman, *store, "image", "mount", PROMOTER).stdout.strip()
            shown = _ran(podman, *store, "image", "inspect", PROMOTER).stdout
            config = json.loads(shown)[0]["Config"]
            program = [*config["Entrypoint"], "lint", "--help"]
            within = ("unshare", "--net", "env", "-i", *config["Env"], "chroot", root)
            enter = f"cd {config['WorkingDir']} && exec {shlex.join(program)}"
            started = _ran(*within, "sh", "-c", enter)
            assert started.returncode == 0, started.stderr
            assert "lint" in started.stdout
        finally:
            _ran(podman, *store, "image", "umount", "--all")
            _ran(podman, *store, "rmi", "--all", "--force")


def _ran(*command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, capture_output=True, text=True)
