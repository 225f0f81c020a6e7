"""The locks for arm64: each package there by a hash that is locked.

Collected by `make homes` alone: it asks the package index.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.local.processes import ROOT
from tests.supply import sbom

pytestmark = pytest.mark.timeout(300)
# It has no wheel for arm64; the Dockerfile compiles it there.
COMPILED = "psutil"
# What a machine with a glibc of 2.28 takes.
TAGS = ("manylinux2014", *(f"manylinux_2_{each}" for each in (17, 24, 26, 27, 28)))
DRY = (
    *("install", "--dry-run", "--quiet", "--disable-pip-version-check", "--no-deps"),
    *("--require-hashes", "--only-binary", ":all:", "--python-version", "3.11"),
    *(f"--platform={each}_aarch64" for each in TAGS),
)


def _packages(part: str) -> list[str]:
    text = (ROOT / sbom.LOCKS[part]).read_text()
    return [each for each in re.split(r"\n(?=\S)", text) if sbom.PIN.match(each)]


def _resolved(folder: Path, packages: list[str]) -> tuple[int, str]:
    lock = folder / "requirements.lock"
    lock.write_text("\n".join(packages))
    where = ("--target", str(folder / "there"), "-r", str(lock))
    command = [sys.executable, "-m", "pip", *DRY, *where]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280)
    return done.returncode, done.stderr


@pytest.mark.parametrize("part", ["predictor", "promoter"])
def test_each_package_has_a_wheel_for_arm64_that_is_locked(
    part: str, tmp_path: Path
) -> None:
    packages = [each for each in _packages(part) if not each.startswith(COMPILED)]
    code, said = _resolved(tmp_path, packages)
    assert code == 0, said


def test_a_wheel_whose_hash_is_not_locked_is_not_taken(tmp_path: Path) -> None:
    (numpy,) = (each for each in _packages("predictor") if each.startswith("numpy=="))
    other = re.sub(r"sha256:[0-9a-f]{64}", f"sha256:{'0' * 64}", numpy)
    assert _resolved(tmp_path, [numpy])[0] == 0
    assert _resolved(tmp_path, [other])[0] != 0


def test_what_has_none_is_named_in_the_dockerfile(tmp_path: Path) -> None:
    (package,) = (e for e in _packages("predictor") if e.startswith(f"{COMPILED}=="))
    code, said = _resolved(tmp_path, [package])
    assert code != 0
    assert f"No matching distribution found for {COMPILED}==" in said
    assert f"# {COMPILED}, " in (ROOT / "Dockerfile").read_text()
