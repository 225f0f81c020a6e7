"""Makes one observation: the split, the counters, requests of people and hooks."""

import itertools
from collections.abc import Sequence
from dataclasses import replace

from scripts.rollout.errors import ApiError, RemoteError, Unreachable
from scripts.rollout.journal.saved import Saved
from scripts.rollout.loop.world import World
from scripts.rollout.metrics import counters, edges, unwatched
from scripts.rollout.metrics.port import Metrics, Scraped
from scripts.rollout.metrics.windows import windows
from scripts.rollout.metrics.windows.windows import Bases
from scripts.rollout.policy.policy import Policy
from scripts.rollout.shadow import pairs
from scripts.rollout.shadow.pairs import Disagreements
from scripts.rollout.state.actions import Request
from scripts.rollout.state.observation import (
    Delta,
    Observation,
    PairedDelta,
    View,
    pods_of,
)
from scripts.rollout.traffic.port import Traffic


def look(
    policy: Policy, world: World, saved: Saved
) -> tuple[Observation, Bases, Disagreements]:
    """Return the observation, where the next windows begin, open disagreements."""
    arms = (saved.state.canary, saved.state.stable)
    found, scraped, trouble = _read(world, arms)
    now, delta, bases = world.now(), None, saved.bases
    if scraped is not None:
        is_split = saved.state.weight > 0
        read = windows.Look(
            scraped.reading, now, arms, saved.weighed, is_split, scraped.unread
        )
        delta, bases = windows.compared(policy, bases, read)
        is_in_force = saved.state.is_verified and is_split
        percent = saved.state.weight if is_in_force else None
        delta = replace(delta, percent=percent)
    requests = tuple(world.journal.requests(saved.requests))
    apart, beside = _beside(policy, world, saved, requests, found)
    seen = Observation(
        time=now,
        view=found,
        delta=delta,
        requests=requests,
        warmed=saved.warmed,
        history=_history(policy, world, saved) if saved.state.tick == 0 else (),
        answer=None if world.hooks is None else world.hooks.answer(),
        beside=beside,
        trouble="" if trouble is None else str(trouble),
        status=trouble.status if isinstance(trouble, ApiError) else 0,
        doubts=() if scraped is None else _doubts(policy, scraped, arms),
    )
    return seen, bases, apart


def _doubts(policy: Policy, scraped: Scraped, arms: tuple[str, str]) -> tuple[str, ...]:
    """Return what is no data, and what is not judged or otherwise than asked."""
    _, stable = arms
    missing = unwatched.told(policy, scraped, stable)
    found = edges.judged(policy, scraped.reading, arms)
    return (*scraped.doubts, *found, *missing)


def view(traffic: Traffic) -> View | RemoteError:
    """Return the traffic, or the error for which it cannot be read."""
    try:
        return traffic.observe()
    except RemoteError as error:
        return error


def _read(
    world: World, arms: Sequence[str]
) -> tuple[View | None, Scraped | None, RemoteError | None]:
    """Return traffic and counters, and the error of the one that cannot be read."""
    seen = view(world.traffic)
    scraped, trouble = None, None
    try:
        scraped = world.metrics.read(arms)
    except RemoteError as error:
        trouble = error
    if isinstance(seen, View):
        return seen, scraped, trouble
    return None, scraped, seen


def _beside(
    policy: Policy,
    world: World,
    saved: Saved,
    requests: Sequence[Request],
    routed: View | None,
) -> tuple[Disagreements, tuple[PairedDelta, ...]]:
    """Return the open disagreements, and the counts beside the users' requests."""
    canary, percent = saved.state.canary, saved.state.weight
    if routed is not None:
        percent = max(percent, routed.routed.get(canary, 0))
    apart, found = pairs.judge_disagreements(policy, saved.apart, requests)
    for each in world.pair_sources:
        taken = each.take(canary, saved.state.stable)
        if each.counts:
            apart = pairs.add_disagreements(apart, taken, percent)
        if taken:
            rows = pairs.count_pairs(policy, taken)
            found = (*found, PairedDelta(each.name, rows, each.counts))
    return apart, found


def _history(policy: Policy, world: World, saved: Saved) -> tuple[Delta, ...]:
    """Return the stable's earlier scrapes, if the source keeps any."""
    try:
        return past(policy, world.metrics, saved.state.stable)
    except Unreachable as error:
        world.say(f"no history: {error}")
        return ()


def past(policy: Policy, source: Metrics, stable: str) -> tuple[Delta, ...]:
    """Return the stable's earlier scrapes that the policy asks for.

    Empty if the source keeps none. Raises Unreachable.
    """
    if policy.dependence.cluster_size != "auto":
        return ()
    found = source.history(stable, policy.dependence.history, policy.interval_s)
    arms = ("", stable)
    deltas = [
        replace(
            counters.delta(policy, before, now, since=since, arms=arms),
            seconds=time - since,
        )
        for (since, before), (time, now) in itertools.pairwise(found)
    ]
    return _pooled(deltas)


def _pooled(deltas: Sequence[Delta]) -> tuple[Delta, ...]:
    """Keep the sums by pod in the last scrape alone: thousands are in one entry."""
    if not deltas:
        return ()
    *rest, last = [replace(each, pods={}) for each in deltas]
    return (*rest, replace(last, pods=pods_of(deltas)))
