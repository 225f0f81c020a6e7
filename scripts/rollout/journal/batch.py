"""Evidence of many recorded looks at once: arrays over time instead of one by one.

What the evidence becomes does not depend on what is decided, as long as the weight
stays. So a replay works it out in blocks, and again from where the weight changed.
"""

from collections.abc import Sequence

from scripts.rollout.decision import measurement
from scripts.rollout.decision.draft import Rules
from scripts.rollout.state.state import Foreseen, Observation, State

SMALLEST, LARGEST = 8, 1024


class Ahead:
    """The evidence after each of the recorded looks, block by block."""

    def __init__(self, rules: Rules, looks: Sequence[Observation]) -> None:
        """Nothing is worked out yet."""
        self._rules, self._looks = rules, looks
        self._block: list[Foreseen] = []
        self._start, self._size = 0, SMALLEST

    def after(self, state: State, look: int) -> Foreseen | None:
        """That after this look, from `state`; None where none is to be had."""
        found = self._at(look)
        if found is not None and found.holds(state):
            return found
        self._size = min(self._size * 2, LARGEST) if found is None else SMALLEST
        self._block, self._start = self._worked_out(state, look), look
        return self._at(look)

    def _at(self, look: int) -> Foreseen | None:
        place = look - self._start
        return self._block[place] if 0 <= place < len(self._block) else None

    def _worked_out(self, state: State, look: int) -> list[Foreseen]:
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
        found = measurement.update(policy, design, judged, scrapes, state.weight)
        befores = [judged, *found]
        return [
            Foreseen(after, before, state.weight)
            for after, before in zip(found, befores, strict=False)
        ]
