"""A Prometheus server, and what it wants to see before it answers.

No secret stands in a policy, which a journal keeps: it names the environment variable
or the file that holds one.
"""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from scripts.rollout.policy.values import EXPECTED, LEFT_OUT, Part

HEADER = re.compile(r"[A-Za-z0-9-]+")
# These hold secrets; `basic` and `bearer` are for them.
SECRET_HEADERS = ("authorization", "proxy-authorization", "cookie")
# Parts of other names of headers that hold one; a tenant's name is none.
SECRET_WORDS = re.compile("auth|key|token|secret|password|credential|session", re.I)


class Secret(Part):
    """The place of a secret: read before each question, so that it may be renewed."""

    env: Annotated[str, Field(min_length=1)] | None = None
    file: Annotated[str, Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _is_one_of_both(self) -> "Secret":
        if (self.env is None) == (self.file is None):
            raise ValueError("expected env: VARIABLE or file: PATH, one of both")
        return self


def _named(value: Any) -> Any:
    """A secret itself is refused, and not repeated."""
    if isinstance(value, str):
        raise ValueError(
            "expected {env: VARIABLE} or {file: PATH}: the policy is kept in the "
            "journal, a secret must not be"
        )
    return value


SomeSecret = Annotated[Secret, BeforeValidator(_named)]


class Basic(Part):
    """A user's name and password."""

    username: str
    password: SomeSecret


def _without_secrets(headers: dict[str, str]) -> dict[str, str]:
    for name, value in headers.items():
        if name.lower() in SECRET_HEADERS:
            raise ValueError(f"{name}: use basic or bearer, which keep it out of here")
        if not HEADER.fullmatch(name) or not (value.isascii() and value.isprintable()):
            raise ValueError(f"{name}: expected a name and one line of ASCII")
        if SECRET_WORDS.search(name) and not LEFT_OUT.search(value):
            raise ValueError(f"{name}: {EXPECTED}, which keeps it out of here")
    return headers


def _without_password(url: str) -> str:
    if "@" in url.partition("://")[2].partition("/")[0]:
        raise ValueError("expected a URL without a user; use basic, which names a file")
    if "?" in url:
        raise ValueError("expected a URL without a query; headers may name a file")
    return url


class PrometheusServer(Part):
    """Its address; `ca` is the file of a certificate authority of one's own."""

    url: Annotated[str, Field(pattern=r"^https?://"), AfterValidator(_without_password)]
    basic: Basic | None = None
    bearer: SomeSecret | None = None
    ca: Annotated[str, Field(min_length=1)] | None = None
    headers: Annotated[dict[str, str], AfterValidator(_without_secrets)] | None = None

    @model_validator(mode="after")
    def _is_one_login(self) -> "PrometheusServer":
        if self.basic is not None and self.bearer is not None:
            raise ValueError("basic and bearer are two logins; keep one of them")
        return self


def from_url(value: Any) -> Any:
    """A string is the address alone."""
    return {"url": value} if isinstance(value, str) else value
