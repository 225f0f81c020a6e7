"""Which Python `make install` takes, on machines where a name need not run."""

import subprocess
import tomllib
from pathlib import Path

from scripts.local.processes import ROOT

SHIM = 'echo "pyenv: $0: command not found\\n\\nit exists in: 3.13.0" >&2; exit 127'
FAKES = {
    "python3.13": SHIM,
    "python3.12": "echo 12 /opt/3.12/python",
    "python3.11": "echo 11 /opt/3.11/python",
    "python3": "echo is Python 3.9 >&2; exit 1",
}


def _pythons(folder: Path, *present: str) -> tuple[int, str, str]:
    for name in present:
        (folder / name).write_text(f"#!/bin/sh\n{FAKES[name]}\n")
        (folder / name).chmod(0o755)
    done = subprocess.run(
        [ROOT / ".ci" / "pythons", *(folder / name for name in FAKES)],
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout, done.stderr


def test_make_takes_the_newest_python_that_runs(tmp_path: Path) -> None:
    code, said, _ = _pythons(tmp_path, *FAKES)
    assert (code, said) == (0, "/opt/3.12/python\n/opt/3.11/python\n")


def test_where_no_python_fits_make_names_what_it_found(tmp_path: Path) -> None:
    code, said, error = _pythons(tmp_path, "python3.13", "python3")
    assert (code, said) == (1, "")
    assert error.startswith("Python 3.11, 3.12 or 3.13 with venv is needed")
    assert "python3.13: pyenv: " in error
    assert "python3: is Python 3.9\n" in error
    assert "python3.12: " in error


def test_make_asks_for_the_pythons_that_the_package_allows() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == ">=3.11,<3.14"
    script = (ROOT / ".ci" / "pythons").read_text()
    assert "(3, 11) <= found < (3, 14)" in script
