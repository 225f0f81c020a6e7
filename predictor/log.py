"""JSON log lines: startup, one summary per minute, requests only if asked for.

No line holds the text of a request, and a caller's fault leaves no traceback.
"""

import json
import logging
import logging.config
import threading
import time
import warnings
from typing import Any

from fastapi.exceptions import FastAPIDeprecationWarning
from grpc_interceptor.exceptions import PermissionDenied
from kserve.errors import InvalidInput, ModelNotFound

from predictor.metrics import Metrics

SUMMARY_INTERVAL_S = 60.0
CALLERS_FAULTS = (
    InvalidInput,
    ModelNotFound,
    NotImplementedError,
    PermissionDenied,
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
    """Requests by code since the previous summary."""

    def __init__(self, metrics: Metrics) -> None:
        """Begin counting now."""
        self._metrics = metrics
        self._before = metrics.requests_by_code()

    def take(self) -> dict[str, int]:
        """Return the counts since the previous summary, for every known code."""
        now = self._metrics.requests_by_code()
        counts = {code: n - self._before.get(code, 0) for code, n in now.items()}
        self._before = now
        return counts


def summarise(metrics: Metrics) -> None:
    """Log a summary every minute, from a daemon thread."""
    summary = Summary(metrics)

    def run() -> None:
        while True:
            time.sleep(SUMMARY_INTERVAL_S)
            fields = {"requests_by_code": summary.take()}
            logger.info("summary", extra={"fields": fields})

    threading.Thread(target=run, name="summary", daemon=True).start()
