"""What is known of the stable before the first step, as the product estimates it."""

from dataclasses import dataclass, field

import numpy as np

from scripts.rollout.decision import dependence
from scripts.rollout.decision.explaining.conditions import PODS_PART
from scripts.rollout.evidence.dispersion import allowance, dispersion
from scripts.rollout.policy.policy import Policy
from tests.bench.decisions.world.rates import Array
from tests.bench.decisions.world.streams import History


@dataclass(slots=True)
class Known:
    """The stable's history, and what each policy makes of it."""

    history: History
    _phi: dict[tuple[object, ...], Array] = field(default_factory=dict)

    def phi(self, policy: Policy) -> Array:
        """Phi of each rollout and metric (R, 2): once for all policies that agree."""
        assumes = policy.dependence
        key = (assumes.cluster_size, assumes.assumed, len(policy.metrics))
        if key not in self._phi:
            both = zip(self.history.bad, self.history.n, strict=True)
            self._phi[key] = np.array([phis(policy, bad, n) for bad, n in both])
        return self._phi[key]

    def allowed(self, policy: Policy) -> Array:
        """What the canary's pods may have by chance (R, 2)."""
        history, phi = self.history, self.phi(policy)
        alpha = policy.risk.false_rollback * PODS_PART
        found = np.zeros_like(phi)
        for row, metric in np.ndindex(found.shape if history.pods_n.size else (0, 0)):
            bad, clusters = history.pods_bad[row, :, metric], float(phi[row, metric])
            canaries = history.canaries
            found[row, metric] = allowance(
                bad, history.pods_n[row], clusters, canaries, alpha
            )
        return found


def phis(policy: Policy, bad: Array, n: Array) -> list[float]:
    """As `dependence.phi_of`, for counts instead of deltas; labels have no past."""
    size, number = policy.dependence.cluster_size, len(policy.metrics)
    if size != "auto":
        return [float(size)] * number
    return [
        dispersion(bad[:, [m]], n)
        if m < bad.shape[1] and bad[:, m].sum() >= dependence.ENOUGH_BAD
        else float(policy.dependence.assumed)
        for m in range(number)
    ]
