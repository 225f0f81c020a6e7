"""Writes the journal, and says what a rollout without one has left."""

from typing import Any

from scripts.rollout.errors import Forbidden, Gone, NotFound, Unreachable
from scripts.rollout.journal.saved import Saved
from scripts.rollout.loop import observe
from scripts.rollout.loop.world import World
from scripts.rollout.policy.policy import Policy

# The longest delay until a person's request is read or a weight in force is noticed.
SETTLE_S = 0.5
GONE_LOOKS = 20  # ten seconds, within which a deletion usually is done


def commit(
    world: World,
    policy: Policy,
    saved: Saved,
    kind: str,
    body: dict[str, Any],
    percent: int,
) -> Saved:
    """Retry until the journal is written. Raises Gone, and RolloutError at the begin.

    A right that was revoked may be granted again. One that is missing at the beginning
    ends the run: no traffic was moved yet. `percent` is the canary's traffic.
    """
    said = ""
    while True:
        try:
            return world.journal.commit(saved, kind, body)
        except NotFound as error:
            raise _gone(world, policy, saved, percent, error) from error
        except (Unreachable, Forbidden) as error:
            if isinstance(error, Forbidden) and kind == "begin":
                raise
            if str(error) != said:
                stays = f"traffic stays at {percent} %"
                world.say(f"waiting for the journal, {stays}: {error}")
            said = str(error)
        world.sleep(SETTLE_S)


def _gone(
    world: World, policy: Policy, saved: Saved, percent: int, error: NotFound
) -> Gone:
    """Return what was deleted, and what traffic that left.

    A target that is being deleted may outlive the objects that it owns.
    """
    what = f"{policy.target.kind} {policy.key}"
    for _ in range(GONE_LOOKS):
        if isinstance(observe.view(world.traffic), NotFound):
            return Gone(f"{what} was deleted: {saved.state.canary} has no traffic left")
        world.sleep(SETTLE_S)
    return Gone(
        f"the journal was deleted, and {what} was not: {saved.state.canary} keeps "
        f"{percent} %, and nobody watches it; run begins anew at 0 % ({error})"
    )
