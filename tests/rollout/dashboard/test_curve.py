"""A card's small plot: few points, the newest always, in the SVG's own numbers."""

from scripts.rollout.dashboard.curve import MOST_POINTS, Curve, Point, drawn


def test_a_line_goes_from_left_to_right_and_its_top_is_a_rollback() -> None:
    points = [Point(100, 1, 5), Point(110, 10, 5), Point(120, 1000, 50)]
    assert drawn(points, 100) == {
        "against": "0.0,20.0 50.0,10.0 100.0,0.0",
        "weight": "0.0,19.0 50.0,19.0 100.0,10.0",
    }


def test_one_look_is_no_line() -> None:
    assert drawn([], 100) is None
    assert drawn([Point(100, 1, 5)], 100) is None


def test_a_long_rollout_has_few_points_and_each_turn_of_its_weight() -> None:
    curve = Curve()
    for look in range(10_000):
        curve.add(look, 1.0, 5 if look < 9_900 else 25)
    assert MOST_POINTS // 2 <= len(curve.points) <= MOST_POINTS
    assert curve.points[0].at == 0
    assert curve.points[-1].at > 9_900
    assert 9_900 in [point.at for point in curve.points]
