"""Computes the evidence of many recorded looks at once, as arrays over time.

While the weight stays, the evidence does not depend on the decisions. So a replay
computes it in blocks, and starts a new block where the weight changes.
"""

from collections.abc import Sequence

from scripts.rollout.decision import measurement
from scripts.rollout.decision.measurement import Rules
from scripts.rollout.state.observation import Observation
from scripts.rollout.state.state import Precomputed, State

# Looks per block: few after a change of weight, which voids the block; then doubled.
SMALLEST, LARGEST = 8, 1024


class Batch:
    """The evidence after each of the recorded looks, block by block."""

    def __init__(self, rules: Rules, looks: Sequence[Observation]) -> None:
        """Keep the looks; blocks are computed on demand."""
        self._rules, self._looks = rules, looks
        self._block: list[Precomputed] = []
        self._start, self._size = 0, SMALLEST

    def after(self, state: State, look: int) -> Precomputed | None:
        """Return the evidence after look number `look` from `state`; or None."""
        found = self._at(look)
        if found is not None and found.holds(state):
            return found
        self._size = min(self._size * 2, LARGEST) if found is None else SMALLEST
        self._block, self._start = self._worked_out(state, look), look
        return self._at(look)

    def _at(self, look: int) -> Precomputed | None:
        place = look - self._start
        return self._block[place] if 0 <= place < len(self._block) else None

    def _worked_out(self, state: State, look: int) -> list[Precomputed]:
        judged = state.judged
        scrapes, now = [], state.now
        for seen in self._looks[look : look + self._size]:
            if seen.delta is None or seen.beside:
                break
            now = max(now, seen.time)
            scrapes.append((now, seen.delta))
        if judged is None or not scrapes:
            return []
        policy, design = self._rules.policy, self._rules.design(state.steps)
        found = measurement.update(
            policy, design, judged, scrapes, state.weight, is_shown=False
        )
        befores = [judged, *found]
        return [
            Precomputed(after, before, state.weight)
            for after, before in zip(found, befores, strict=False)
        ]
