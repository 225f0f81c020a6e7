"""A rollout as people see it: its policy, its summary, whether anybody is at work."""

import time
from functools import lru_cache
from typing import Any

from scripts.rollout.errors import RemoteError
from scripts.rollout.journal.port import SharedJournal
from scripts.rollout.journal.saved import Saved
from scripts.rollout.policy import reader
from scripts.rollout.policy.policy import Policy
from scripts.rollout.report import summary


def policy_of(journal: SharedJournal, saved: Saved) -> Policy:
    """Return the policy with which a rollout began, in the namespace where it is."""
    return _policy(saved.policy, journal.name.partition(".")[0])


@lru_cache(maxsize=256)
def _policy(content: str, namespace: str) -> Policy:
    """Parse a policy once, however often its rollout is looked at."""
    return reader.placed(reader.parse(content, "the rollout's policy"), namespace)


def found(journal: SharedJournal, saved: Saved) -> dict[str, Any]:
    """Return the summary of a rollout now."""
    idle = idle_s(saved, is_at_work=is_at_work(journal, saved))
    return summary.summary(policy_of(journal, saved), saved, idle)


def idle_s(saved: Saved, *, is_at_work: bool) -> float | None:
    """Return the seconds since the last look, None if a promoter is at work."""
    return None if is_at_work else max(time.time() - saved.state.now, 0.0)


def is_at_work(journal: SharedJournal, saved: Saved) -> bool:
    """Return whether a promoter is at work, or none is needed any more."""
    if saved.state.is_over:
        return True
    try:
        return journal.is_locked()
    except RemoteError:  # whoever may read the journal may not read the Lease
        return True
