"""The commands of manifests/vm's page and the demo of this home, in a copy."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from scripts.local.processes import ROOT, find, free_ports
from tests.support import documentation
from tests.support.vm import haproxy

PAGE = "manifests/vm/README.md"

pytestmark = pytest.mark.timeout(480)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The tracked files, with this checkout's environment and models."""
    copy = tmp_path / "a clone"
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, check=True).stdout
    for name in filter(None, names.decode().split("\0")):
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)
    shutil.copytree(ROOT / "models", copy / "models", copy_function=shutil.copyfile)
    (copy / ".venv").symlink_to(ROOT / ".venv")
    # A lock that is newer than the environment would have make clear it for everybody.
    os.utime(copy / "requirements.lock", (0, 0))
    documentation.install(tmp_path / "programs", copy)
    return copy


def _sh(clone: Path, block: str) -> tuple[int, str]:
    """Run commands there, with the programs of `pip install` and HAProxy's."""
    places = [clone.parent / "programs", clone / ".venv/bin", haproxy().parent]
    done = subprocess.run(
        ["sh", "-ec", block],
        cwd=clone,
        env={**os.environ, "PATH": ":".join([*map(str, places), os.environ["PATH"]])},
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout + done.stderr


def test_the_pages_commands_make_a_folder_and_check_it(clone: Path) -> None:
    (block,) = documentation.blocks(PAGE, "sh")
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze")
    code, said = _sh(clone, block)
    assert code == 0, said
    made = clone / "build" / "vm"
    assert list((made / "opt/intent").glob("intent_classifier-*.whl"))
    for version in ("v1", "v2"):
        assert "MODEL_SHA256=" in (made / f"etc/intent/{version}.env").read_text()


def test_the_demo_shows_a_promotion_and_a_rollback(clone: Path) -> None:
    (port,) = free_ports(1)
    code, said = _sh(clone, f"make demo BACKEND=haproxy PORT={port}")
    assert code == 0, said
    reports = [f"demo-{each}.html" for each in ("promoted", "rolled-back")]
    assert [name for name in reports if not (clone / ".local" / name).exists()] == []
    assert find(clone / ".local") == []
