"""Collected on a cluster only: python -m tests.e2e."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.cluster_stage import RESULTS, ClusterStage, stage


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Nothing here is a test of this machine."""
    is_test = collection_path.name.startswith("test_")
    if is_test and config.getoption("--backend") == "local":
        return True
    return None


@pytest.fixture
def on(tmp_path: Path) -> Iterator[ClusterStage]:
    """A stable in a namespace of its own."""
    with stage(tmp_path) as built:
        yield built


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand the results of one of several processes over."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["rollouts"] = RESULTS


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """Take the results of a process over."""
    del error
    RESULTS.extend(getattr(node, "workeroutput", {}).get("rollouts", ()))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What each scenario led to, and what its users met."""
    if not RESULTS:
        return
    terminalreporter.section("rollouts")
    terminalreporter.write_line(f"{'scenario':<40} exit  seconds   bad  answers")
    for name, code, seconds, bad, answers in RESULTS:
        counts = f"{seconds:>7.1f} {bad:>5} {answers:>8}"
        terminalreporter.write_line(f"{name:<40} {code:>4}  {counts}")
