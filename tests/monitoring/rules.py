"""The shipped rules, and their tests by Prometheus's own program."""

import subprocess
from pathlib import Path
from typing import Any

import yaml

from scripts.local.processes import ROOT
from tests.support import debian

FOLDER = ROOT / "manifests" / "monitoring"
RULES: dict[str, Any] = yaml.safe_load((FOLDER / "rules.yaml").read_text())["spec"]
ALERTS: dict[str, dict[str, Any]] = {
    rule["alert"]: rule
    for group in RULES["groups"]
    for rule in group["rules"]
    if "alert" in rule
}


def plain(folder: Path) -> Path:
    """The rules as a Prometheus without the operator takes them."""
    path = folder / "rules.yaml"
    path.write_text(yaml.safe_dump(RULES))
    return path


def promtool(*args: str) -> tuple[int, str]:
    """Exit code and output of Debian's promtool."""
    program = debian.program("usr/bin/promtool", "prometheus")
    done = subprocess.run([str(program), *args], capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr
