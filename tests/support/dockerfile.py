"""The Dockerfile's stages, and what each takes from this repository."""

import re
import shutil
from pathlib import Path

from scripts.local.processes import ROOT

TEXT = (ROOT / "Dockerfile").read_text()
STAGES = dict(re.findall(r"^FROM \S+ AS (\S+)\n((?:(?!FROM ).*\n)*)", TEXT, re.M))
# {name: default} of `ARG name=default`.
ARGUMENTS = dict(re.findall(r"^ARG (\w+)=(\S+)$", TEXT, re.MULTILINE))
COPY = re.compile(r"^COPY (?!--from)(.+) (\S+)$", re.MULTILINE)


def copied(stage: str) -> list[str]:
    """Files and folders that a stage takes, with the defaults of its arguments."""
    text = STAGES[stage]
    for name, value in ARGUMENTS.items():
        text = text.replace(f"${{{name}}}", value)
    return [source for line, _ in COPY.findall(text) for source in line.split()]


def assemble(stage: str, folder: Path) -> None:
    """Copy them there, as the image has them."""
    for name in copied(stage):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, target, ignore=ignored)
        else:
            shutil.copy2(ROOT / name, target)
