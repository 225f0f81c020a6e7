"""`lint`: check a policy file."""

import argparse

from scripts.rollout.cli.output import emit
from scripts.rollout.errors import Exit
from scripts.rollout.policy import reader


def run(options: argparse.Namespace) -> Exit:
    """Say every fault at once, or what the whole policy is, defaults and all."""
    policy = reader.read(options.file)
    content = policy.model_dump(mode="json", by_alias=True)
    emit(options, content, f"{options.file}: nothing to complain about")
    return Exit.PROMOTED
