"""scripts.local.store: kubectl's apply and patch on files."""

import copy
from pathlib import Path
from typing import Any

import pytest

from scripts.local import manifest
from scripts.local.errors import ManifestError, NotRunning
from scripts.local.rules import Revision, State
from scripts.local.store import Store
from tests.local.test_manifest import V1
from tests.local.test_rules import CANARY, _run

KEY = "default.intent"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    created = Store(tmp_path)
    created.create(8080, tmp_path)
    return created


def _v1(percent: int | None = None) -> Any:
    document = copy.deepcopy(V1)
    if percent is not None:
        document["spec"]["predictor"]["canaryTrafficPercent"] = percent
    return document


def _changed(**fields: Any) -> Any:
    document = _v1()
    document["spec"]["predictor"]["containers"][0] |= fields
    return document


def _percent(store: Store) -> Any:
    document = store.object(KEY)
    assert document is not None
    return manifest.percent(document)


def test_apply_says_what_it_did(store: Store) -> None:
    said = [store.apply(_v1()), store.apply(_v1()), store.apply(_v1(10))]
    assert said == ["created", "unchanged", "configured"]
    document = store.object(KEY)
    assert document is not None
    assert document["metadata"]["generation"] == 2


def test_apply_without_a_field_that_was_applied_removes_it(store: Store) -> None:
    store.apply(_v1(10))
    store.apply(_v1())
    assert _percent(store) is None


def test_apply_keeps_a_percent_that_only_a_patch_has_set(store: Store) -> None:
    store.apply(_v1())
    assert store.patch_percent(KEY, 0) == "patched"
    store.apply(_v1() | {"spec": copy.deepcopy(V1["spec"])})
    assert _percent(store) == 0


def test_a_patched_percent_outlives_any_number_of_applies(store: Store) -> None:
    store.apply(_v1())
    store.patch_percent(KEY, 0)
    for version in ("second", "third"):
        document = _changed(args=[f"--model_dir=models/{version}"])
        assert store.apply(document) == "configured"
        assert _percent(store) == 0


def test_a_percent_that_was_applied_unchanged_can_be_removed(store: Store) -> None:
    store.apply(_v1())
    store.patch_percent(KEY, 10)
    assert store.apply(_v1(10)) == "unchanged"
    store.apply(_v1())
    assert _percent(store) is None


@pytest.mark.parametrize(
    "fields",
    [
        {"image": "intent-classifier:v2"},
        {"image": "other/intent-classifier:v1@sha256:00"},
        {"resources": {"limits": {"cpu": "2"}}},
    ],
)
def test_a_version_that_would_run_the_same_process_is_refused(
    store: Store, fields: dict[str, Any]
) -> None:
    store.apply(_v1())
    (name,) = fields
    with pytest.raises(ManifestError, match=rf"^spec.*\[0\]\.{name}: an earlier"):
        store.apply(_changed(**fields))
    live = store.object(KEY)
    assert live is not None
    assert live["spec"] == _v1()["spec"]


def test_the_process_of_any_earlier_revision_counts(store: Store) -> None:
    """v1, then v2, then v1's process again by the name of another image."""
    store.apply(_v1())
    older = Revision("intent-predictor-00001", manifest.template(_v1()))
    store.write_state(KEY, State(revisions=(older,)), {}, [])
    v2 = {"image": "intent-classifier:v2", "args": ["--model_dir=models/v2"]}
    assert store.apply(_changed(**v2)) == "configured"
    with pytest.raises(ManifestError, match="an earlier revision differs in nothing"):
        store.apply(_changed(image="intent-classifier:v3"))
    assert store.apply(_v1()) == "configured"


def test_a_label_alone_makes_a_revision_as_on_a_cluster(store: Store) -> None:
    store.apply(_v1())
    document = _v1()
    document["spec"]["predictor"]["labels"] = {"model-version": "v1-again"}
    assert store.apply(document) == "configured"


def test_a_patch_removes_the_field(store: Store) -> None:
    store.apply(_v1(10))
    assert store.patch_percent(KEY, None) == "patched"
    assert _percent(store) is None


def test_a_patch_of_nothing_is_refused(store: Store) -> None:
    with pytest.raises(NotRunning, match=r"default\.intent not found"):
        store.patch_percent(KEY, 10)


def test_a_state_comes_back_as_it_was_written(store: Store) -> None:
    assert store.state(KEY) == State()
    state = _run(*CANARY)
    store.write_state(KEY, state, {"url": "u"}, [])
    assert store.state(KEY) == state
    assert store.status(KEY) == {"url": "u"}


def test_objects_come_oldest_first(store: Store) -> None:
    for name in ("zebra", "ant"):
        document = _v1()
        document["metadata"]["name"] = name
        store.apply(document)
    assert [each["metadata"]["name"] for each in store.objects()] == ["zebra", "ant"]
