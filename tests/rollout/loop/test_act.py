"""What a look waits for after it has set a weight."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from scripts.rollout.loop import act
from scripts.rollout.loop.world import World
from scripts.rollout.policy.backends import BACKENDS
from scripts.rollout.state.actions import SetPercent
from scripts.rollout.state.observation import View
from tests.support.folder_world import FolderWorld
from tests.support.worlds import CANARY, STABLE, Rollout


class _Late(FolderWorld):
    """A weight is in force after some tenths of a second."""

    tenths = 3

    def sleep(self, seconds: float) -> None:
        """Take that off."""
        assert seconds == act.POLL_S
        self.tenths -= 1

    def observe(self) -> View:
        """What was asked for, and what is in force by now."""
        seen = super().observe()
        return replace(seen, routed={STABLE: 100}) if self.tenths > 0 else seen


def _set(cluster: _Late, backend: str) -> dict[str, Any]:
    world = World(
        cluster,
        cluster,
        cluster.journal,
        cluster.now,
        cluster.sleep,
        cluster.said.append,
        settles_s=BACKENDS[backend].settles_s,
    )
    done, _ = act.do(world, SetPercent(5), Rollout.begun().state)
    return done


@pytest.mark.parametrize("backend", [b for b in BACKENDS if b != "sagemaker"])
def test_a_weight_that_settles_in_seconds_is_waited_for(
    backend: str, tmp_path: Path
) -> None:
    cluster = _Late(tmp_path)
    assert _set(cluster, backend)["routed"] == {CANARY: 5, STABLE: 95}
    assert cluster.tenths == 0


def test_one_that_takes_minutes_is_left_to_the_next_looks(tmp_path: Path) -> None:
    cluster = _Late(tmp_path)
    assert _set(cluster, "sagemaker")["routed"] == {STABLE: 100}
    assert cluster.tenths == 3
