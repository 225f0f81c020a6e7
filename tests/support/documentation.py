"""The pages for people: README and docs/, their commands, the programs these name."""

import re
import tomllib
from pathlib import Path

from scripts.local.processes import ROOT

# README begins what the next pages go on with; the last one ends every process.
FIRST, LAST = ("README.md", "docs/operate.md", "docs/serving.md"), "docs/local.md"
# As pip writes a program of `[project.scripts]`, where the path may have a space in it.
PROGRAM = """\
#!/bin/sh
'''exec' "{python}" "$0" "$@"
' '''
import sys
sys.path.insert(0, {checkout!r})
from {module} import {function}
sys.exit({function}())
"""


def names() -> list[str]:
    """Every page, in the order in which their commands can be run."""
    found = sorted(str(each.relative_to(ROOT)) for each in ROOT.glob("docs/*.md"))
    return [*FIRST, *(each for each in found if each not in (*FIRST, LAST)), LAST]


def text(name: str) -> str:
    """A page."""
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(name: str, language: str) -> list[str]:
    """A page's blocks of code: `sh` is run as it stands, `console` is shown."""
    fence = rf"^```{language}\n(.*?)^```$"
    return re.findall(fence, text(name), re.MULTILINE | re.DOTALL)


def commands(name: str) -> list[str]:
    """A page's commands, without their comments."""
    lines = [line for block in blocks(name, "sh") for line in block.splitlines()]
    return [line.partition("  #")[0].strip() for line in lines]


def install(folder: Path, checkout: Path) -> None:
    """Write the programs of `pip install` into `folder`, for the code of `checkout`."""
    project = tomllib.loads((checkout / "pyproject.toml").read_text(encoding="utf-8"))
    folder.mkdir()
    for name, entry in project["project"]["scripts"].items():
        module, _, function = entry.partition(":")
        program = PROGRAM.format(
            python=checkout / ".venv" / "bin" / "python",
            checkout=str(checkout),
            module=module,
            function=function,
        )
        (folder / name).write_text(program, encoding="utf-8")
        (folder / name).chmod(0o755)
