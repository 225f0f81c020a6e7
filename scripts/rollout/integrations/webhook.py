"""Sends one message per transition, in a thread of its own that never delays the loop.

A message is {target, canary, stable, phase, weight, paused, verdict, reason, notes,
seq}, or for Slack's incoming webhooks {text}. An answer below 300 is a receipt; without
one the message is sent again with exponential back-off and given up after TRIES.
"""

import atexit
import json
import queue
import sys
import threading
from typing import Any

import urllib3

from scripts.rollout import bounded
from scripts.rollout.journal.notes import read_notes
from scripts.rollout.journal.saved import Saved
from scripts.rollout.policy.integrations import Webhook

# Pauses double, 7.5 s from the first try to the last: a receiver may restart meanwhile.
# The end of a run waits at most PATIENCE_S for messages that are left.
TRIES, FIRST_PAUSE_S, PATIENCE_S = 5, 0.5, 10.0
TIMEOUT_S = 5.0  # of one try


class Notify:
    """Sends a message on every change of canary, phase, weight or pause."""

    def __init__(self, webhook: Webhook, target: str) -> None:
        """Start the sending thread; the end of the process waits briefly for it."""
        self._webhook, self._target = webhook, target
        self._http = bounded.in_time(urllib3.PoolManager(retries=False))
        self._waiting: queue.Queue[bytes | None] = queue.Queue()
        self._before: object = None
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
        entry = json.loads(saved.line)
        message = {
            "target": self._target,
            "canary": state.canary,
            "stable": state.stable,
            "phase": state.phase.value,
            "weight": state.weight,
            "paused": state.pause.value,
            "verdict": None if state.verdict is None else state.verdict.name,
            "reason": state.reason,
            "notes": [note.text for note in read_notes(entry)],
            "seq": saved.seq,
        }
        self._waiting.put(json.dumps(self._formed(message)).encode())

    def _formed(self, message: dict[str, Any]) -> dict[str, Any]:
        if self._webhook.format == "json":
            return message
        where = f"{message['phase']} at {message['weight']} %"
        why = "; ".join(message["notes"]) or message["reason"]
        return {"text": f"{self._target}: {message['canary']} {where}. {why}".strip()}

    def close(self) -> None:
        """Wait up to PATIENCE_S for the messages that are left."""
        self._waiting.put(None)
        self._thread.join(PATIENCE_S)
        self._ended.set()

    def _work(self) -> None:
        while (message := self._waiting.get()) is not None:
            if not self._is_received(message):
                # Its path may be a secret, as Slack's is.
                host = urllib3.util.parse_url(self._webhook.url).netloc
                print(f"no receipt from {host}", file=sys.stderr)

    # urllib3's Retry waits in time.sleep, which `close` cannot end. A subclass that
    # waits for `_ended` instead takes more lines than the loop here.
    def _is_received(self, message: bytes) -> bool:
        for number in range(TRIES):
            if self._is_sent(message):
                return True
            if self._ended.wait(FIRST_PAUSE_S * 2**number):
                return False
        return False

    def _is_sent(self, message: bytes) -> bool:
        kind = {"Content-Type": "application/json"}
        try:
            found = bounded.status(
                self._http,
                self._webhook.url,
                body=message,
                headers=kind,
                seconds=TIMEOUT_S,
            )
        except urllib3.exceptions.HTTPError:
            return False
        return found < 300
