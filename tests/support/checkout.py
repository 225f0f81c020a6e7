"""A copy of this checkout, in which `make` may write."""

import os
import shutil
import subprocess
from pathlib import Path

from scripts.local.processes import ROOT
from tests.support import documentation


def copy(folder: Path) -> Path:
    """The tracked files, with this checkout's environment and models."""
    clone = folder / "a clone"
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, check=True).stdout
    for name in filter(None, names.decode().split("\0")):
        if (ROOT / name).is_file():
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, clone / name)
    shutil.copytree(ROOT / "models", clone / "models", copy_function=shutil.copyfile)
    (clone / ".venv").symlink_to(ROOT / ".venv")
    # A lock that is newer than the environment would have make clear it for everybody.
    os.utime(clone / "requirements.lock", (0, 0))
    documentation.install(folder / "programs", clone)
    return clone
