"""JSON log lines: startup, one summary per minute, requests only if asked for.

No line holds the text of a request, and a caller's fault leaves no traceback.
"""

import json
import logging
import logging.config
import threading
import time
import warnings
from collections.abc import Mapping
from typing import Any

from fastapi.exceptions import FastAPIDeprecationWarning
from grpc_interceptor.exceptions import GrpcException
from kserve.errors import InvalidInput, ModelNotFound

from predictor.metrics import Metrics

SUMMARY_INTERVAL_S = 60.0
CALLERS_FAULTS = (
    InvalidInput,
    ModelNotFound,
    NotImplementedError,
    GrpcException,
)

logger = logging.getLogger("predictor")


class JsonFormatter(logging.Formatter):
    """Writes one JSON object per line; fields come from the record's `fields`."""

    def format(self, record: logging.LogRecord) -> str:
        """Render time, level, logger, message, fields, and the cause of an error."""
        line: dict[str, Any] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created)),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= getattr(record, "fields", {})
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


class CallersFaults(logging.Filter):
    """Drops the SDK's error records and tracebacks about bad requests."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep everything but a caller's fault."""
        return not (record.exc_info and isinstance(record.exc_info[1], CALLERS_FAULTS))


def configure() -> None:
    """Send all loggers to standard error as JSON; silence the lines per request."""
    logging.captureWarnings(True)
    # The SDK's routes use a response class that its FastAPI calls deprecated.
    warnings.filterwarnings("ignore", category=FastAPIDeprecationWarning)
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"json": {"()": JsonFormatter}},
            "filters": {"callers": {"()": CallersFaults}},
            "handlers": {
                "stderr": {
                    "class": "logging.StreamHandler",
                    "formatter": "json",
                    "filters": ["callers"],
                }
            },
            "root": {"handlers": ["stderr"], "level": "INFO"},
            "loggers": {
                "kserve": {"handlers": ["stderr"], "propagate": False},
                "kserve.trace": {"level": "WARNING"},
                "uvicorn.access": {"handlers": [], "propagate": False},
            },
        }
    )


class Summary:
    """Requests by code, and connections cut by reason, since the previous summary."""

    def __init__(self, metrics: Metrics, cut: Mapping[str, int]) -> None:
        """Begin counting now."""
        self._metrics, self._cut = metrics, cut
        self._before = self._now()

    def take(self) -> dict[str, dict[str, int]]:
        """Return the counts since the previous summary, for every known key."""
        now, before = self._now(), self._before
        self._before = now
        return {
            field: {key: n - before[field].get(key, 0) for key, n in counts.items()}
            for field, counts in now.items()
        }

    def _now(self) -> dict[str, dict[str, int]]:
        codes = self._metrics.requests_by_code()
        return {"requests_by_code": codes, "connections_cut": dict(self._cut)}


def summarise(metrics: Metrics, cut: Mapping[str, int]) -> None:
    """Log a summary every minute, from a daemon thread."""
    summary = Summary(metrics, cut)

    def run() -> None:
        while True:
            time.sleep(SUMMARY_INTERVAL_S)
            logger.info("summary", extra={"fields": summary.take()})

    threading.Thread(target=run, name="summary", daemon=True).start()
