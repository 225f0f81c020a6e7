"""axe-core, which looks for what keeps people from reading a page; fetched by npm."""

import hashlib
import os
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from scripts.local.processes import ROOT
from tests.support.tab import Tab

PACKAGE = "axe-core@4.14.1"
SHA256 = "e6b0ce02b84d892e2e33e403485e7f3d6c29e2be6df65daf44d89ba564139745"
FOLDER = ROOT / ".cache" / "axe-core"
RUN = """
axe.run({ resultTypes: ["violations"] }).then((found) => found.violations.map(
  (each) => [each.id, each.help, each.nodes.map((node) => node.target.join(" "))]))
"""


def violations(tab: Tab) -> Any:
    """What axe-core finds on the page that a tab shows."""
    tab.run(f"{_script()}\n;0")
    return tab.run(RUN)


def _script() -> str:
    FOLDER.mkdir(parents=True, exist_ok=True)
    package = FOLDER / f"{PACKAGE.replace('@', '-')}.tgz"
    if not package.is_file() and not _fetch(package):
        missing = f"needs npm, and {PACKAGE} from its registry"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    assert hashlib.sha256(package.read_bytes()).hexdigest() == SHA256, package
    with tarfile.open(package) as files:
        script = files.extractfile("package/axe.min.js")
        assert script is not None
        return script.read().decode()


def _fetch(package: Path) -> bool:
    """Pack it below a name of this process, then move it: workers do not meet."""
    if shutil.which("npm") is None:
        return False
    folder = FOLDER / str(os.getpid())
    folder.mkdir(exist_ok=True)
    command = ["npm", "pack", "--silent", PACKAGE]
    done = subprocess.run(command, cwd=folder, capture_output=True, timeout=60)
    if done.returncode == 0:
        (folder / package.name).replace(package)
    return done.returncode == 0
