"""A hook's command: its time is the whole time, and nothing of it stays."""

import os
from pathlib import Path

import psutil
import pytest

from scripts.rollout.integrations import hooks
from scripts.rollout.policy.integrations import Hook
from scripts.rollout.state.actions import Says
from tests.support.waiting import until


def _ask(script: str, timeout: str) -> tuple[Says, str]:
    hook = {"command": ["sh", "-c", script], "timeout": timeout}
    return hooks.ask(Hook.model_validate(hook), {})


def _is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _pids(folder: Path) -> list[int]:
    return [int(text) for each in folder.glob("*.pid") if (text := each.read_text())]


@pytest.mark.parametrize("end", ["wait", "exit 0"])
def test_what_a_command_started_ends_with_it(tmp_path: Path, end: str) -> None:
    started = f"sleep 600 & echo $! > {tmp_path}/1.pid; sleep 600 & "
    started += f"echo $! > {tmp_path}/2.pid; echo fine; {end}"
    says, reason = _ask(started, "2s" if end == "wait" else "60s")
    wanted = (Says.NOT_YET, "no answer for 2 s") if end == "wait" else None
    assert (says, reason) == (wanted or (Says.YES, "fine"))
    pids = _pids(tmp_path)
    assert end == "wait" or len(pids) == 2
    for pid in pids:
        until(lambda pid=pid: _is_gone(pid))  # type: ignore[misc]


def test_output_without_end_is_not_kept() -> None:
    says, reason = _ask("yes no; exit 0", "1s")
    assert (says, reason) == (Says.NOT_YET, "no answer for 1 s")
    says, reason = _ask("head -c 20000000 /dev/zero; echo; echo the end", "60s")
    assert (says, reason) == (Says.YES, "the end")


@pytest.mark.parametrize("script", [r"printf '\377\376\0'", "printf '%10000s' x"])
def test_odd_output_is_a_reason_of_one_line(script: str) -> None:
    says, reason = _ask(script, "60s")
    assert says is Says.YES
    assert len(reason) <= hooks.LONGEST_REASON


def test_a_command_whose_name_is_no_name_says_nothing_yet() -> None:
    says, reason = hooks.ask(Hook.model_validate({"command": ["a\0b"]}), {})
    assert (says, "null byte" in reason) == (Says.NOT_YET, True)


def test_no_descriptor_is_left_open() -> None:
    folder = Path(f"/proc/{os.getpid()}/fd")
    _ask("true", "60s")
    before = len(list(folder.iterdir()))
    for _ in range(20):
        _ask("sleep 600 & exit 0", "60s")
    until(lambda: len(list(folder.iterdir())) <= before)
