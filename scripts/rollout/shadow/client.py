"""Asks one arm one request as a user asked it, and measures the answer."""

import math
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import urllib3

from scripts.rollout.bounded import MIB, ask
from scripts.rollout.shadow import requests, wire
from scripts.rollout.shadow.pairs import Outcome
from scripts.rollout.shadow.requests import GRPC, Answers, Lent

TIMEOUT_S = 10.0  # a longer answer counts as a failure
MARK = "x-intent-traffic"
LONGEST_LABEL = 256  # characters
FAULTS = (ValueError, LookupError, TypeError, RecursionError)  # of an odd answer
MOST_BYTES = 16 * MIB  # 1,024 texts of a model with 151 intents are 5 MiB
LARGEST = [("grpc.max_receive_message_length", MOST_BYTES)]


class Client:
    """Asks predictors, with a header that marks the requests as the promoter's."""

    def __init__(self, http: urllib3.PoolManager, name: str) -> None:
        """Ask over `http`, marked with the `name` of the texts' source."""
        self._http, self._name, self.mark = http, name, MARK
        self._calls: dict[str, Callable[..., bytes]] = {}
        self._channels: list[Any] = []

    def ask(self, door: str, lent: Lent, grpc_port: int | None) -> Outcome:
        """Ask the predictor at `door`; gRPC requests at its `grpc_port`."""
        start = time.perf_counter()
        if lent.protocol == GRPC and grpc_port is not None:
            found = self._over_grpc(f"{urlsplit(door).hostname}:{grpc_port}", lent)
        else:
            found = self._over_http(door, lent.over_http)
        took = time.perf_counter() - start
        if found is None:
            return Outcome(took, is_silent=True)
        if not _is_whole(found, lent):
            found = ()
        labels, confidences = zip(*found, strict=True) if found else ((), ())
        return Outcome(took, labels, confidences)

    def close(self) -> None:
        """Close the connections of gRPC."""
        for channel in self._channels:
            channel.close()

    def _over_http(self, door: str, lent: Lent) -> Answers | None:
        """Return the answers, () for a failure, None without any answer."""
        message = requests.message(lent)
        try:
            answer = ask(
                self._http,
                "POST",
                door + message.path,
                body=message.body,
                headers={
                    **self._http.headers,
                    **message.headers,
                    self.mark: self._name,
                },
                seconds=TIMEOUT_S,
                most=MOST_BYTES,
            )
            return requests.answers(lent, answer.data) if answer.status == 200 else ()
        except urllib3.exceptions.HTTPError:
            return None
        except FAULTS:
            return ()

    def _over_grpc(self, address: str, lent: Lent) -> Answers | None:
        import grpc  # imported here: 0.1 s, and few have users who speak it

        if address not in self._calls:
            channel = grpc.insecure_channel(address, LARGEST)
            self._channels.append(channel)
            self._calls[address] = channel.unary_unary(wire.METHOD)
        try:
            sent, marked = wire.request(lent), [(self.mark, self._name)]
            answer = self._calls[address](sent, timeout=TIMEOUT_S, metadata=marked)
            return wire.answers(answer)
        except grpc.RpcError as error:
            is_silent = error.code() is grpc.StatusCode.UNAVAILABLE
            return None if is_silent else ()
        except FAULTS:
            return ()


def _is_whole(found: Answers, lent: Lent) -> bool:
    """Return whether each text has an answer, of a size that a state can keep."""
    return len(found) == len(lent.texts) and all(
        len(label) <= LONGEST_LABEL and math.isfinite(confidence)
        for label, confidence in found
    )
