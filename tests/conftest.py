"""Fixtures that several files share."""

import os
import subprocess
from collections.abc import Iterator

import pytest
from hypothesis import settings
from pytest_httpserver import HTTPServer

from tests.support import commands
from tests.support.predictors import MODELS, Predictor, predictor

settings.register_profile("fuzz", max_examples=2500, derandomize=False)  # make fuzz


def pytest_addoption(parser: pytest.Parser) -> None:
    """--backend cluster: on the cluster that kubectl asks (make e2e)."""
    where = ("local", "cluster")
    parser.addoption("--backend", choices=where, default="local", help="of contract/")
    told = "leave out each test that starts a process (make quick)"
    parser.addoption("--no-processes", action="store_true", help=told)


@pytest.fixture(scope="session", autouse=True)
def _processes(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test is left out when it starts one: no list that a new test could miss."""
    with pytest.MonkeyPatch.context() as patch:
        if request.config.getoption("--no-processes"):
            patch.setattr(subprocess.Popen, "__init__", _leave_out)
            patch.setattr(os, "fork", _leave_out)
        yield


def _leave_out(*_: object, **__: object) -> None:
    pytest.skip("starts a process")


@pytest.fixture(scope="session", autouse=True)
def _environment_keeps_its_size() -> Iterator[None]:
    """typer sets this variable and takes it away whenever a command line is built.

    A thread that sends requests meanwhile, and so reads all variables, would fail.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYDANTIC_DISABLE_PLUGINS", "1")
        yield


@pytest.fixture(scope="session", autouse=True)
def _trained() -> None:
    missing = [each for each in ("v1", "v2") if not (MODELS / each).is_dir()]
    if missing:
        pytest.exit(f"models {missing} are not trained: make train", returncode=4)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Predictor]:
    """A predictor with v1, shared by all who only ask it."""
    with predictor(
        tmp_path_factory.mktemp("predictor"), "--revision=intent-predictor-00007"
    ) as running:
        yield running


@pytest.fixture(autouse=True)
def _nothing_is_left_running() -> Iterator[None]:
    yield
    commands.end_started()


@pytest.fixture(scope="session")
def make_httpserver() -> Iterator[HTTPServer]:
    """The server of `httpserver`, a thread a request: one that hangs stops no other."""
    with HTTPServer("127.0.0.1", threaded=True) as running:
        yield running
