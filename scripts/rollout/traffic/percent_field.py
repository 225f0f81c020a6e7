"""The meaning and the traps of KServe's `canaryTrafficPercent`. Pure.

Absent or 100 promotes the newest revision as soon as it is ready; 0 rolls back; a value
that stays in a manifest rolls back when the manifest is re-applied after a promotion.
"""

from dataclasses import replace

from scripts.rollout.policy.backends import PERCENT_FIELD
from scripts.rollout.state.observation import View
from scripts.rollout.state.state import FULL


def explain(view: View) -> View:
    """Return the view with its percent in words and the danger of beginning there."""
    asked = f"{PERCENT_FIELD} {'absent' if view.percent is None else view.percent}"
    return replace(view, asked=asked, danger=_danger(view))


def _danger(view: View) -> str:
    """Return why no rollout may begin here, "" where one may.

    At 0 % a canary that is not ready yet is safe: no request reaches it.
    """
    if view.percent is not None and not 0 <= view.percent <= FULL:
        return (
            f"{PERCENT_FIELD} is {view.percent}, expected 0 to 100: KServe takes it "
            "and Knative refuses it; patch it to 0 first"
        )
    if view.created == view.rolledout:
        return ""
    if view.percent is None or view.percent == FULL:
        return (
            f"{PERCENT_FIELD} is {view.percent or 'absent'}, so KServe promotes "
            f"{view.created} as soon as it is ready; patch it to 0 first"
        )
    if view.percent and view.rolledout == view.previous:
        return (
            f"{PERCENT_FIELD} {view.percent} after a promotion took KServe back to "
            f"{view.rolledout}, as a manifest that still has it does; remove it there "
            f"and here to keep {view.created}, or patch it to 0 to judge it anew"
        )
    if view.percent and view.ready not in (view.created, view.rolledout):
        return (
            f"{view.percent} % go to {view.ready} until {view.created} is ready; patch "
            f"{PERCENT_FIELD} to 0 first"
        )
    return ""
