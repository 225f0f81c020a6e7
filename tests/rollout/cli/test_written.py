"""`run --write-manifest`: the manifest ends with the verdict, also as a commit."""

import subprocess
from pathlib import Path

import pytest
import yaml

from scripts.local.processes import ROOT
from scripts.rollout.cli.options import Rollout
from scripts.rollout.cli.run import _check, _close_the_trap
from scripts.rollout.errors import Exit, RolloutError
from scripts.rollout.policy.policy import Policy
from scripts.rollout.policy.reader import parse

KNATIVE = "target: {inferenceservice: intent, backend: knative}\nsteps: auto\n"
GATEWAY = "target: {route: intent, backend: gateway}\nsteps: auto\n"


def _policy(text: str = KNATIVE) -> Policy:
    return parse(text, "a policy")


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The shipped canary, 10 %, in a repository."""
    for name in ("GIT_AUTHOR", "GIT_COMMITTER"):
        monkeypatch.setenv(f"{name}_NAME", "somebody")
        monkeypatch.setenv(f"{name}_EMAIL", "nobody")
    file = tmp_path / "isvc.yaml"
    file.write_text((ROOT / "manifests" / "isvc-v2.yaml").read_text())
    for words in (["init", "-qb", "main"], ["add", "."], ["commit", "-qm", "begin"]):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    return file


def _rollout(file: Path | None, git: str | None = None, push: bool = False) -> Rollout:
    return Rollout(Path("policy"), manifest=file, git=git, push=push)


def _percent(text: str) -> object:
    return yaml.safe_load(text)["spec"]["predictor"].get("canaryTrafficPercent")


def _on(file: Path, branch: str) -> str:
    show = ["git", "show", f"{branch}:{file.name}"]
    return subprocess.run(show, cwd=file.parent, capture_output=True, text=True).stdout


@pytest.mark.parametrize(
    ("code", "percent", "said"),
    [
        (Exit.PROMOTED, None, "canaryTrafficPercent is gone"),
        (Exit.ROLLED_BACK, 0, "canaryTrafficPercent is 0"),
        (Exit.GUARD, 0, "canaryTrafficPercent is 0"),
    ],
)
def test_the_percent_of_the_verdict_is_written_and_committed(
    file: Path, code: Exit, percent: int | None, said: str
) -> None:
    before = file.read_text()
    lines = list(_close_the_trap(_rollout(file, "verdict"), _policy(), code))
    assert lines[0].startswith(f"{file}: {said}, commit ")
    assert lines[0].endswith(" on verdict")
    assert _percent(_on(file, "verdict")) == percent
    assert file.read_text() == before
    lines = list(_close_the_trap(_rollout(file), _policy(), code))
    assert lines[0] == f"{file}: {said}"
    assert _percent(file.read_text()) == percent


def test_a_verdict_that_git_has_already_is_no_commit(file: Path) -> None:
    for _ in range(2):
        said = list(_close_the_trap(_rollout(file, "main"), _policy(), Exit.PROMOTED))
    assert said == [f"{file}: nothing to commit on main"]


def test_what_is_held_changes_no_manifest(file: Path) -> None:
    assert not list(_close_the_trap(_rollout(file, "main"), _policy(), Exit.HELD))
    assert _percent(_on(file, "main")) == 10


def test_a_commit_that_fails_leaves_the_verdict_and_is_told_with_what_to_do(
    file: Path,
) -> None:
    file.write_text(file.read_text() + "# by somebody meanwhile\n")
    said = list(_close_the_trap(_rollout(file, "main"), _policy(), Exit.PROMOTED))
    assert "NOT changed: " in said[0]
    assert "differs from what is committed" in said[0]
    assert said[1].startswith("remove canaryTrafficPercent from its manifest")


def test_after_a_rollback_a_manifest_without_a_percent_is_told(file: Path) -> None:
    list(_close_the_trap(_rollout(file), _policy(), Exit.PROMOTED))
    said = list(_close_the_trap(_rollout(file), _policy(), Exit.ROLLED_BACK))
    assert "no canaryTrafficPercent in it, which promotes" in said[0]


@pytest.mark.parametrize(
    ("git", "push", "policy", "said"),
    [
        ("main", True, KNATIVE, "--push: the repository has no remote"),
        (None, True, KNATIVE, "--push: expected --git BRANCH too"),
        ("main", False, GATEWAY, "--write-manifest: with target.backend gateway"),
        ("a..b", False, KNATIVE, "names no branch"),
    ],
)
def test_what_cannot_be_done_at_the_end_is_refused_at_the_begin(
    file: Path, git: str | None, push: bool, policy: str, said: str
) -> None:
    with pytest.raises(RolloutError, match=said):
        _check(_rollout(file, git, push), _policy(policy))


def test_git_needs_a_manifest() -> None:
    with pytest.raises(RolloutError, match="expected --write-manifest FILE too"):
        _check(_rollout(None, "main"), _policy())
