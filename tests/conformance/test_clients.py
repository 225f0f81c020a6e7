"""Each foreign client's script runs to its end against a running predictor."""

import pytest

from tests.support.commands import run
from tests.support.predictors import Predictor


@pytest.mark.parametrize("script", ["triton_http", "triton_grpc", "kserve_client"])
def test_client(server: Predictor, script: str) -> None:
    rest = server.url.removeprefix("http://")
    urls = {
        "triton_http": (rest,),
        "triton_grpc": (server.grpc,),
        "kserve_client": (server.url, server.grpc),
    }
    code, printed = run(f"tests.conformance.{script}", *urls[script])
    assert code == 0, printed
    assert printed.rstrip().endswith(("agrees", "agree"))
