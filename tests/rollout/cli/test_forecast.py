"""`plan` of a stable that a Prometheus scrapes less often than the script looks."""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from scripts.rollout import wiring
from scripts.rollout.cli import forecast
from scripts.rollout.metrics.port import ERRORS, READ_AT, REQUESTS, Reading, Scraped
from scripts.rollout.traffic.port import Place
from tests.support.worlds import STABLE, policy, view


class _Scraped:
    """A stable of 15 requests/s, of which one pod is scraped each 30 s."""

    counted_by = "predictor"
    now = 1_000.0

    def observe(self) -> object:
        return view()

    def read(self, revisions: Sequence[str]) -> Scraped:
        assert STABLE in revisions
        at = self.now // 30 * 30
        sample = {REQUESTS: 15 * at, ERRORS: 0.15 * at, READ_AT: at}
        return Scraped({STABLE: {"pod": sample}})

    def history(
        self, revision: str, seconds: float, step: float
    ) -> list[tuple[float, Reading]]:
        del revision, seconds, step
        return []

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.mark.parametrize("seconds", [60, 100, 200])
def test_a_rate_is_over_the_seconds_in_which_it_was_counted(
    seconds: float, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    there = _Scraped()
    clock = SimpleNamespace(time=lambda: there.now, sleep=there.sleep)
    monkeypatch.setattr(forecast, "time", clock)
    monkeypatch.setattr(wiring, "traffic", lambda *_: there)
    monkeypatch.setattr(wiring, "metrics", lambda *_: there)
    errors = policy(metrics="[{name: errors, budget: 1%}]")
    found, _ = forecast.observe_traffic(Place(tmp_path), errors, seconds)
    assert found.rps == pytest.approx(15)
    assert found.bad == pytest.approx(0.01, rel=0.5)
