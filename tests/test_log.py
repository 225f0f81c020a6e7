"""predictor.log: JSON lines, without what is a caller's fault."""

import json
import logging
import sys
from collections import Counter
from typing import Any

import pytest
from kserve.errors import InvalidInput
from prometheus_client import CollectorRegistry

from predictor.log import CallersFaults, JsonFormatter, Summary
from predictor.metrics import Metrics
from predictor.protocol import Source
from tests.support.predictors import SCORER


def _record(fault: BaseException | None = None, **fields: Any) -> logging.LogRecord:
    info = None
    if fault is not None:
        try:
            raise fault
        except type(fault):
            info = sys.exc_info()
    record = logging.LogRecord("n", logging.ERROR, "f", 1, "said %s", ("it",), info)
    record.fields = fields
    return record


def test_a_line_is_one_json_object_with_its_fields() -> None:
    line = json.loads(JsonFormatter().format(_record(code=200)))
    assert (line["message"], line["level"], line["code"]) == ("said it", "ERROR", 200)


def test_our_own_fault_is_logged_with_its_cause() -> None:
    record = _record(RuntimeError("broken"))
    assert CallersFaults().filter(record)
    assert (
        "RuntimeError: broken"
        in json.loads(JsonFormatter().format(record))["exception"]
    )


@pytest.mark.parametrize("fault", [InvalidInput("no"), NotImplementedError("no")])
def test_a_callers_fault_is_not_logged(fault: Exception) -> None:
    assert not CallersFaults().filter(_record(fault))


def test_the_summary_counts_what_was_new_since_the_last() -> None:
    metrics = Metrics(Source("intent", "v1", "r"), SCORER, ("a",), CollectorRegistry())
    cut = Counter({"400": 7})
    summary = Summary(metrics, cut)
    metrics.observe_request("v1", "200", 0.001)
    cut["400"] += 2
    first, second = summary.take(), summary.take()
    assert first == {"requests_by_code": {"200": 1}, "connections_cut": {"400": 2}}
    assert second == {"requests_by_code": {"200": 0}, "connections_cut": {"400": 0}}
