"""Does what was decided, and reads back what is in force."""

from typing import Any

from scripts.rollout import codec
from scripts.rollout.errors import Unreachable
from scripts.rollout.look import ALL
from scripts.rollout.ports import World
from scripts.rollout.state import Action, SetPercent, WarmUp

READ_BACK_S, POLL_S = 5.0, 0.1


def do(world: World, action: Action, canary: str) -> dict[str, Any]:
    """What is to be written down of it; a warm-up's outcome under `warmed`."""
    match action:
        case SetPercent(percent):
            return _set_percent(world, percent, canary)
        case WarmUp(requests):
            return _warm_up(world, requests)


def _warm_up(world: World, requests: int) -> dict[str, Any]:
    try:
        return {"warmed": codec.encode(world.traffic.warm_up(requests))}
    except Unreachable as error:
        world.say(f"no warm-up: {error}")
        return {"failed": str(error)}


def _set_percent(world: World, percent: int | None, canary: str) -> dict[str, Any]:
    try:
        world.traffic.set_percent(percent)
    except Unreachable as error:
        world.say(f"percent {percent} could not be set: {error}")
        return {"failed": str(error)}
    wanted = ALL if percent is None else percent
    view = world.traffic.observe()
    for _ in range(round(READ_BACK_S / POLL_S)):
        if view is not None and view.routed.get(canary, 0) == wanted:
            break
        world.sleep(POLL_S)
        view = world.traffic.observe()
    return {"routed": dict(view.routed) if view else None}
