"""Consults hooks before a raise, in a thread of its own, so that the loop never waits.

A command has ROLLOUT_HOOK, _TARGET, _CANARY, _STABLE and _WEIGHT in its environment. A
URL gets them as a JSON object by POST: {hook, target, canary, stable, weight}, and at
the end also {verdict, reason}. A hook must be idempotent: after a restart it is asked
about the same weight again.
"""

import math
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import urllib3

from scripts.rollout import secret
from scripts.rollout.bounded import ask as answer_to
from scripts.rollout.bounded import in_time
from scripts.rollout.errors import Unreachable
from scripts.rollout.integrations import command
from scripts.rollout.journal.saved import Saved
from scripts.rollout.policy.integrations import Hook
from scripts.rollout.policy.policy import Policy
from scripts.rollout.state.actions import Answer, Consult, Says
from scripts.rollout.state.state import State

# A crash (2, 127, 500) must not count as a refusal, so only these two say no.
YES_CODE, NO_CODE = 0, 1
YES_BELOW, NO_STATUS = 300, 403  # the same for an answer over HTTP
LONGEST_REASON = 200  # characters: little more than one line of a terminal
MOST_BYTES = 64 * 1024  # of an answer
PLACE = "hooks: url"  # in messages
# A hook is not asked the same again sooner, however short the interval.
AGAIN_S = 5.0


class PolicyHooks:
    """Consults the hooks of one policy."""

    def __init__(self, policy: Policy, say: Callable[[str], None]) -> None:
        """Prepare without asking; `say` reports the post hook's answer."""
        self._hooks, self._target, self._say = policy.hooks, policy.key, say
        self._pool = ThreadPoolExecutor(1)
        self._asked: Consult | None = None
        self._answered_at = -math.inf
        self._future: Future[tuple[Says, str]] | None = None

    def __call__(self, saved: Saved) -> None:
        """Tell the post hook of the end of a rollout, and wait for the hook."""
        state = saved.state
        if not state.is_over or self._hooks.post is None:
            return
        assert state.verdict is not None
        end = {"verdict": state.verdict.name.lower(), "reason": state.reason}
        about = self._message(Consult("post", state.weight), state) | end
        says, reason = ask(self._hooks.post, about)
        self._say(f"hook post says {says}: {reason}")

    def ask(self, consult: Consult, state: State) -> None:
        """Begin to ask, unless the same question is open or was just answered."""
        is_early = time.monotonic() - self._answered_at < AGAIN_S
        if consult == self._asked and (self._future is not None or is_early):
            return
        hook = getattr(self._hooks, consult.hook)
        message = self._message(consult, state)
        self._asked, self._future = consult, self._pool.submit(ask, hook, message)

    def is_ready(self) -> bool:
        """Return whether the open question is answered."""
        return self._future is not None and self._future.done()

    def answer(self) -> Answer | None:
        """Return the answer, once."""
        if self._future is None or self._asked is None or not self._future.done():
            return None
        (says, reason), asked = self._future.result(), self._asked
        self._future, self._answered_at = None, time.monotonic()
        return Answer(asked.hook, asked.weight, says, reason)

    def _message(self, consult: Consult, state: State) -> dict[str, Any]:
        return {
            "hook": consult.hook,
            "target": self._target,
            "weight": consult.weight,
            "canary": state.canary,
            "stable": state.stable,
        }


def ask(hook: Hook, message: dict[str, Any]) -> tuple[Says, str]:
    """Ask a hook; return its verdict and reason. A failure is NOT_YET."""
    if hook.url is not None:
        try:
            says, reason = _post(secret.filled(PLACE, hook.url), message, hook.timeout)
            return says, secret.hidden(reason, PLACE, hook.url)[:LONGEST_REASON]
        except Unreachable as error:
            return Says.NOT_YET, str(error)[:LONGEST_REASON]
    assert hook.command is not None
    return _run(hook.command, message, hook.timeout)


def _run(
    words: tuple[str, ...], message: dict[str, Any], timeout_s: float
) -> tuple[Says, str]:
    try:
        code, said = command.run(words, message, timeout_s)
    except TimeoutError:
        return Says.NOT_YET, f"no answer for {timeout_s:g} s"
    except (OSError, ValueError) as error:  # of a name with a NUL: ValueError
        why = getattr(error, "strerror", None) or str(error)
        return Says.NOT_YET, f"{words[0]}: {why}"
    lines = said.decode(errors="replace").split("\n")
    last = next(filter(None, reversed(lines)), f"exit code {code}")
    says = {YES_CODE: Says.YES, NO_CODE: Says.NO}.get(code, Says.NOT_YET)
    return says, last[:LONGEST_REASON]


def _post(url: str, message: dict[str, Any], timeout_s: float) -> tuple[Says, str]:
    with in_time(urllib3.PoolManager(retries=False)) as http:
        try:
            answer = answer_to(
                http, "POST", url, json=message, seconds=timeout_s, most=MOST_BYTES
            )
        except urllib3.exceptions.HTTPError as error:
            return Says.NOT_YET, f"no answer: {error}"
    says = Says.YES if answer.status < YES_BELOW else Says.NOT_YET
    if answer.status == NO_STATUS:
        says = Says.NO
    text = answer.text.strip()
    return says, text or f"status {answer.status}"
