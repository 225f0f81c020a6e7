"""What verbs read and print: lines; plain text, or the same as JSON or YAML."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import yaml

from scripts.rollout.errors import RolloutError


def emit(options: argparse.Namespace, content: dict[str, Any], text: str) -> None:
    """Print one thing in the form that was asked for."""
    match options.output:
        case "json":
            print(json.dumps(content))
        case "yaml":
            print("---\n" + yaml.safe_dump(content, sort_keys=False), end="")
        case _ if text:
            print(text)


def lines_of(file: str) -> list[str]:
    """The lines of a file, "-" is standard input. Raises RolloutError."""
    try:
        if file == "-":
            return sys.stdin.read().splitlines()
        return Path(file).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise RolloutError(f"{file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise RolloutError(f"{file}: not UTF-8 text") from error
