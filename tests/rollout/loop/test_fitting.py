"""Default metrics that nobody counts here: no gate waits for them, and it is said."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from scripts.rollout.errors import Exit, PolicyError
from scripts.rollout.journal import replay
from scripts.rollout.loop.runner import Runner
from scripts.rollout.loop.world import World
from scripts.rollout.metrics.port import Scraped
from scripts.rollout.policy.reader import parse
from scripts.rollout.report.summary import summary
from tests.support.folder_world import FolderWorld

DEFAULT = "target: {inferenceservice: intent}\nsteps: [25]\ndwell: 10s\n"
NAMED = (
    DEFAULT + "metrics:\n- {name: errors, budget: 1%}\n"
    "- {name: latency, slo: 250ms, budget: 1%}\n"
)
LEFT_OUT = (
    "latency: nobody counts latency here; not judged, and its gate is left out, "
    "because the policy names no metrics"
)


class _Untimed(FolderWorld):
    """Somebody counts requests, and nobody how long they took."""

    is_whole = True

    def read(self, revisions: Sequence[str]) -> Scraped:
        found = super().read(revisions).reading
        return Scraped(
            {
                arm: {
                    pod: {
                        name: count
                        for name, count in each.items()
                        if not name.startswith(("le:", "timed"))
                    }
                    for pod, each in pods.items()
                }
                for arm, pods in found.items()
            },
            is_whole=self.is_whole,
        )


def _runner(world: FolderWorld, text: str = DEFAULT) -> Runner:
    seams = (world.journal, world.now, lambda _: None, world.said.append)
    return Runner(parse(text, "test"), text, World(world, world, *seams))


def test_a_default_gate_that_nobody_feeds_is_left_out_and_the_rest_decides(
    tmp_path: Path,
) -> None:
    cluster = _Untimed(tmp_path)
    assert _runner(cluster).run() is Exit.PROMOTED
    assert cluster.said.count(LEFT_OUT) == 1
    assert not any("its gate cannot open" in each for each in cluster.said)


def test_the_journal_keeps_the_metrics_that_a_restart_goes_by(tmp_path: Path) -> None:
    cluster = _Untimed(tmp_path)
    _runner(cluster).run(once=True)
    saved = cluster.journal.load()
    assert saved is not None
    kept = parse(saved.policy, "kept")
    assert [each.name for each in kept.metrics] == ["errors", "labels"]
    assert kept.metrics == (parse(DEFAULT).metrics[0], parse(DEFAULT).metrics[2])
    assert _runner(cluster).run() is Exit.PROMOTED
    assert cluster.said.count(LEFT_OUT) == 1


def test_a_rehearsal_and_a_replay_go_by_them_too(tmp_path: Path) -> None:
    cluster = _Untimed(tmp_path)
    _runner(cluster).rehearse()
    assert _runner(cluster).run() is Exit.PROMOTED
    lines = cluster.journal.path.read_text().splitlines()
    assert json.loads(lines[0])["policy"].startswith(DEFAULT)
    assert replay.journal(lines, None).code is Exit.PROMOTED


def test_another_policy_is_still_refused_while_its_rollout_goes_on(
    tmp_path: Path,
) -> None:
    cluster = _Untimed(tmp_path)
    _runner(cluster).run(once=True)
    with pytest.raises(PolicyError, match="the policy was changed"):
        _runner(cluster, DEFAULT.replace("10s", "20s")).run(once=True)


def test_a_metric_that_the_policy_names_stays_and_its_gate_is_told(
    tmp_path: Path,
) -> None:
    cluster = _Untimed(tmp_path)
    _runner(cluster, NAMED).run(once=True)
    saved = cluster.journal.load()
    assert saved is not None
    assert saved.policy == NAMED


def test_where_latency_is_counted_the_policy_stays_as_it_is(tmp_path: Path) -> None:
    cluster = FolderWorld(tmp_path)
    _runner(cluster).run(once=True)
    saved = cluster.journal.load()
    assert saved is not None
    assert saved.policy == DEFAULT


def test_a_policy_to_which_no_line_can_be_added_keeps_its_gate(tmp_path: Path) -> None:
    cluster = _Untimed(tmp_path)
    flow = '{"target": {"inferenceservice": "intent"}}'
    _runner(cluster, flow).run(once=True)
    saved = cluster.journal.load()
    assert saved is not None
    assert saved.policy == flow


def test_a_page_that_is_late_leaves_no_gate_out(tmp_path: Path) -> None:
    cluster = _Untimed(tmp_path)
    cluster.is_whole = False
    _runner(cluster).run(once=True)
    saved = cluster.journal.load()
    assert saved is not None
    assert saved.policy == DEFAULT
    assert _doubts(cluster) == []


def test_what_was_not_counted_is_a_doubt_for_as_long_as_it_is_not(
    tmp_path: Path,
) -> None:
    uncounted = _Untimed(tmp_path)
    for _ in range(3):
        _runner(uncounted, NAMED).run(once=True)
    assert "latency: nobody counts latency here; not judged" in _doubts(uncounted)
    counted = FolderWorld(tmp_path)
    _runner(counted, NAMED).run(once=True)
    assert _doubts(counted) == []


def _doubts(cluster: FolderWorld) -> list[str]:
    """What `status` says of the metrics now."""
    saved = cluster.journal.load()
    assert saved is not None
    return list(summary(parse(saved.policy, "test"), saved)["doubts"])
