"""Evidence of one rollout: every metric against every hypothesis, one scrape at a time.

Pure arrays with any leading axes; it knows no metric's name and no earlier weight.
docs/proofs.md, "Rollback" and "Gates", says why the thresholds are 1/alpha and 1/beta.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from scripts.rollout.evidence import one_sample
from scripts.rollout.evidence.arrays import Array
from scripts.rollout.evidence.mixture import Mixture
from scripts.rollout.evidence.pairs.pair_processes import PairedEvidence
from scripts.rollout.evidence.pairs.paired import PairCounts
from scripts.rollout.evidence.processes import GateEvidence, RollbackEvidence, mixed
from scripts.rollout.evidence.two_sample import Bets, Counts, log_e

# Guarantee: a difference of shares is at most 1. A smaller margin than budget over
# weight is harder to rule out, never easier, and leaves the bet room below 1.
LARGEST_MARGIN = 0.9
# A unit: percent of all traffic.
FULL = 100.0
# Tunable, and part of the claim: a gate below the last one rules out so many times what
# its next weight allows. Such a weight lasts for seconds; with 3 a good canary takes
# three of them longer, with 5 one with +2 % errors costs an answer more.
PASSING = 4.0


@dataclass(frozen=True, slots=True)
class Design:
    """The tests and their error probabilities: M metrics; G gates, one per step.

    Shares, budgets, margins and limits are fractions, steps are percents.

    `alpha`: probability of ever rolling back a canary that is not worse.
    `beta`: probability of ever passing the last gate with more than it allows.
    `bad_raise`: the same for any gate before it.
    `weights` (M + 1): weights of the evidence in the sum, the ceiling's last; sum 1.
    `tolerance` (M): excess that is no reason to roll back; 0 except for drift.
    `budget` (M): excess bad share of all traffic that a gate must rule out.
    `gated` (M): whether a metric must pass before a gate opens.
    `limit` (M): the largest bad share of pairs; NaN where both arms are compared.
    `steps` (..., G): percents; gate g leads from step g to the next, the last to 100.
    `carry_from`: a gate counts scrapes at this share of its step's weight or more;
    the last gate those at its own step's weight or more.
    `ceiling`: bad share that is too much of a canary that is worse than the stable.
    `stands`: whether pairs stand for users, and so count for the last gate.
    `margins` (..., M, G): the excess that a gate must rule out, budget / weight for
    the last one and PASSING times that for the others.
    `counts_from` (..., G): the least weight whose scrapes count for a gate, percent.
    `needed` (G): the e-value that opens a gate.
    """

    alpha: float
    beta: float
    bad_raise: float
    weights: Array
    tolerance: Array
    budget: Array
    gated: npt.NDArray[np.bool_]
    limit: Array
    steps: Array
    carry_from: float
    ceiling: float
    stands: bool = False
    margins: Array = field(init=False)
    counts_from: Array = field(init=False)
    needed: Array = field(init=False)

    def __post_init__(self) -> None:
        """Compute what each gate needs and counts from budgets and steps."""
        following = np.roll(self.steps, -1, axis=-1) / FULL
        following[..., -1] = 1.0
        share = self.budget[:, None] / following[..., None, :]
        share[..., :-1] *= PASSING
        object.__setattr__(self, "margins", np.minimum(share, LARGEST_MARGIN))
        counts_from = self.carry_from * self.steps
        counts_from[..., -1] = self.steps[..., -1]
        object.__setattr__(self, "counts_from", counts_from)
        needed = np.full(self.steps.shape[-1], 1 / self.bad_raise)
        needed[-1] = 1 / self.beta
        object.__setattr__(self, "needed", needed)


@dataclass(frozen=True, slots=True)
class Evidence:
    """All e-processes of a rollout; leading axes as in the counts.

    `pairs` is None where both arms are asked nothing beside the users' requests.
    """

    worse: RollbackEvidence
    ceiling: Mixture
    gates: GateEvidence
    pairs: PairedEvidence | None = None

    @classmethod
    def begin(
        cls, design: Design, bad: Array, n: Array, *, has_pairs: bool = False
    ) -> "Evidence":
        """Return no evidence; `bad` of `n` (..., M) are the stable's counts so far."""
        lead, steps = bad.shape, design.steps.shape[-1]
        return cls(
            RollbackEvidence.begin(bad, n),
            Mixture.begin((*lead[:-1], len(one_sample.BEYOND))),
            GateEvidence.begin((*lead, steps), bad[..., None], n[..., None]),
            PairedEvidence.begin(lead, steps) if has_pairs else None,
        )

    def update(
        self,
        design: Design,
        counts: Counts,
        phi: Array,
        weight: Array,
        new_epochs: Sequence[bool],
        stable_rate: Array | None = None,
        most: float = math.inf,
    ) -> "list[Evidence]":
        """Return the evidence after each of T scrapes, at one `weight` percent (...).

        `counts` are (T, ..., M); the ceiling tests the first metric. `stable_rate` (T,
        M) replaces the stable's rate so far where it is not NaN, because drift's set
        changes. `most`: by how much one scrape multiplies the evidence for a rollback
        at most.
        """
        worse, worse_after = self.worse.through(counts, phi)
        rate = worse.stable_rate
        if stable_rate is not None:
            rate = np.where(np.isnan(stable_rate), rate, stable_rate)
        is_on = np.where(weight[..., None] >= design.counts_from, 1.0, 0.0)
        is_on = is_on[..., None, :]
        by_gate = counts.each(is_on)
        gates, gates_after = self.gates.through(by_gate, phi[..., None])
        parts = [worse.bets(design.tolerance, rate), gates.bets(design.margins)]
        logs = log_e(counts, Bets.joined(parts, rate.shape)) / phi[..., None]
        excesses = self.worse.mixture.whole.shape[-1]
        against = np.minimum(logs[..., :excesses], math.log(most))
        gate_logs = logs[..., excesses:].reshape((*by_gate.canary_n.shape, 2))
        logs_after = self.gates.over(gate_logs * is_on[..., None], design.needed)
        beyond = one_sample.log_e(
            design.ceiling, counts.canary_bad[..., 0], counts.canary_n[..., 0]
        )
        ceilings = self.ceiling.over(beyond / phi[..., :1], new_epochs)
        mixtures = self.worse.mixture.over(against, new_epochs)
        pairs = (
            [None] * len(new_epochs)
            if self.pairs is None
            else self.pairs.aged(new_epochs)
        )
        return [
            Evidence(
                RollbackEvidence(
                    mixtures[t], worse_after.stable_bad[t], worse_after.stable_n[t]
                ),
                ceilings[t],
                GateEvidence(
                    *logs_after[t],
                    gates_after.canary_bad[t],
                    gates_after.canary_n[t],
                    gates_after.stable_bad[t],
                    gates_after.stable_n[t],
                ),
                pairs[t],
            )
            for t in range(len(new_epochs))
        ]

    def with_pairs(
        self,
        design: Design,
        pairs: PairCounts,
        limit: Array,
        phi: Array,
        weight: Array,
        most: float = math.inf,
    ) -> "Evidence":
        """Return the evidence after one scrape of pairs, at one `weight` percent (...).

        `pairs` are (..., M). Where `limit` (M) is not NaN it is the largest share of
        pairs in which the canary alone is bad, and users have no evidence of their own.
        `most` is as in `update`, and not for those.
        """
        assert self.pairs is not None
        known = self.gates.stable_bad[..., -1] / self.gates.stable_n[..., -1]
        logs = self.pairs.against(pairs, limit, design.tolerance, known)
        is_alone = np.isnan(limit)[:, None]
        most_logs = np.where(is_alone, math.log(most), math.inf)
        logs = np.minimum(logs / phi[..., None], most_logs)
        alone = np.where(is_alone, 0.0, logs)
        (mixture,) = self.worse.mixture.over(alone[None], [False])
        is_on = np.where(weight[..., None] >= design.counts_from, 1.0, 0.0)
        for_gates = self.pairs.for_gates(pairs, design.margins, known)
        for_gates *= is_on[..., None, :, None] / phi[..., None, None]
        return replace(
            self,
            worse=replace(self.worse, mixture=mixture),
            pairs=self.pairs.after(pairs, logs, for_gates, design.needed),
        )

    def against(self) -> Array:
        """Return the e-values for a rollback (..., M + 1), the ceiling's last.

        The ceiling's hypothesis is "not over it, or no worse than the stable", so that
        an incident of both arms is no evidence; the smaller of two e-values tests it.
        Beside a stable without requests the ceiling counts alone. With pairs, each of
        the others is the mean of two, of users' requests and of pairs, which holds
        however a request and its pair depend on each other.
        """
        worse = self.worse.value
        if self.pairs is not None:
            worse = (worse + self.pairs.value) / 2
        ceiling = self.ceiling.value(one_sample.BEYOND_WEIGHTS)
        smaller = np.minimum(ceiling, worse[..., 0])
        ceiling = np.where(self.worse.has_compared[..., 0], smaller, ceiling)
        return np.concatenate([worse, ceiling[..., None]], axis=-1)

    def must_roll_back(self, design: Design) -> npt.NDArray[np.bool_]:
        """Return whether the weighted sum has reached 1/alpha (...)."""
        return np.asarray(self.sum_against(design) >= 1 / design.alpha)

    def sum_against(self, design: Design) -> Array:
        """Return the weighted sum of the e-values for a rollback (...)."""
        total: Array = (design.weights * self.against()).sum(axis=-1)
        return total

    def for_gates(self, design: Design) -> Array:
        """Return the e-values (..., M, G): of users, and of pairs where they count.

        Below the last gate it is the mean of both, which holds however a request and
        its pair depend on each other, and at weight 0, where no user meets the canary,
        that of pairs. The last gate opens by users' requests alone, unless pairs stand
        for them: then it is the product.
        """
        users = self.gates.value
        if self.pairs is None:
            return users
        pairs = mixed(self.pairs.gate_logs)
        has_users = (design.steps > 0)[..., None, :]
        found = np.where(has_users, (users + pairs) / 2, pairs)
        last = self.gates.logs[..., -1, :]
        if design.stands:
            last = last + self.pairs.gate_logs[..., -1, :]
        found[..., -1] = mixed(last) + self.gates.reserve[..., -1]
        return found

    def opens(self, design: Design) -> npt.NDArray[np.bool_]:
        """Return which gates (..., G) are open: each gated metric has what it needs."""
        passed = self.for_gates(design) >= design.needed
        return np.asarray((passed | ~design.gated[:, None]).all(axis=-2))
