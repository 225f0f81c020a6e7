"""The names that `scripts.rollout` offers, and the example that explains them."""

import doctest
import subprocess
import sys

import pytest

from scripts import rollout


def test_the_list_is_sorted_complete_and_true() -> None:
    assert rollout.__all__ == sorted(rollout.__all__)
    assert set(rollout.__all__) == set(rollout._HOMES)
    for name in rollout.__all__:
        assert getattr(rollout, name).__module__.startswith("scripts.rollout.")


def test_the_example_runs() -> None:
    ran = doctest.testmod(rollout, optionflags=doctest.ELLIPSIS)
    assert ran.attempted >= 5
    assert ran.failed == 0


def test_a_name_that_is_not_there_is_said() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Champion'"):
        _ = rollout.Champion


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = "import sys, scripts.rollout; print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "False\n", done.stderr
