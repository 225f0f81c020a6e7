"""The commands of manifests/vm's page and the demo of this home, in a copy."""

import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from scripts.local.processes import find, free_ports
from tests.support import checkout, documentation
from tests.support.vm import haproxy

PAGE = "manifests/vm/README.md"

pytestmark = pytest.mark.timeout(480)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    return checkout.copy(tmp_path)


def _sh(clone: Path, block: str) -> tuple[int, str]:
    """Run commands there, with the programs of `pip install` and HAProxy's."""
    places = [clone.parent / "programs", clone / ".venv/bin", haproxy().parent]
    done = subprocess.run(
        ["sh", "-ec", block],
        cwd=clone,
        env={**os.environ, "PATH": ":".join([*map(str, places), os.environ["PATH"]])},
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout + done.stderr


def test_the_pages_commands_make_a_folder_and_check_it(clone: Path) -> None:
    (block,) = documentation.blocks(PAGE, "sh")
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze")
    code, said = _sh(clone, block)
    assert code == 0, said
    made = clone / "build" / "vm"
    assert list((made / "opt/intent").glob("intent_classifier-*.whl"))
    for version in ("v1", "v2"):
        assert "MODEL_SHA256=" in (made / f"etc/intent/{version}.env").read_text()


def test_the_demo_shows_a_promotion_and_a_rollback(clone: Path) -> None:
    (port,) = free_ports(1)
    code, said = _sh(clone, f"make demo BACKEND=haproxy PORT={port}")
    assert code == 0, said
    reports = [f"demo-{each}.html" for each in ("promoted", "rolled-back")]
    assert [name for name in reports if not (clone / ".local" / name).exists()] == []
    assert find(clone / ".local") == []


def test_the_demo_says_at_once_that_its_port_is_taken(clone: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        code, said = _sh(clone, f"make demo BACKEND=haproxy PORT={port}")
    assert code != 0
    assert f"error: port {port} is taken" in said
    assert find(clone / ".local") == []
