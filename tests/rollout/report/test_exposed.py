"""The page for a Prometheus: well formed, complete, and right at every phase."""

import pytest
from prometheus_client.parser import text_string_to_metric_families as parsed

from scripts.canary import main
from scripts.rollout.errors import Exit
from scripts.rollout.journal.file import FileJournal
from scripts.rollout.journal.saved import Saved
from scripts.rollout.report import exposed
from scripts.rollout.report.summary import summary
from scripts.rollout.state.state import Phase
from tests.support.folder_world import FolderWorld
from tests.support.worlds import CANARY, STABLE, Rollout, policy

Values = dict[tuple[str, frozenset[tuple[str, str]]], float]
WHOSE = {"target_namespace": "default", "target": "intent"}


def _values(text: str) -> Values:
    """What a Prometheus reads, by name and labels without those of the rollout."""
    found: Values = {}
    for family in parsed(text):
        assert family.documentation
        for each in family.samples:
            labels = dict(each.labels)
            assert labels.items() >= WHOSE.items()
            rest = frozenset(labels.items() - WHOSE.items())
            assert (each.name, rest) not in found
            found[each.name, rest] = each.value
    return found


def _of(values: Values, name: str, **labels: str) -> float:
    return values[exposed.PREFIX + name, frozenset(labels.items())]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> FolderWorld:
    """A rollout in its first step, where the command line finds it."""
    found = FolderWorld(tmp_path_factory.mktemp("world"))
    found.journal = FileJournal(found.folder / "rollouts" / "default.intent")
    for _ in range(8):
        found.runner().run(once=True)
    return found


def _saved(world: FolderWorld) -> Saved:
    saved = world.journal.load()
    assert saved is not None
    return saved


def test_a_prometheus_reads_what_status_says(world: FolderWorld) -> None:
    saved = _saved(world)
    values = _values(str(exposed.page(policy(), saved, is_running=True)))
    said = summary(policy(), saved)
    assert _of(values, "info", canary=CANARY, stable=STABLE, backend="local") == 1
    assert _of(values, "phase", phase=said["phase"]) == 1
    phases = [value for (name, _), value in values.items() if name.endswith("_phase")]
    assert (len(phases), sum(phases)) == (len(Phase), 1)
    assert _of(values, "weight_ratio") == said["weight"] / 100 > 0
    assert _of(values, "weight_in_force") == _of(values, "running") == 1
    assert _of(values, "looks_total") == saved.state.tick
    assert _of(values, "last_look_timestamp_seconds") == saved.state.now
    for arm in ("canary", "stable"):
        assert _of(values, "last_data_timestamp_seconds", arm=arm) <= saved.state.now
        for row in said["metrics"]:
            counted = _of(values, "outcomes", metric=row["metric"], arm=arm)
            assert counted == row[arm]["n"]
    errors = said["metrics"][0]
    of = {"metric": "errors", "towards": "raise"}
    assert _of(values, "evidence", **of) == errors["gate"]
    assert _of(values, "evidence_needed", **of) == errors["gate_needed"]
    assert _of(values, "budget_ratio", metric="errors") == 0.02
    assert _of(values, "slo_seconds", metric="latency") == 0.25
    assert _of(values, "tolerance_ratio", metric="labels") == 0.05
    assert _of(values, "labels_distance_ratio", metric="labels") >= 0


def test_no_verdict_is_no_sample_of_one_and_a_verdict_is_one(
    world: FolderWorld,
) -> None:
    saved = _saved(world)
    page = str(exposed.page(policy(), saved, is_running=True))
    verdicts = [line for line in page.splitlines() if "_verdict{" in line]
    assert [line.rpartition(" ")[2] for line in verdicts] == ["0.0"] * 10
    state = saved.state.changed(verdict=Exit.ROLLED_BACK, phase=Phase.ROLLED_BACK)
    ended = Saved(state, saved.policy)
    values = _values(str(exposed.page(policy(), ended, is_running=False)))
    assert _of(values, "verdict", verdict="rolled_back") == 1
    assert _of(values, "verdict", verdict="promoted") == 0
    assert _of(values, "running") == 0
    assert "end_timestamp_seconds{" not in page
    assert _of(values, "end_timestamp_seconds") == state.now


def test_a_rollout_without_evidence_has_a_page() -> None:
    begun = Saved(Rollout.begun().state, "")
    page = str(exposed.page(policy(), begun, is_running=True))
    values = _values(page)
    assert _of(values, "phase", phase="Preflight") == 1
    assert not any("evidence" in name for name, _ in values)


def test_a_name_of_any_form_is_one_label() -> None:
    odd = 'a"b\\c\nd'
    family = exposed.Family("info", "told", [({"canary": odd}, 1.0)])
    values = _values(str(exposed.Page("default.intent", [family])))
    assert _of(values, "info", canary=odd) == 1


def test_export_prints_the_last_numbers_with_nobody_at_work(
    world: FolderWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["export", "intent", "--dir", str(world.folder)]
    assert main(command) == 0
    values = _values(capsys.readouterr().out)
    assert _of(values, "running") == 0
    assert _of(values, "looks_total") == _saved(world).state.tick
    assert main([*command, "-o", "json"]) == 0
    assert '"name": "intent_canary_looks_total"' in capsys.readouterr().out
