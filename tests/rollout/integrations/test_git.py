"""integrations.git: one file's new content as a commit on a branch."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.rollout.errors import RolloutError
from scripts.rollout.integrations import git

Git = Callable[..., str]
FILE = "apps/isvc.yaml"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Git:
    """A repository with one manifest on `main`, seen from outside of it."""
    for name in ("GIT_AUTHOR", "GIT_COMMITTER"):
        monkeypatch.setenv(f"{name}_NAME", "somebody")
        monkeypatch.setenv(f"{name}_EMAIL", "nobody")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    root = tmp_path / "repository"
    (root / "apps").mkdir(parents=True)

    def run(*words: str) -> str:
        done = subprocess.run(
            ["git", *words], cwd=root, capture_output=True, text=True, check=True
        )
        return done.stdout

    run("init", "-q", "-b", "main")
    (root / FILE).write_text("percent: 10\n")
    (root / "other.yaml").write_text("a: 1\n")
    run("add", ".")
    run("commit", "-qm", "begin")
    return run


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "repository" / FILE


def test_a_new_branch_gets_one_commit_and_the_work_tree_stays(
    repository: Git, file: Path
) -> None:
    (file.parents[1] / "other.yaml").write_text("a: 2\n")
    found = git.branch(file, "verdict")
    assert found.text == "percent: 10\n"
    commit = found.commit("gone: 1\n", "intent was promoted")
    assert repository("show", f"verdict:{FILE}") == "gone: 1\n"
    changed = repository("diff", "--name-only", "main", "verdict")
    assert changed.split() == [FILE]
    assert repository("rev-parse", "verdict").startswith(commit)
    assert repository("status", "--porcelain") == " M other.yaml\n"
    assert file.read_text() == "percent: 10\n"


def test_the_branch_that_is_checked_out_changes_with_its_file_alone(
    repository: Git, file: Path
) -> None:
    other = file.parents[1] / "other.yaml"
    other.write_text("a: 2\n")
    repository("add", "other.yaml")
    git.branch(file, "main").commit("gone: 1\n", "intent was promoted")
    assert file.read_text() == "gone: 1\n"
    assert repository("status", "--porcelain") == "M  other.yaml\n"
    assert repository("log", "-1", "--format=%s").strip() == "intent was promoted"


def test_a_branch_that_is_there_goes_on_also_beside_a_detached_head(
    repository: Git, file: Path
) -> None:
    git.branch(file, "verdict").commit("first: 1\n", "one")
    repository("checkout", "-q", "--detach", "main")
    found = git.branch(file, "verdict")
    assert found.text == "first: 1\n"
    found.commit("second: 1\n", "two")
    assert repository("log", "--format=%s", "verdict").split() == [
        "two",
        "one",
        "begin",
    ]
    assert file.read_text() == "percent: 10\n"


def test_of_two_writers_of_a_branch_the_second_fails(
    repository: Git, file: Path
) -> None:
    late = git.branch(file, "main")
    repository("commit", "-q", "--allow-empty", "-m", "meanwhile")
    with pytest.raises(RolloutError, match="update-ref: fatal"):
        late.commit("gone: 1\n", "late")
    assert file.read_text() == "percent: 10\n"


def test_it_is_pushed_to_the_only_remote(
    repository: Git, file: Path, tmp_path: Path
) -> None:
    assert not git.branch(file, "main").remote
    bare = tmp_path / "bare"
    repository("init", "-q", "--bare", str(bare))
    repository("remote", "add", "upstream", str(bare))
    git.branch(file, "verdict").commit("gone: 1\n", "promoted")
    git.branch(file, "verdict").push()
    assert repository("-C", str(bare), "show", f"verdict:{FILE}") == "gone: 1\n"
    repository("remote", "set-url", "upstream", "https://u:secret@127.0.0.1:1/x")
    with pytest.raises(RolloutError) as refused:
        git.branch(file, "verdict").push()
    assert str(refused.value) == (
        "--git: git push upstream verdict: refused; do it by hand"
    )


@pytest.mark.parametrize(
    ("words", "name", "said"),
    [
        (
            ("rm", "-q", "--cached", FILE),
            "b",
            r"isvc\.yaml: not in Git; add and commit",
        ),
        (("worktree", "add", "-q", "../two", "-b", "b"), "b", "in another work tree"),
        (("checkout", "-q", "--orphan", "new"), "b", "has no commit"),
        (("status",), "-b", "'-b' names no branch"),
        (("status",), "a..b", r"'a\.\.b' names no branch"),
    ],
)
def test_what_cannot_be_committed_is_one_sentence(
    repository: Git, file: Path, words: tuple[str, ...], name: str, said: str
) -> None:
    repository(*words)
    with pytest.raises(RolloutError, match=said):
        git.branch(file, name)


def test_a_manifest_with_changes_of_its_own_is_not_mixed_with_ours(
    repository: Git, file: Path
) -> None:
    del repository
    file.write_text("percent: 11\n")
    with pytest.raises(RolloutError, match="differs from what is committed"):
        git.branch(file, "verdict")


def test_a_branch_without_the_manifest_is_said(repository: Git, file: Path) -> None:
    repository("checkout", "-q", "--orphan", "empty")
    repository("rm", "-q", "--cached", FILE)
    repository("commit", "-qm", "nothing here")
    repository("checkout", "-qf", "main")
    with pytest.raises(RolloutError, match=r"branch empty has no apps/isvc\.yaml"):
        git.branch(file, "empty")


def test_outside_of_a_repository_and_without_git_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "isvc.yaml"
    file.touch()
    with pytest.raises(RolloutError, match=r"isvc\.yaml: in no Git repository"):
        git.branch(file, "main")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RolloutError, match="the program git is not here"):
        git.branch(file, "main")
