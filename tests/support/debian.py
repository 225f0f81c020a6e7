"""Programs of Debian packages: installed, or unpacked below .cache without root."""

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from scripts.local.processes import ROOT

CACHE = ROOT / ".cache"
# Finds the libraries beside the program that were unpacked with it.
WRAPPER = """\
#!/bin/sh
LD_LIBRARY_PATH={root}/usr/lib/{machine}-linux-gnu exec {program} "$@"
"""


def program(path: str, *packages: str) -> Path:
    """The program at `path`, such as usr/sbin/haproxy, of these packages.

    Fails in CI where it cannot be had: what is skipped has not passed.
    """
    found = find(path, *packages)
    if found is None:
        missing = f"needs Debian's package {packages[0]}"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    return found


def find(path: str, *packages: str) -> Path | None:
    """This machine's program or that of the packages, None where there is neither."""
    name = Path(path).name
    places = f"{os.environ['PATH']}:/usr/sbin"
    installed = shutil.which(name, path=places)
    if installed is not None:
        return Path(installed)
    folder = CACHE / packages[0]
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:  # pytest's workers fetch it once
        fcntl.flock(lock, fcntl.LOCK_EX)
        is_here = (folder / path).exists() or (
            shutil.which("apt-get") is not None and _fetch(folder, packages)
        )
        return _wrapped(folder, path) if is_here else None


def _fetch(folder: Path, packages: tuple[str, ...]) -> bool:
    """Unpack the packages, which needs no root; False where they cannot be had."""
    if not _apt(folder, "download", *packages):
        _apt(folder, "update")
        if not _apt(folder, "download", *packages):
            return False
    for package in folder.glob("*.deb"):
        subprocess.run(["dpkg", "-x", package.name, "."], cwd=folder, check=True)
        package.unlink()
    return True


def _apt(folder: Path, *args: str) -> bool:
    command = ["apt-get", "-q", *args]
    return subprocess.run(command, cwd=folder, capture_output=True).returncode == 0


def _wrapped(folder: Path, path: str) -> Path:
    found = folder / Path(path).name
    machine = os.uname().machine
    text = WRAPPER.format(root=folder, machine=machine, program=folder / path)
    if not found.exists() or found.read_text() != text:
        found.write_text(text)
        found.chmod(0o755)
    return found
