"""What a test of local mode starts ends with it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.local import processes


@pytest.fixture(autouse=True)
def _nothing_of_its_folder_is_left_running(tmp_path: Path) -> Iterator[None]:
    yield
    processes.end(processes.find(tmp_path), grace_s=0.1)
