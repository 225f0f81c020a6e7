"""The shipped rules, and their tests by Prometheus's own program."""

import re
import subprocess
from pathlib import Path
from typing import Any

import yaml

from scripts.local.processes import ROOT
from tests.support import debian

FOLDER = ROOT / "manifests" / "monitoring"
RULES: dict[str, Any] = yaml.safe_load((FOLDER / "rules.yaml").read_text())["spec"]
# What a predictor counts as its own fault, as the rules say it.
OURS = ',code=~"5..|UNKNOWN|DEADLINE_EXCEEDED|INTERNAL|UNAVAILABLE|DATA_LOSS"'
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


def hastened(folder: Path) -> Path:
    """The same, but what has to last for a minute does for ten seconds."""
    path = plain(folder)
    path.write_text(path.read_text().replace("for: 1m\n", "for: 10s\n"))
    return path


def promtool(*args: str) -> tuple[int, str]:
    """Exit code and output of Debian's promtool."""
    program = debian.program("usr/bin/promtool", "prometheus")
    done = subprocess.run([str(program), *args], capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def served_names() -> set[str]:
    """The names of the series that promoters and predictors serve."""
    promoter = (ROOT / "scripts/rollout/report/exposed.py").read_text()
    predictor = (ROOT / "predictor/metrics.py").read_text()
    short = re.findall(r'"([a-z][a-z_]+)"', promoter)
    found = {f"intent_canary_{each.removesuffix('_total')}" for each in short}
    return found | set(re.findall(r'"(intent_[a-z_]+)"', predictor))
