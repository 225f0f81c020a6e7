"""Environments without this checkout, made by uv, and the wheel that goes into them."""

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from scripts.local.processes import ROOT

SOURCES = ("pyproject.toml", "README.md", "LICENSE", "predictor", "scripts")
UV = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "cert": "SSL_CERT_FILE",
}


def _as_pip_is_told() -> dict[str, str]:
    """pip's own index, as variables: uv does not read pip's configuration."""
    listed = _done([sys.executable, "-m", "pip", "config", "list"], ROOT)
    told = {}
    lines = sorted(listed.splitlines(), key=lambda line: line.startswith(":env:"))
    for line in lines:
        name, _, value = line.partition("=")
        key = name.rpartition(".")[2]
        if key in UV:
            words = str(ast.literal_eval(value)).split()
            told[UV[key]] = ("," if key == "find-links" else " ").join(words)
    return told


def _done(command: list[str], cwd: Path, env: Mapping[str, str] | None = None) -> str:
    done = subprocess.run(
        command, cwd=cwd, env=env, capture_output=True, text=True, timeout=110
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _uv(*args: str, cwd: Path) -> None:
    uv = [sys.executable, "-m", "uv", *args, "-q"]
    _done(uv, cwd, {**_as_pip_is_told(), **os.environ})


def environment(folder: Path, *packages: str) -> Path:
    """A virtual environment with these packages alone; its folder of programs."""
    _uv("venv", "--python", sys.executable, "venv", cwd=folder)
    programs = folder / "venv" / "bin"
    python = ("--python", str(programs / "python"))
    _uv("pip", "install", *python, *packages, cwd=folder)
    return programs


def _alone(programs: Path) -> dict[str, str]:
    """Variables of a shell that knows the environment and not this checkout."""
    kept = {key: os.environ[key] for key in ("HOME", "LANG") if key in os.environ}
    return {**kept, "PATH": f"{programs}:/usr/bin:/bin"}


def run(
    programs: Path, command: list[str], cwd: Path, **env: str
) -> tuple[int, str, str]:
    """A program of an environment: exit code, standard output, standard error."""
    done = subprocess.run(
        [str(programs / command[0]), *command[1:]],
        cwd=cwd,
        env=_alone(programs) | env,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.returncode, done.stdout, done.stderr


def build(copy: Path) -> Path:
    """The wheel, built in a copy of the sources: a build leaves its folders there."""
    for name in SOURCES:
        source = ROOT / name
        ignored = shutil.ignore_patterns("__pycache__")
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=ignored)
        else:
            shutil.copy2(source, copy / name)
    here = ("--python", sys.executable)
    _uv("build", "--wheel", "--no-build-isolation", *here, "-o", "built", cwd=copy)
    (built,) = (copy / "built").glob("*.whl")
    return built
