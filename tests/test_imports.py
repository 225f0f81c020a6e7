"""What the contracts of import-linter (pyproject.toml, `make lint`) cannot say."""

from scripts.local.processes import ROOT


def test_the_environment_is_read_at_the_predictors_door_only() -> None:
    readers = {
        path.name
        for path in (ROOT / "predictor").glob("*.py")
        if "environ" in path.read_text() or "argv" in path.read_text()
    }
    assert readers == {"command.py"}
