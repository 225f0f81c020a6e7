"""Sends one message per transition, in a thread of its own that never delays the loop.

An answer below 300 is a receipt; without one the message is sent again with exponential
back-off and given up after TRIES. The last one is not lost: it is kept until there is a
receipt, and the next command sends it again.
"""

import atexit
import json
import queue
import sys
import threading

import urllib3

from scripts.rollout import bounded, secret
from scripts.rollout.errors import Unreachable
from scripts.rollout.integrations import messages
from scripts.rollout.integrations.messages import Message
from scripts.rollout.integrations.outbox import Outbox
from scripts.rollout.journal.saved import Saved
from scripts.rollout.policy.integrations import Webhook

# Pauses double, 7.5 s from the first try to the last: a receiver may restart meanwhile.
# The end of a run waits at most PATIENCE_S for messages that are left.
TRIES, FIRST_PAUSE_S, PATIENCE_S = 5, 0.5, 10.0
TIMEOUT_S = 5.0  # of one try
AGAIN = "it is kept, and status or any other command tries again"


class Receiver:
    """One receiver of the policy: what it is sent, and whether it has got it."""

    def __init__(self, webhook: Webhook, place: int) -> None:
        """Send nothing yet; `place` is that in the policy."""
        self.webhook, self.place = webhook, place
        self._http = bounded.in_time(urllib3.PoolManager(retries=False))

    def is_sent(self, message: Message) -> bool:
        """Send a message once; return whether there is a receipt."""
        try:
            url = secret.filled(f"{self}.url", self.webhook.address)
            form = self._formed(message)
        except Unreachable:
            return False
        is_event = self.webhook.format == "cloudevent"
        kind = f"application/{'cloudevents+' if is_event else ''}json"
        try:
            found = bounded.status(
                self._http,
                url,
                body=json.dumps(form).encode(),
                headers={"Content-Type": kind},
                seconds=TIMEOUT_S,
            )
        except urllib3.exceptions.HTTPError:
            return False
        return found < 300

    def _formed(self, message: Message) -> Message:
        form = messages.FORMS[self.webhook.format](message)
        if self.webhook.key is None:
            return form
        return {"routing_key": secret.filled(f"{self}.key", self.webhook.key), **form}

    def missing(self) -> str:
        """Say whose receipt is missing; no path, which may be a secret, as Slack's."""
        try:
            url = secret.filled(f"{self}.url", self.webhook.address)
            secret.filled(f"{self}.key", self.webhook.key or "")
            host = urllib3.util.parse_url(url).netloc
        except Unreachable as error:
            return f"not sent: {error}"
        except urllib3.exceptions.HTTPError:
            host = ""
        return f"no receipt from {host or f'{self}.url, which is no URL'}"

    def __str__(self) -> str:
        """Return the place in the policy."""
        return f"notify[{self.place}]"


class Notify:
    """Sends a message on every change of canary, phase, weight or pause."""

    def __init__(
        self,
        receiver: Receiver,
        target: str,
        outbox: Outbox | None = None,
        report: str | None = None,
    ) -> None:
        """Start the sending thread; the end of the process waits briefly for it."""
        self._receiver, self._target, self._report = receiver, target, report
        self._outbox = outbox
        self._waiting: queue.Queue[Message | None] = queue.Queue()
        self._before: object = None
        self._last: Message | None = None
        self._received: Message | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def __call__(self, saved: Saved) -> None:
        """Queue a message if this entry is a transition."""
        state = saved.state
        now = state.canary, state.phase, state.weight, state.pause
        if now == self._before:
            return
        self._before = now
        link = self._receiver.webhook.link
        self._last = messages.of(saved, self._target, link, self._report)
        if state.verdict is not None:  # kept first: the process may be killed now
            self._keep(self._last)
        self._waiting.put(self._last)

    def close(self) -> None:
        """Wait up to PATIENCE_S for the messages that are left; keep the last one."""
        atexit.unregister(self.close)
        if self._ended.is_set():
            return
        self._waiting.put(None)
        self._thread.join(PATIENCE_S)
        self._ended.set()
        is_left = self._last is not self._received
        self._keep(self._last if is_left else None)
        if is_left:
            print(f"{self._receiver.missing()}; {AGAIN}", file=sys.stderr)

    def _keep(self, message: Message | None) -> None:
        if self._outbox is not None:
            self._outbox.put(self._receiver.place, message)

    def _work(self) -> None:
        while (message := self._waiting.get()) is not None:
            if self._is_received(message):
                self._received = message
            elif message is not self._last:
                print(self._receiver.missing(), file=sys.stderr)

    # urllib3's Retry waits in time.sleep, which `close` cannot end. A subclass that
    # waits for `_ended` instead takes more lines than the loop here.
    def _is_received(self, message: Message) -> bool:
        for number in range(TRIES):
            if self._receiver.is_sent(message):
                return True
            if self._ended.wait(FIRST_PAUSE_S * 2**number):
                return False
        return False
