"""How a rollout has gone, in few points for a small plot. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from scripts.rollout.report import tables

MOST_POINTS = 60  # as many as a card's plot can show separately
WIDTH, HEIGHT = 100, 20
FULL = 100  # percent


@dataclass(frozen=True, slots=True)
class Point:
    """One look: the evidence against the canary, in sum, and its weight after it."""

    at: float
    against: float
    weight: int


@dataclass(slots=True)
class Curve:
    """The looks so far, each `every`th of them, and each that moved the weight."""

    points: list[Point] = field(default_factory=list)
    every: int = 1
    looks: int = 0

    def add(self, at: float, against: float, weight: int) -> None:
        """Add one look."""
        self.looks += 1
        is_turn = not self.points or self.points[-1].weight != weight
        if is_turn or self.looks % self.every == 0:
            self.points.append(Point(at, against, weight))
        if len(self.points) > MOST_POINTS:
            self.points = self.points[::2]
            self.every *= 2


def drawn(points: Sequence[Point], needed: float) -> dict[str, str] | None:
    """Return both lines as SVG has them, None if there is no line yet."""
    if not points or points[-1].at <= points[0].at:
        return None
    began, took = points[0].at, points[-1].at - points[0].at
    xs = [f"{WIDTH * (each.at - began) / took:.1f}" for each in points]
    reached = [tables.reached(each.against, needed) for each in points]
    weights = [each.weight / FULL for each in points]
    return {"against": _line(xs, reached), "weight": _line(xs, weights)}


def _line(xs: Sequence[str], shares: Sequence[float]) -> str:
    ys = (f"{HEIGHT * (1 - share):.1f}" for share in shares)
    return " ".join(f"{x},{y}" for x, y in zip(xs, ys, strict=True))
