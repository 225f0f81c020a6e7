"""The HTTP API of a Prometheus server: questions, and answers of the right shape."""

import math
from collections.abc import Mapping
from time import monotonic
from typing import TypeVar

import msgspec
import urllib3

from scripts.rollout.bounded import MIB, ask, in_time
from scripts.rollout.errors import Unreachable
from scripts.rollout.metrics.failure import why
from scripts.rollout.metrics.port import MOST
from scripts.rollout.metrics.prometheus import login
from scripts.rollout.policy.prometheus import PrometheusServer

T = TypeVar("T")
MOST_BYTES = 16 * MIB  # of one answer
TIMEOUT_S, SHORTEST_S = 10.0, 0.001  # of a question, of one whose time is over
# What an answer may be instead of what was asked for; anything else has no name here.
SHAPES = ("scalar", "string", "matrix", "vector")
MOST_SAID = 200  # characters of a foreign error


class Odd(Exception):
    """An answer that is no counters; its text names no value, so it is said once."""


class Row(msgspec.Struct, frozen=True):
    """One series and its value at one time."""

    metric: dict[str, str]
    value: tuple[float, str]

    @property
    def number(self) -> float:
        """The value of a counter. Raises Odd."""
        return _number(self.value[1])


class Range(msgspec.Struct, frozen=True):
    """One series over time."""

    metric: dict[str, str]
    values: list[tuple[float, str]]

    def numbers(self) -> list[tuple[float, float]]:
        """Times and values; those that are no counter's are left out."""
        found = []
        for time, value in self.values:
            try:
                found.append((time, _number(value)))
            except Odd:
                continue
        return found


class _Data(msgspec.Struct, frozen=True):
    resultType: str
    result: msgspec.Raw


class _Answer(msgspec.Struct, frozen=True):
    status: str
    error: str = ""
    data: msgspec.Raw = msgspec.Raw(b"null")


class Api:
    """Asks one server."""

    def __init__(self, server: PrometheusServer) -> None:
        """Ask this server."""
        self._server, self._url = server, server.url.rstrip("/")
        self._http = in_time(urllib3.PoolManager(retries=False, ca_certs=server.ca))
        self._until = math.inf

    def begin(self, seconds: float) -> None:
        """Give the questions that follow `seconds` in all."""
        self._until = monotonic() + seconds

    def vector(self, query: str, at: float | None = None) -> list[Row]:
        """Each series now, or at a time. Raises Unreachable or Odd."""
        fields = {"query": query}
        if at is not None:
            fields["time"] = f"{at:.3f}"
        return _rows(self._ask("query", fields), "vector", list[Row])

    def matrix(self, query: str, **window: float) -> list[Range]:
        """Each series from `start` to `end` by `step`. Raises Unreachable or Odd."""
        fields = {name: f"{value:.3f}" for name, value in window.items()}
        data = self._ask("query_range", {"query": query, **fields})
        return _rows(data, "matrix", list[Range])

    def _left(self) -> float:
        return max(min(self._until - monotonic(), TIMEOUT_S), SHORTEST_S)

    def _ask(self, what: str, fields: Mapping[str, str]) -> msgspec.Raw:
        shown = login.headers(self._server)
        try:
            answer = ask(
                self._http,
                "POST",
                f"{self._url}/api/v1/{what}",
                fields=dict(fields),
                encode_multipart=False,
                headers=shown,
                most=MOST_BYTES,
                seconds=self._left(),
            )
        except urllib3.exceptions.HTTPError as error:
            raise Unreachable(f"{self._url}: {why(error)}") from error
        try:
            content = msgspec.json.decode(answer.data, type=_Answer)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise Unreachable(
                f"{self._url}: HTTP {answer.status}, and no answer of a Prometheus"
            ) from error
        if content.status != "success":
            said = content.error[:MOST_SAID] or f"HTTP {answer.status}"
            raise Unreachable(f"{self._url}: {said}")
        return content.data


def _rows(data: msgspec.Raw, wanted: str, kind: type[list[T]]) -> list[T]:
    try:
        found = msgspec.json.decode(data, type=_Data)
        if found.resultType == wanted:
            return msgspec.json.decode(found.result, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Odd("no series with a number each") from error
    shape = found.resultType if found.resultType in SHAPES else "another shape"
    raise Odd(f"a {shape}, expected a {wanted}")


def _number(text: str) -> float:
    try:
        found = float(text)
    except ValueError as error:
        raise Odd("text instead of a number") from error
    if not math.isfinite(found):
        raise Odd("NaN or Inf")
    if found < 0:
        raise Odd("less than zero")
    if found > MOST:
        raise Odd("more than can be counted")
    return found
