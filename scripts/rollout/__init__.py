"""Decides a canary rollout by evidence: the library under scripts/canary.py.

One folder per role; docs/architecture.md draws them. The public names decide from
counts that the caller brings, without a cluster and without a clock:

>>> from scripts.rollout import Delta, Observation, Rollout, View, parse_policy
>>> policy = parse_policy('''
... target: {inferenceservice: intent}
... steps: [50]
... metrics: [{name: errors, budget: 2%}]
... dependence: {clusterSize: 1}
... warmup: 0
... ''')
>>> rollout = Rollout.begin(policy, View.in_force("v2", "v1", 0), time_s=0.0)
>>> for look in range(1, 30):
...     weight = rollout.state.weight
...     canary, stable = 10 * weight, 10 * (100 - weight)
...     errors = (0.1 * canary, canary, 0.0, stable)  # bad and n of both arms
...     view = View.in_force("v2", "v1", weight)
...     observation = Observation(10.0 * look, view, Delta({"errors": errors}))
...     decision = rollout.look(observation)
...     if decision.state.verdict is not None:
...         break
>>> decision.state.verdict, decision.state.reason
(<Exit.ROLLED_BACK: 10>, 'errors: 10.00% against 0.00% (e = ... of 100)')
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scripts.rollout.decision.rollout import Rollout
    from scripts.rollout.errors import Exit, JournalError, PolicyError, RolloutError
    from scripts.rollout.journal.replay import Replay
    from scripts.rollout.journal.replay import journal as replay
    from scripts.rollout.policy.policy import Policy
    from scripts.rollout.policy.reader import parse as parse_policy
    from scripts.rollout.policy.reader import read as read_policy
    from scripts.rollout.state.observation import Delta, Observation, Replicas, View
    from scripts.rollout.state.state import Decision, Phase, State

__all__ = [
    "Decision",
    "Delta",
    "Exit",
    "JournalError",
    "Observation",
    "Phase",
    "Policy",
    "PolicyError",
    "Replay",
    "Replicas",
    "Rollout",
    "RolloutError",
    "State",
    "View",
    "parse_policy",
    "read_policy",
    "replay",
]
_HOMES = {
    "Decision": "state.state:Decision",
    "Delta": "state.observation:Delta",
    "Exit": "errors:Exit",
    "JournalError": "errors:JournalError",
    "Observation": "state.observation:Observation",
    "Phase": "state.state:Phase",
    "Policy": "policy.policy:Policy",
    "PolicyError": "errors:PolicyError",
    "Replay": "journal.replay:Replay",
    "Replicas": "state.observation:Replicas",
    "Rollout": "decision.rollout:Rollout",
    "RolloutError": "errors:RolloutError",
    "State": "state.state:State",
    "View": "state.observation:View",
    "parse_policy": "policy.reader:parse",
    "read_policy": "policy.reader:read",
    "replay": "journal.replay:journal",
}


def __getattr__(name: str) -> Any:
    """Import a public name on first use, so that `--help` does without NumPy."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, attribute = _HOMES[name].partition(":")
    return getattr(import_module(f"{__name__}.{module}"), attribute)
