"""The rollout that a verb is about."""

import argparse

from scripts.rollout import wiring
from scripts.rollout.errors import RolloutError
from scripts.rollout.journal.port import SharedJournal
from scripts.rollout.journal.saved import Saved
from scripts.rollout.policy import reader
from scripts.rollout.policy.policy import Policy
from scripts.rollout.traffic.port import Place

Options = argparse.Namespace


def journal(options: Options) -> SharedJournal:
    """Where it is written down."""
    key = f"{options.namespace}.{options.name}"
    return wiring.journal(Place(options.dir), key, on_cluster=options.cluster)


def loaded(journal: SharedJournal) -> Saved:
    """Its last commit. Raises RolloutError where there is none."""
    saved = journal.load()
    if saved is None:
        raise RolloutError(f"no rollout of {journal.name} in {journal}")
    return saved


def policy(saved: Saved) -> Policy:
    """The policy that it began with."""
    return reader.parse(saved.policy, "the rollout's policy")
