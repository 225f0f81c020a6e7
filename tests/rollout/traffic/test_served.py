"""The revision behind an address: its name and the digest of the model there."""

from pathlib import Path

import pytest
import urllib3
from pytest_httpserver import HTTPServer

from scripts.rollout.errors import Unreachable
from scripts.rollout.traffic.served import Served

HTTP = urllib3.PoolManager(retries=False)
PAGE = "/v2/models/intent"


def _serve(server: HTTPServer, digest: str) -> dict[str, str]:
    server.clear()
    answer = {"parameters": {"sha256": digest}}
    server.expect_request(PAGE).respond_with_json(answer)
    return {"v2": f"127.0.0.1:{server.port}"}


def test_an_exchanged_model_is_another_revision(
    httpserver: HTTPServer, tmp_path: Path
) -> None:
    served = Served(tmp_path / "served", "intent")
    served.learn(_serve(httpserver, "a" * 64), HTTP)
    assert served.revision("v2") == "v2-aaaaaaaa"
    served.learn(_serve(httpserver, "b" * 64), HTTP)
    assert served.revision("v2") == "v2-bbbbbbbb"


def test_a_server_that_never_answered_is_not_known_and_named_by_its_server(
    httpserver: HTTPServer, tmp_path: Path
) -> None:
    served = Served(tmp_path / "served", "intent")
    served.learn({"v2": "127.0.0.1:9"}, HTTP)
    assert (served.knows("v2"), served.revision("v2")) == (False, "v2")
    served.learn(_serve(httpserver, "a" * 64), HTTP)
    assert served.knows("v2")
    assert served.formerly == {"v2-aaaaaaaa": "v2"}


def test_a_dead_server_has_its_name_still_when_the_promoter_begins_anew(
    httpserver: HTTPServer, tmp_path: Path
) -> None:
    Served(tmp_path / "served", "intent").learn(_serve(httpserver, "a" * 64), HTTP)
    again = Served(tmp_path / "served", "intent")
    again.learn({"v2": "127.0.0.1:9"}, HTTP)
    assert again.revision("v2") == "v2-aaaaaaaa"


@pytest.mark.parametrize("answer", [{}, {"parameters": []}, [1]])
def test_a_server_that_tells_no_digest_has_its_own_name(
    httpserver: HTTPServer, tmp_path: Path, answer: object
) -> None:
    httpserver.expect_request(PAGE).respond_with_json(answer)
    served = Served(tmp_path / "served", "intent")
    served.learn({"v2": f"127.0.0.1:{httpserver.port}"}, HTTP)
    assert served.revision("v2") == "v2"


def test_a_folder_that_cannot_be_written_is_named(
    httpserver: HTTPServer, tmp_path: Path
) -> None:
    served = Served(tmp_path / "absent" / "served", "intent")
    with pytest.raises(Unreachable, match="absent"):
        served.learn(_serve(httpserver, "a" * 64), HTTP)
