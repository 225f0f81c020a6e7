"""Schemathesis draws requests from two descriptions, and holds each answer to them."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import load_all_checks
from schemathesis.specs.openapi.checks import (
    negative_data_rejection,
    positive_data_acceptance,
)

from tests.conformance.open_inference import document
from tests.support.predictors import Predictor

MODES = list(schemathesis.GenerationMode)
# No schema says all that a request must be: a shape that fits its data, a text that is
# not blank, and of the protocol's requests the one tensor that this model takes.
UNSAID = (positive_data_acceptance, negative_data_rejection)
V2 = "/v2/models/intent/infer"
SHARE = 5  # of hypothesis' number of examples: each is a request
load_all_checks()


@pytest.fixture(scope="module")
def session() -> requests.Session:
    return requests.Session()


@pytest.fixture(scope="module")
def posts(server: Predictor) -> list[Any]:
    """What /openapi.json says can be asked with a body."""
    found = requests.get(f"{server.url}/openapi.json", timeout=5).json()
    return _operations(found, "post")


def _operations(described: dict[str, Any], method: str) -> list[Any]:
    schema = schemathesis.openapi.from_dict(described)
    operations: list[Any] = [each.ok() for each in schema.get_all_operations()]  # type: ignore[union-attr]
    return [each for each in operations if each.method == method]


def _statuses(
    operation: Any,
    mode: schemathesis.GenerationMode,
    server: Predictor,
    session: requests.Session,
    left_out: Sequence[Any] = UNSAID,
) -> Counter[int]:
    """Ask what is drawn; return how often each status was answered."""
    found: Counter[int] = Counter()
    examples = settings().max_examples // SHARE

    @settings(
        deadline=None,
        max_examples=examples,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        answer = case.call(base_url=server.url, session=session, timeout=30)
        case.validate_response(answer, excluded_checks=list(left_out))
        found[answer.status_code] += 1

    ask()
    return found


def test_what_is_valid_by_openapi_json_is_answered_as_it_says(
    server: Predictor, session: requests.Session, posts: list[Any]
) -> None:
    mode = schemathesis.GenerationMode.POSITIVE
    for operation in posts:
        found = _statuses(operation, mode, server, session)
        assert set(found) <= {200, 400}
        assert found[200] or operation.path == V2, operation.path


def test_what_is_invalid_by_openapi_json_is_refused(
    server: Predictor, session: requests.Session, posts: list[Any]
) -> None:
    mode = schemathesis.GenerationMode.NEGATIVE
    for operation in posts:
        found = _statuses(operation, mode, server, session, left_out=())
        assert set(found) == {400}, operation.path


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_what_is_drawn_from_the_open_protocol_is_answered_as_it_says(
    server: Predictor, session: requests.Session, mode: schemathesis.GenerationMode
) -> None:
    (infer,) = _operations(document("intent"), "post")
    assert _statuses(infer, mode, server, session)


def test_what_is_told_is_told_as_the_open_protocol_says(
    server: Predictor, session: requests.Session
) -> None:
    mode = schemathesis.GenerationMode.POSITIVE
    for operation in _operations(document("intent"), "get"):
        found = _statuses(operation, mode, server, session)
        assert set(found) == {200}, operation.path
