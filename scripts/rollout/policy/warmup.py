"""The policy's warm-up: how many requests, and for how long."""

import json
from typing import Annotated, Any

from pydantic import Field, model_validator

from scripts.rollout.policy.values import Part, SomeSeconds

Path = Annotated[str, Field(pattern=r"^/")]
Body = dict[str, Any] | list[Any] | str


def sent(body: Body | None) -> str:
    """Return a body as it is sent: a text as it is, else its JSON."""
    if body is None or isinstance(body, str):
        return body or ""
    return json.dumps(body, ensure_ascii=False)


class Warmup(Part):
    """The requests that the canary answers before the first step, past the gateway.

    `requests` go to each pod by each protocol in a round; 0 sends none. Rounds follow
    until for `quiet` no answer failed, none was over an slo and the median fell by at
    most a quarter, or until `settle` is over. `path` and `body` are the request of a
    model that answers neither V1 nor V2: JSON, or a text that is sent as it is.
    """

    requests: Annotated[int, Field(strict=True, ge=0, le=10_000)] = 20
    # Chosen by hand: about 60 answers of a fast model. One slow answer in five is met
    # by all of them once in a million times, one failure in fifty not in three of ten.
    quiet: SomeSeconds = 2.0
    settle: SomeSeconds = 60.0  # by hand: what loads lazily is there within a minute
    path: Path | None = None
    body: Body | None = None

    @property
    def sent(self) -> str:
        """Return the body as it is sent."""
        return sent(self.body)

    @model_validator(mode="after")
    def _has_both(self) -> "Warmup":
        if (self.path is None) != (self.body is None):
            raise ValueError("path and body are one request: expected both or neither")
        return self

    @model_validator(mode="after")
    def _has_time_to_settle(self) -> "Warmup":
        if self.settle < self.quiet:
            raise ValueError(
                f"settle: expected at least quiet, {self.quiet:g}s, got "
                f"{self.settle:g}s"
            )
        return self


def requests(value: object) -> object:
    """Read a number as that many requests."""
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return {"requests": value} if is_number else value
