"""Counters from CloudWatch's periods: each is read once, some time after its end.

A point that is published later changes nothing: what was decided stays as it was.
"""

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import product
from typing import Any

from scripts.rollout.errors import Unreachable
from scripts.rollout.metrics.cloudwatch.aws import Api
from scripts.rollout.metrics.cloudwatch.ledger import Ledger
from scripts.rollout.metrics.port import (
    ERRORS,
    READ_AT,
    REQUESTS,
    STARTED,
    TIMED,
    UP_TO,
    Reading,
    Scraped,
)
from scripts.rollout.policy.policy import Policy
from scripts.rollout.policy.values import Periods

NAMESPACE = "AWS/SageMaker"
LATENCY = "ModelLatency"
# A container that gives no answer at all is in the second alone, callers' faults in the
# second and the third.
FAILED, FAULTY, CALLERS = (
    "Invocation5XXErrors",
    "InvocationModelErrors",
    "Invocation4XXErrors",
)
MICRO = 1_000_000
LONGEST_S = 3600.0  # of what was missed: points of less than a minute live three hours
COMPLETE = "Complete"


class CloudWatch:
    """Both variants' requests, errors and durations."""

    def __init__(
        self,
        ask: Api,
        endpoint: str,
        variants: Callable[[], Mapping[str, str]],
        ledger: Ledger,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Ask `variants` for the variant of each revision."""
        self._ask, self._endpoint, self._variants = ask, endpoint, variants
        self._ledger, self._now = ledger, now
        self._periods = Periods()
        self._edges: tuple[float, ...] = ()

    def judging(self, policy: Policy) -> "CloudWatch":
        """Return the source that counts what a policy judges."""
        self._periods = policy.source.cloudwatch
        slos = (each.slo for each in policy.metrics if each.slo is not None)
        self._edges = tuple(sorted(set(slos)))
        return self

    def read(self, revisions: Sequence[str]) -> Scraped:
        """Return the counters up to the newest closed period. Raises RemoteError."""
        length = self._periods.period
        end = math.floor((self._now() - self._periods.lag) / length) * length
        book = self._ledger.book
        known = {k: v for k, v in self._variants().items() if k in revisions}
        if not book.upto:
            self._ledger.keep(book.added({name: {} for name in known}, end))
        elif end > book.upto:
            begin = max(book.upto, end - LONGEST_S, book.since)
            found = self._counted(known, begin, end)
            self._ledger.keep(book.added(found, end))
        return Scraped(self._reading(known))

    def history(
        self, revision: str, seconds: float, step: float
    ) -> list[tuple[float, Reading]]:
        """Return []: an earlier model of the same variant may be in CloudWatch's."""
        del revision, seconds, step
        return []

    def _reading(self, revisions: Iterable[str]) -> Reading:
        book = self._ledger.book
        always = {STARTED: book.began, READ_AT: book.upto, REQUESTS: 0.0, ERRORS: 0.0}
        edges = {f"{UP_TO}{edge:g}": 0.0 for edge in self._edges}
        timed = {TIMED: 0.0, **edges} if edges else {}
        return {
            name: {
                f"cloudwatch {book.began:.0f}": {
                    **always,
                    **timed,
                    **book.counted.get(name, {}),
                }
            }
            for name in revisions
        }

    def _stats(self) -> dict[tuple[str, str], str]:
        """Return metric and statistic to the counter that they make."""
        stats = {("Invocations", "Sum"): REQUESTS}
        stats |= {(each, "Sum"): each for each in (FAILED, FAULTY, CALLERS)}
        if self._edges:
            stats[LATENCY, "SampleCount"] = TIMED
        for edge in self._edges:
            stats[LATENCY, f"TC(:{edge * MICRO:.0f})"] = f"{UP_TO}{edge:g}"
        return stats

    def _counted(
        self, variants: Mapping[str, str], begin: float, end: float
    ) -> dict[str, dict[str, float]]:
        """Return what was counted in the periods that lie between two times."""
        found: dict[str, dict[str, float]] = {name: {} for name in variants}
        if begin >= end:
            return found
        asked = list(product(variants.items(), self._stats().items()))
        queries = [
            self._query(f"q{number}", variant, *metric)
            for number, ((_, variant), (metric, _)) in enumerate(asked)
        ]
        points = self._points(queries, begin, end)
        by_time: dict[tuple[str, float], dict[str, float]] = {}
        for number, ((name, _), (_, key)) in enumerate(asked):
            for at, value in points.get(f"q{number}", ()):
                if begin <= at < end:
                    by_time.setdefault((name, at), {})[key] = value
        for (name, _), sums in by_time.items():
            for key, value in _with_errors(sums).items():
                found[name][key] = found[name].get(key, 0.0) + value
        return found

    def _query(self, name: str, variant: str, metric: str, stat: str) -> dict[str, Any]:
        pairs = {"EndpointName": self._endpoint, "VariantName": variant}
        return {
            "Id": name,
            "MetricStat": {
                "Metric": {
                    "Namespace": NAMESPACE,
                    "MetricName": metric,
                    "Dimensions": [{"Name": k, "Value": v} for k, v in pairs.items()],
                },
                "Period": int(self._periods.period),
                "Stat": stat,
            },
        }

    def _points(
        self, queries: list[dict[str, Any]], begin: float, end: float
    ) -> dict[str, list[tuple[float, float]]]:
        """Return each query's points, all pages of them. Raises RemoteError."""
        found: dict[str, list[tuple[float, float]]] = {}
        asked: dict[str, Any] = {
            "MetricDataQueries": queries,
            "StartTime": datetime.fromtimestamp(begin, UTC),
            "EndTime": datetime.fromtimestamp(end, UTC),
        }
        while True:
            answer = self._ask("get_metric_data", **asked)
            token = answer.get("NextToken")
            for each in answer["MetricDataResults"]:
                status = each.get("StatusCode", COMPLETE)
                if status != COMPLETE and not token:
                    raise Unreachable(f"get_metric_data: {status}")
                times = (at.timestamp() for at in each["Timestamps"])
                rows = zip(times, each["Values"], strict=True)
                found.setdefault(each["Id"], []).extend(rows)
            if not token:
                return found
            asked["NextToken"] = token


def _with_errors(sums: Mapping[str, float]) -> dict[str, float]:
    """Return a period's counters; no more errors than requests."""
    silent = sums.get(FAULTY, 0.0) - sums.get(CALLERS, 0.0)
    errors = max(sums.get(FAILED, 0.0), silent)
    own = {k: v for k, v in sums.items() if k not in (FAILED, FAULTY, CALLERS)}
    return {**own, ERRORS: min(errors, sums.get(REQUESTS, 0.0))}
