"""A GitOps controller that writes Git's percent over ours: told, counted, ended."""

from scripts.rollout.decision.draft import Draft
from scripts.rollout.state.notes import NoteKind
from scripts.rollout.state.observation import View
from scripts.rollout.state.state import OUR_OWN_WAY, Pause

# The field managers of what applies a repository again and again. Whoever else writes
# the percent is taken for a person, whose percent is kept.
CONTROLLERS = (
    "argocd-controller",
    "argocd-application-controller",
    "kustomize-controller",
    "helm-controller",
)
# A unit: how often, in words.
TIMES = {1: "", 2: ", second time", 3: ", third time"}


def see(draft: Draft, view: View) -> None:
    """Keep when the percent that stands as asked was written; say once who owns it."""
    if draft.state.tick == 1 and view.writer in CONTROLLERS:
        draft.say(
            NoteKind.SYNCED,
            f"{view.writer} wrote the percent that is set: unless its sync leaves that "
            "alone meanwhile (intent-canary gitops -f POLICY), it will put Git's back",
        )
    if draft.state.tick == 1 or view.percent == draft.state.weight:
        draft.change(rival_at=view.written)


def is_rewritten(draft: Draft, view: View) -> bool:
    """Return whether a controller wrote the percent; set ours again, or end.

    Each write is told once. A weight that is not in force raises nothing meanwhile.
    """
    state, most = draft.state, draft.policy.guards.max_rival_writes
    is_ours = state.pause is not Pause.HAND and state.phase not in OUR_OWN_WAY
    if view.writer not in CONTROLLERS or not is_ours:
        return False
    if not state.is_verified and view.written == state.rival_at:
        return True
    count, weight = state.rival_writes + 1, state.weight
    draft.change(rival_writes=count, rival_at=view.written)
    times = TIMES.get(count, f", {count}th time")
    wrote = f"{view.writer} put {view.percent} back at {view.written[11:19]}{times}"
    if count > most:
        draft.guard(
            f"{wrote}; {most} are allowed (guards.maxRivalWrites): set 0 in Git, and "
            "suspend its sync meanwhile as intent-canary gitops -f POLICY prints"
        )
        return True
    draft.say(NoteKind.REWRITTEN, f"{wrote}: {weight} is set again, nothing is raised")
    draft.ask_for(weight)
    return True
