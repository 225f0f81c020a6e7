"""What verbs print: plain text, or the same as JSON or YAML."""

import argparse
import json
from typing import Any

import yaml


def emit(options: argparse.Namespace, content: dict[str, Any], text: str) -> None:
    """Print one thing in the form that was asked for."""
    match options.output:
        case "json":
            print(json.dumps(content))
        case "yaml":
            print("---\n" + yaml.safe_dump(content, sort_keys=False), end="")
        case _ if text:
            print(text)
