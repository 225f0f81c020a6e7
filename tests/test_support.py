"""tests.support: what could pass although nothing happened fails."""

import signal
import subprocess
import sys

import pytest

from scripts.inference.clients import Answer
from tests.support import commands
from tests.support.stage import LEAST, check_answered
from tests.support.waiting import until

READY = "import time; print('ready', flush=True); time.sleep(60)"
GOOD = Answer("hi", "greeting", 0.9, "v1", "r1", "200", 2.0, "")
BAD = Answer("hi", "", 0.0, "", "r1", "500", 2.0, "boom")


def test_no_request_failed_means_that_requests_were_sent() -> None:
    check_answered([GOOD] * LEAST)
    with pytest.raises(AssertionError, match="only 0 requests were sent"):
        check_answered([])
    with pytest.raises(AssertionError, match="boom"):
        check_answered([GOOD] * LEAST + [BAD])


def test_waiting_ends_and_shows_what_there_was_instead() -> None:
    assert until(lambda: "found") == "found"
    with pytest.raises(AssertionError, match=r"not within 0\.1 s: only this"):
        until(lambda: False, 0.1, lambda: "only this")


def test_a_command_hears_ctrl_c_though_the_tests_run_in_the_background() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process = commands.start([sys.executable, "-c", READY], stdout=subprocess.PIPE)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == -signal.SIGINT


def test_what_a_test_has_started_ends_with_it() -> None:
    process = commands.start([sys.executable, "-c", READY], stdout=subprocess.PIPE)
    commands.end_started()
    assert process.returncode == -signal.SIGTERM
