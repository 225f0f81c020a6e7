"""Carries out the decided actions, and reads back what is in force."""

from typing import Any

from scripts.rollout.errors import RemoteError
from scripts.rollout.journal import codec
from scripts.rollout.loop import observe
from scripts.rollout.loop.world import World
from scripts.rollout.state.actions import Action, Consult, SetPercent, Warmed, WarmUp
from scripts.rollout.state.observation import View
from scripts.rollout.state.state import FULL, State

POLL_S = 0.1  # the interval at which traffic is read until the weight is in force
LONGEST_S = 10.0  # a weight that settles later is seen by the next looks


def do(
    world: World, action: Action, state: State
) -> tuple[dict[str, Any], Warmed | None]:
    """Carry out one action; return the journal's fields and the warm-up's result."""
    match action:
        case SetPercent(percent):
            return _set_percent(world, percent, state.canary), None
        case WarmUp():
            return _warm_up(world, action)
        case Consult():
            assert world.hooks is not None
            world.hooks.ask(action, state)
            return {}, None


def _warm_up(world: World, asked: WarmUp) -> tuple[dict[str, Any], Warmed | None]:
    try:
        warmed = world.traffic.warm_up(asked)
    except RemoteError as error:
        world.say(f"no warm-up: {error}")
        return {"failed": str(error)}, None
    return {"warmed": codec.encode(warmed)}, warmed


def _set_percent(world: World, percent: int | None, canary: str) -> dict[str, Any]:
    try:
        if percent is None:
            world.traffic.promote()
        else:
            world.traffic.set_weight(percent)
    except RemoteError as error:
        wish = "promotion" if percent is None else f"{percent} %"
        world.say(f"{wish} could not be asked for: {error}")
        return {"failed": str(error)}
    wanted = FULL if percent is None else percent
    view = observe.view(world.traffic)
    waits_s = world.settles_s if world.settles_s <= LONGEST_S else 0.0
    for _ in range(round(waits_s / POLL_S)):
        if isinstance(view, View) and view.routed.get(canary, 0) == wanted:
            break
        world.sleep(POLL_S)
        view = observe.view(world.traffic)
    return {"routed": dict(view.routed) if isinstance(view, View) else None}
