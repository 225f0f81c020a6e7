"""Commits one file's new content on a branch, whatever is checked out.

It writes objects and moves the branch; the work tree and the index change only where
the branch is the one that is checked out, and there only this file.
"""

import os
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from scripts.rollout.errors import RolloutError

TIMEOUT_S = 60.0
# No question is asked of anybody, and messages are read in one language.
QUIET = {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}


@dataclass(frozen=True, slots=True)
class Branch:
    """A branch, and a file that the repository has on it.

    `base` is its newest commit, or HEAD where there is no such branch yet (`old` is
    then ""). `remote` is where it would be pushed, "" where the repository has none.
    """

    name: str
    root: Path
    path: str
    base: str
    old: str
    is_checked_out: bool
    remote: str

    @property
    def text(self) -> str:
        """Return the file as it is on the branch. Raises RolloutError."""
        return _git(self.root, "show", f"{self.base}:{self.path}", text=self._missing)

    @property
    def _missing(self) -> str:
        return f"branch {self.name} has no {self.path}"

    def commit(self, text: str, message: str) -> str:
        """Commit the file with this text; return the commit. Raises RolloutError.

        The branch must be where it was: of two writers one fails.
        """
        blob = _git(self.root, "hash-object", "-w", "--stdin", given=text).strip()
        mode = _git(self.root, "ls-tree", self.base, "--", self.path).split(" ")[0]
        entry = f"{mode},{blob},{self.path}"
        with tempfile.TemporaryDirectory() as folder:
            index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
            _git(self.root, "read-tree", self.base, env=index)
            _git(self.root, "update-index", "--cacheinfo", entry, env=index)
            tree = _git(self.root, "write-tree", env=index).strip()
        made = ("commit-tree", tree, "-p", self.base, "-m", message)
        commit = _git(self.root, *made).strip()
        moved = f"refs/heads/{self.name}", commit, self.old or "0" * len(commit)
        _git(self.root, "update-ref", "-m", "intent-canary", *moved)
        if self.is_checked_out:
            (self.root / self.path).write_text(text, encoding="utf-8")
            _git(self.root, "update-index", "--cacheinfo", entry)
        return commit[:12]

    def push(self) -> None:
        """Push the branch. Raises RolloutError, without a URL that has a password."""
        name = f"refs/heads/{self.name}"
        said = f"git push {self.remote} {self.name}: refused; do it by hand"
        _git(self.root, "push", "--quiet", self.remote, f"{name}:{name}", text=said)


def branch(file: Path, name: str) -> Branch:
    """Return the branch of the repository that holds `file`. Raises RolloutError.

    Nothing else of the work tree matters, nor what is checked out.
    """
    folder = file.resolve().parent
    outside = f"{file}: in no Git repository"
    root = Path(_git(folder, "rev-parse", "--show-toplevel", text=outside).strip())
    path = file.resolve().relative_to(root.resolve()).as_posix()
    _git(root, "check-ref-format", "--branch", name, text=f"{name!r} names no branch")
    head = _git(root, "rev-parse", "--verify", "HEAD", text=f"{root}: has no commit")
    untracked = f"{file}: not in Git; add and commit it first"
    _git(root, "ls-files", "--error-unmatch", "--", path, text=untracked)
    if _git(root, "status", "--porcelain", "--", path):
        raise RolloutError(f"{file}: differs from what is committed; commit it first")
    _git(root, "var", "GIT_COMMITTER_IDENT", text="set user.name and user.email in Git")
    current = _or_none(root, "symbolic-ref", "--quiet", "HEAD")
    full = f"refs/heads/{name}"
    if f"branch {full}\n" in _elsewhere(root):
        raise RolloutError(f"branch {name} is checked out in another work tree")
    old = _or_none(root, "rev-parse", "--verify", "--quiet", full)
    is_here, remote = current == full, _remote(root, name)
    found = Branch(name, root, path, old or head.strip(), old, is_here, remote)
    _ = found.text
    return found


def _elsewhere(root: Path) -> str:
    """Return what is checked out in the repository's other work trees."""
    listed = _git(root, "worktree", "list", "--porcelain").split("\n\n")
    return "\n".join(each + "\n" for each in listed if f"worktree {root}\n" not in each)


def _remote(root: Path, name: str) -> str:
    """Return the remote of a branch: its own, else the only one, else origin."""
    known = _git(root, "remote").split()
    own = _or_none(root, "config", f"branch.{name}.remote")
    wanted = [own, *(known if len(known) == 1 else ["origin"])]
    return next((each for each in wanted if each in known), "")


def _or_none(root: Path, *words: str) -> str:
    """Return what git prints, "" where it says no."""
    return _run(root, words, {}, "").stdout.strip()


def _git(
    root: Path,
    *words: str,
    text: str = "",
    given: str = "",
    env: Mapping[str, str] | None = None,
) -> str:
    """Return what git prints; where it fails, raise RolloutError with `text`."""
    done = _run(root, words, env or {}, given)
    if done.returncode:
        told = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[0]
        raise RolloutError(f"--git: {text or f'git {words[0]}: {told}'}")
    return done.stdout


def _run(
    root: Path, words: tuple[str, ...], env: Mapping[str, str], given: str
) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(
            ["git", *words],
            cwd=root,
            env={**os.environ, **QUIET, **env},
            input=given,
            capture_output=True,
            encoding="utf-8",
            timeout=TIMEOUT_S,
        )
    except FileNotFoundError as error:
        missing = "the program git is not here; without --git the file itself changes"
        raise RolloutError(f"--git: {missing}") from error
    except subprocess.TimeoutExpired as error:
        raise RolloutError(f"--git: git {words[0]}: {TIMEOUT_S:.0f} s") from error
