"""Decides one rollout look by look; the caller observes and acts."""

from dataclasses import dataclass, field

from scripts.rollout.decision.machine import Machine, begin
from scripts.rollout.policy.policy import Policy
from scripts.rollout.state.observation import Observation, View
from scripts.rollout.state.state import Decision, State


@dataclass(slots=True)
class Rollout:
    """The policy and the state of one rollout; the caller observes and acts.

    Keep `state` to go on later with the same evidence.
    """

    policy: Policy
    state: State
    _machine: Machine = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Prepare the policy's tests once."""
        self._machine = Machine(self.policy)

    @classmethod
    def begin(cls, policy: Policy, view: View, time_s: float) -> "Rollout":
        """Pin canary and stable. Raises RolloutError where no rollout is safe."""
        return cls(policy, begin(policy, view, time_s))

    def look(self, observation: Observation) -> Decision:
        """Add one observation to the evidence and decide what to do."""
        decision = self._machine.step(self.state, observation)
        self.state = decision.state
        return decision
