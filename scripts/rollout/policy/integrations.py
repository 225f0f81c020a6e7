"""The parts of the policy for hooks, webhooks, shadow and synthetic requests."""

import re
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from scripts.rollout.policy.values import (
    Address,
    Key,
    Link,
    Part,
    SomeSeconds,
    fraction,
)
from scripts.rollout.policy.warmup import Body, Path, sent

TEXT = "{text}"  # stands for a sentence in a request of the policy's own
USER = re.compile(r"://[^/\s]*@")
PAGERDUTY = "https://events.pagerduty.com/v2/enqueue"


class Webhook(Part):
    """A receiver of every transition, in the form that it knows: `json` is our own.

    `key` is PagerDuty's integration key. `link` is shown beside each message.
    """

    url: Address | None = None
    format: Literal["json", "slack", "teams", "pagerduty", "cloudevent"] = "json"
    key: Key | None = None
    link: Link | None = None

    @model_validator(mode="after")
    def _is_whole(self) -> "Webhook":
        if (self.key is not None) != (self.format == "pagerduty"):
            raise ValueError("expected key with format pagerduty, and only there")
        if self.url is None and self.format != "pagerduty":
            raise ValueError("expected url")
        return self

    @property
    def address(self) -> str:
        """Return the URL, with what it leaves out."""
        return self.url or PAGERDUTY


class Hook(Part):
    """A command or a URL that must agree before a raise.

    Exit code 0 or a status below 300 says yes; exit code 1 or status 403 says no, which
    rolls back. Anything else, also no answer within `timeout`, says not yet.
    """

    command: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    url: Address | None = None
    timeout: SomeSeconds = 30.0

    @model_validator(mode="after")
    def _is_one_of_both(self) -> "Hook":
        if (self.command is None) == (self.url is None):
            raise ValueError("expected command: [...] or url: https://..., one of both")
        if any(USER.search(word) for word in self.command or ()):
            raise ValueError(
                "expected no user in a command's URL, for it is in every journal; the "
                "command has the variables of the promoter"
            )
        return self


class Hooks(Part):
    """The hooks before the first weight and before each raise, and one at the end."""

    pre: Hook | None = None
    confirm: Hook | None = None
    post: Hook | None = None


class Shadow(Part):
    """A share of the users' requests that both arms are asked once more.

    The predictors lend them to a promoter with their RECORDING_TOKEN.
    `stands_for_users`: pairs count for the last gate, beside the users' own requests.
    """

    share: Annotated[float, BeforeValidator(fraction), Field(gt=0, le=1)]
    stands_for_users: bool = False


class Synthetic(Part):
    """Requests per second to both arms, with sentences of a file, one per line.

    `counts`: whether they are evidence, or only displayed; `stands_for_users` as with
    shadow. `path` and `body` are the request of a model of another form, in which
    {text} stands for the sentence.
    """

    rps: Annotated[float, Field(gt=0, le=1000)]
    texts: str
    counts: bool = False
    stands_for_users: bool = False
    path: Path | None = None
    body: Body | None = None

    @model_validator(mode="after")
    def _is_whole(self) -> "Synthetic":
        if (self.path is None) != (self.body is None):
            raise ValueError("path and body are one request: expected both or neither")
        if self.body is not None and TEXT not in sent(self.body):
            raise ValueError(f"body: expected {TEXT}, where the sentence goes")
        return self


class Pairs(Part):
    """The part of a policy that asks both arms beside the users' requests."""

    shadow: Shadow | None = None
    synthetic: Synthetic | None = None

    @property
    def has_pairs(self) -> bool:
        """Return whether evidence comes without users; then the first weight is 0."""
        is_counted = self.synthetic is not None and self.synthetic.counts
        return self.shadow is not None or is_counted

    @property
    def pairs_stand_for_users(self) -> bool:
        """Return whether pairs are evidence for the last gate, as the policy says."""
        return any(
            each is not None and each.stands_for_users
            for each in (self.shadow, self.synthetic)
        )

    def pairs_rps(self, rps: float) -> float:
        """Return the counted pairs per second where users send `rps` requests."""
        found = 0.0
        if self.shadow is not None:
            found += self.shadow.share * rps
        if self.synthetic is not None and self.synthetic.counts:
            found += self.synthetic.rps
        return found
