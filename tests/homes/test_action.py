"""action.yml and GitLab's lines, as a runner's shell runs them, in a folder."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from scripts.local.processes import ROOT
from scripts.rollout.errors import Exit
from tests.support import documentation

ACTION = yaml.safe_load((ROOT / "action.yml").read_text())
STEPS: list[dict[str, Any]] = ACTION["runs"]["steps"]
SHELL = ("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c")
# `run` moves the traffic of a folder; every other verb is the real one.
# The path of Python may have a space in it, which a first line of a script may not.
CANARY = f"""\
#!/bin/sh
'''exec' "{sys.executable}" "$0" "$@"
' '''
import sys
from pathlib import Path
sys.path.insert(0, {str(ROOT)!r})
from scripts.canary import main
from scripts.rollout.journal.broadcast import Broadcast, copy_to
from scripts.rollout.loop.runner import Runner
from scripts.rollout.loop.world import World
from tests.support.folder_world import FolderWorld
from tests.support.worlds import POLICY, policy
if sys.argv[1] != "run":
    sys.exit(main())
if sys.argv[3] != "rollout.yaml":
    print(f"error: {{sys.argv[3]}}: No such file or directory", file=sys.stderr)
    sys.exit(2)
on = FolderWorld(Path("world"), bad=float(Path("bad").read_text()))
heard = Broadcast(on.journal, copy_to(sys.argv[sys.argv.index("--journal") + 1], print))
world = World(on, on, heard, on.now, lambda _: None, print)
sys.exit(Runner(policy(), POLICY, world).run())
"""


def _program(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


class Job:
    """A job of a runner: its files, and the programs on its path."""

    def __init__(self, folder: Path, bad: float, **inputs: str) -> None:
        self.folder = folder
        given = ACTION["inputs"].items()
        defaults = {name: str(each.get("default", "")) for name, each in given}
        self._inputs = {**defaults, "policy": "rollout.yaml", **inputs}
        for name in ("bin", "world", "temp"):
            (folder / name).mkdir()
        (folder / "bad").write_text(str(bad))
        _program(folder / "bin" / "intent-canary", CANARY)
        _program(folder / "bin" / "kubectl", '#!/bin/sh\necho "$@" >>kubectl.txt\n')
        self._env = {
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
            "RUNNER_TEMP": str(folder / "temp"),
            **{name: str(folder / name) for name in ("GITHUB_OUTPUT", "GITHUB_PATH")},
            "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
        }

    def run(self) -> int:
        """Run every step that is due; the first exit code that is not 0."""
        for step in STEPS:
            if self._is_due(step.get("if", "")):
                env = {key: self._filled(v) for key, v in step.get("env", {}).items()}
                code = self.shell(step["run"], env)
                if code:
                    return code
        return 0

    def shell(self, script: str, env: Mapping[str, str] = MappingProxyType({})) -> int:
        """Run a script in the job's folder; its exit code."""
        env = {**os.environ, **self._env, **env}
        done = subprocess.run([*SHELL, script], cwd=self.folder, env=env, timeout=100)
        return done.returncode

    def _filled(self, value: str) -> str:
        def found(name: re.Match[str]) -> str:
            return self._inputs[name[1]]

        return re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", found, value)

    def _is_due(self, condition: str) -> bool:
        if not condition:
            return True
        name, value = re.fullmatch(r"inputs\.([\w-]+) != '(.*)'", condition).groups()  # type: ignore[union-attr]
        return self._inputs[name] != value

    def text(self, name: str) -> str:
        """What the steps wrote to a file."""
        path = self.folder / name
        return path.read_text() if path.exists() else ""


def test_the_verdict_is_the_check_and_the_summary_says_why(tmp_path: Path) -> None:
    job = Job(tmp_path, 0.3, installed="true", manifest="isvc v2.yaml")
    code = job.run()
    assert code == Exit.ROLLED_BACK
    assert job.text("kubectl.txt") == "apply -f isvc v2.yaml\n"
    assert job.text("GITHUB_OUTPUT") == f"exit-code={int(code)}\n"
    assert "r-00002 was rolled back" in job.text("summary.md")
    assert "| errors |" in job.text("summary.md")


def test_a_policy_that_is_refused_fails_the_step_and_writes_no_summary(
    tmp_path: Path,
) -> None:
    job = Job(tmp_path, 0.0, installed="true", policy="gone; exit 0")
    assert job.run() == Exit.USAGE
    assert job.text("GITHUB_OUTPUT") == "exit-code=2\n"
    assert job.text("summary.md") == job.text("kubectl.txt") == ""


def test_gitlabs_lines_give_the_verdict_and_keep_the_report(tmp_path: Path) -> None:
    blocks = map(yaml.safe_load, documentation.blocks("docs/cluster.md", "yaml"))
    (lines,) = [each["rollout"] for each in blocks if "rollout" in each]
    job = Job(tmp_path, 0.3)
    codes = [
        job.shell(line.replace("python -m scripts.canary", "intent-canary"))
        for line in (*lines["script"], *lines["after_script"])
    ]
    assert codes == [Exit.ROLLED_BACK, 0]
    journal, report = map(job.text, lines["artifacts"]["paths"])
    assert '"begin"' in journal
    assert "r-00002 was rolled back" in report


def test_no_input_is_part_of_a_script() -> None:
    """An input in a script could end the line that it stands in."""
    assert not any("${{" in step["run"] for step in STEPS)
    assert all(step["shell"] == "bash" for step in STEPS)


def test_it_installs_what_is_locked() -> None:
    script = STEPS[0]["run"]
    assert "--require-hashes" in script
    for name in re.findall(r"\$ACTION/([\w.-]+)", script):
        assert (ROOT / name).is_file()
