"""The rollout that a verb is about."""

import argparse

from scripts.rollout import lint
from scripts.rollout.errors import RolloutError
from scripts.rollout.journal import Journal
from scripts.rollout.policy import Policy
from scripts.rollout.ports import Saved

Options = argparse.Namespace


def journal(options: Options) -> Journal:
    """Where it is written down."""
    return Journal.of(options.dir, f"{options.namespace}.{options.name}")


def loaded(journal: Journal) -> Saved:
    """Its last commit. Raises RolloutError where there is none."""
    saved = journal.load()
    if saved is None:
        raise RolloutError(f"no rollout of {journal.folder.name} in {journal.folder}")
    return saved


def policy(saved: Saved) -> Policy:
    """The policy that it began with."""
    return lint.parse(saved.policy, "the rollout's policy")
