"""The demo behind HAProxy waits for what still runs alone."""

from pathlib import Path

import pytest

from scripts.demo import vm
from scripts.local import processes
from scripts.local.processes import free_ports


def test_a_process_that_ended_is_named_with_its_last_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ends = ["sh", "-c", "sleep 0.5; echo no such model; exit 3"]
    child = processes.spawn(tmp_path, "v2", ends, {}, tmp_path / "v2.log")
    assert not vm.is_ready(child, free_ports(1)[0], tmp_path)
    said = capsys.readouterr().err
    assert f"v2 ended: no such model; see {tmp_path / 'v2.log'}" in said
