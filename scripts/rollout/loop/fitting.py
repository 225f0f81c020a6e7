"""Fits a policy to what is counted here, before its rollout begins.

An objective between no edges is refused. Of the metrics that the policy does not name,
the default ones, a gate that nobody feeds is left out: it could never open. What is
judged instead is written into the journal's policy, so that a restart and `replay` go
by the same metrics.
"""

import json
from collections.abc import Sequence

from scripts.rollout.errors import PolicyError, RemoteError
from scripts.rollout.loop.world import World
from scripts.rollout.metrics import edges, unwatched
from scripts.rollout.policy import reader
from scripts.rollout.policy.metric import Metric
from scripts.rollout.policy.policy import Policy

LEFT = "\n# Left of the default metrics: nobody counts the others here.\nmetrics: "


def fit(policy: Policy, text: str, world: World, arms: Sequence[str]) -> str:
    """Return the policy's text as its rollout goes by it. Raises PolicyError."""
    try:
        scraped = world.metrics.read(arms)
    except RemoteError:
        return text
    faults = edges.faults(policy, scraped.reading, arms)
    if faults:
        raise PolicyError("\n".join(faults))
    if "metrics" in policy.model_fields_set:
        return text
    gone = [
        each
        for each in policy.metrics
        if each.is_gate and unwatched.is_missing(each, scraped, arms[1])
    ]
    fitted = text + LEFT + _written([m for m in policy.metrics if m not in gone])
    if not gone or not is_fitted(fitted, text):
        return text
    for each in gone:
        what = unwatched.counted_as(each)
        world.say(
            f"{each.name}: nobody counts {what} here; not judged, and its gate is left "
            "out, because the policy names no metrics"
        )
    return fitted


def is_fitted(found: str, text: str) -> bool:
    """Return whether `found` is this policy's text as some rollout goes by it."""
    if not found.startswith(text + LEFT):
        return found == text
    try:
        reader.parse(found)
    except PolicyError:  # of a text to which no line can be added
        return False
    return True


def _written(metrics: Sequence[Metric]) -> str:
    kept = [
        each.model_dump(mode="json", by_alias=True, exclude_unset=True)
        for each in metrics
    ]
    return json.dumps(kept) + "\n"
