"""The rollout that a verb is about."""

import argparse

from scripts.rollout import lint, wiring
from scripts.rollout.errors import RolloutError
from scripts.rollout.policy import Policy
from scripts.rollout.ports import Saved, Shared

Options = argparse.Namespace


def journal(options: Options) -> Shared:
    """Where it is written down."""
    key = f"{options.namespace}.{options.name}"
    return wiring.journal(options.dir, key, on_cluster=options.cluster)


def loaded(journal: Shared) -> Saved:
    """Its last commit. Raises RolloutError where there is none."""
    saved = journal.load()
    if saved is None:
        raise RolloutError(f"no rollout of {journal.name} in {journal}")
    return saved


def policy(saved: Saved) -> Policy:
    """The policy that it began with."""
    return lint.parse(saved.policy, "the rollout's policy")
