"""The commands of manifests/vm's page, run as they stand in a copy of the checkout."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from scripts.local.processes import ROOT
from tests.support import documentation

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


def test_the_pages_commands_make_a_folder_and_check_it(clone: Path) -> None:
    (block,) = documentation.blocks(PAGE, "sh")
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze")
    path = f"{clone.parent / 'programs'}:{clone / '.venv/bin'}:{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", "-ec", block],
        cwd=clone,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    made = clone / "build" / "vm"
    assert list((made / "opt/intent").glob("intent_classifier-*.whl"))
    for version in ("v1", "v2"):
        assert "MODEL_SHA256=" in (made / f"etc/intent/{version}.env").read_text()
