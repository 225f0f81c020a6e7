"""KServe's and Knative's rules for revisions and traffic, as one pure function.

It follows KServe 0.20's ksvc_reconciler.go and inference_service_status.go, and
Knative's Configuration and Route: from a template, a percent and the ready revisions
to the next state. No processes, no files, no clock.
"""

from collections.abc import Set
from dataclasses import dataclass, replace
from typing import Any

LATEST, PREV = "latest", "prev"


@dataclass(frozen=True, slots=True)
class Revision:
    """An immutable copy of a template under a name that is never used again."""

    name: str
    template: dict[str, Any]
    was_ready: bool = False


@dataclass(frozen=True, slots=True)
class Target:
    """A share of the traffic, for the newest ready revision or for a named one."""

    percent: int
    revision: str
    is_latest: bool
    tag: str | None = None


@dataclass(frozen=True, slots=True)
class State:
    """An InferenceService's revisions and traffic.

    `asked` is the split that KServe wrote into the Knative Service, `routed` the split
    in force with every name resolved. `generation` is the Knative Service's.
    """

    revisions: tuple[Revision, ...] = ()
    latest_created: str = ""
    latest_ready: str = ""
    latest_rolledout: str = ""
    previous_rolledout: str = ""
    asked: tuple[Target, ...] = ()
    routed: tuple[Target, ...] = ()
    generation: int = 0

    def routed_percent(self, revision: str) -> int:
        """Return the percent of the traffic that a revision gets now."""
        return sum(t.percent for t in self.routed if t.revision == revision)


@dataclass(frozen=True, slots=True)
class Wish:
    """The part of a manifest that the rules read."""

    service: str
    template: dict[str, Any]
    percent: int | None
    has_tags: bool


def settle(state: State, wish: Wish, ready: Set[str]) -> State:
    """Reconcile until nothing changes; `ready` names the revisions that can answer.

    Traffic never moves to a revision that cannot answer: Knative would hold the
    requests until the revision can, here the requests stay with the old one.
    """
    while True:
        after = _propagate(_route(_ask(_configure(state, wish, ready), wish), ready))
        if after == state:
            return state
        state = after


def _configure(state: State, wish: Wish, ready: Set[str]) -> State:
    """Apply Knative's Configuration: a changed template makes a new revision."""
    revisions = tuple(
        replace(revision, was_ready=True) if revision.name in ready else revision
        for revision in state.revisions
    )
    created = state.latest_created
    generation = state.generation
    if not revisions or revisions[-1].template != wish.template:
        created = f"{wish.service}-{len(revisions) + 1:05d}"
        revisions = (*revisions, Revision(created, wish.template))
        generation += 1
    newest = [revision.name for revision in revisions if revision.was_ready]
    return replace(
        state,
        revisions=revisions,
        latest_created=created,
        latest_ready=max([*newest, state.latest_ready]),
        generation=generation,
    )


def _ask(state: State, wish: Wish) -> State:
    """Apply KServe's traffic block; the percent counts only after a first rollout."""
    tag = LATEST if wish.has_tags else None
    stable = state.latest_rolledout
    percent = 100 if wish.percent is None or not stable else wish.percent
    targets = [Target(percent, "", is_latest=True, tag=tag)]
    if percent < 100:
        targets.append(Target(100 - percent, stable, is_latest=False, tag=PREV))
    if tuple(targets) == state.asked:
        return state
    return replace(state, asked=tuple(targets), generation=state.generation + 1)


def _route(state: State, ready: Set[str]) -> State:
    """Apply Knative's Route: "latest" is the newest revision that was ever ready."""
    if not state.latest_ready:
        return state
    targets = tuple(
        replace(target, revision=target.revision or state.latest_ready)
        for target in state.asked
    )
    if any(t.percent and t.revision not in ready for t in targets):
        return state
    return replace(state, routed=targets)


def _propagate(state: State) -> State:
    """Apply KServe's status: 100 percent rolls out, less after that rolls back."""
    latest = [target for target in state.routed if target.is_latest]
    if not latest or latest[0].revision != state.latest_ready:
        return state
    percent = latest[0].percent
    if state.latest_rolledout != state.latest_ready:
        if percent < 100:
            return state
        return replace(
            state,
            previous_rolledout=state.latest_rolledout,
            latest_rolledout=state.latest_ready,
        )
    is_way_back = (
        state.latest_ready == state.latest_created
        and percent < 100
        and state.routed_percent(state.latest_ready) == 100
        and state.previous_rolledout
    )
    if is_way_back:
        return replace(state, latest_rolledout=state.previous_rolledout)
    return state
