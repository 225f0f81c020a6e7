"""Parts of the policy beyond evidence: who is asked, who is told, what else is sent."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from scripts.rollout.policy.values import Part, SomeSeconds, fraction


class Webhook(Part):
    """Who is told of every transition: `json` is ours, `slack` a sentence for it."""

    url: Annotated[str, Field(pattern=r"^https?://")]
    format: Literal["json", "slack"] = "json"


class Hook(Part):
    """Somebody else's word before something is done: a command, or a URL.

    Yes is exit code 0 or an answer below 300; no, which rolls back, is exit code 1 or
    403; anything else, also silence for `timeout`, is no answer yet.
    """

    command: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    url: Annotated[str, Field(pattern=r"^https?://")] | None = None
    timeout: SomeSeconds = 30.0

    @model_validator(mode="after")
    def _is_one_of_both(self) -> "Hook":
        if (self.command is None) == (self.url is None):
            raise ValueError("expected command: [...] or url: https://..., one of both")
        return self


class Hooks(Part):
    """Asked before the first weight, before each raise; told of the end."""

    pre: Hook | None = None
    confirm: Hook | None = None
    post: Hook | None = None


class Shadow(Part):
    """A share of what users ask is asked of both arms once more.

    Its predictors lend the texts to whoever has their RECORDING_TOKEN.
    """

    share: Annotated[float, BeforeValidator(fraction), Field(gt=0, le=1)]


class Synthetic(Part):
    """Requests a second to both arms, with sentences of a file, one a line.

    `counts`: whether they are evidence, or only shown.
    """

    rps: Annotated[float, Field(gt=0, le=1000)]
    texts: str
    counts: bool = False
