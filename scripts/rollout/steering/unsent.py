"""Sends what receivers have not got, before a command is carried out."""

import sys

from scripts.rollout import wiring
from scripts.rollout.errors import RolloutError
from scripts.rollout.integrations.messages import Message
from scripts.rollout.integrations.outbox import Left, Outbox
from scripts.rollout.integrations.webhook import AGAIN
from scripts.rollout.journal.port import SharedJournal
from scripts.rollout.policy.policy import Policy
from scripts.rollout.steering.seen import policy_of


def send(journal: SharedJournal) -> None:
    """Send each once and keep what there is still no receipt of; say both.

    A promoter that is at work sends its own. No fault of this ends the command.
    """
    outbox = Outbox(journal)
    try:
        left, saved = outbox.left(), journal.load()
        if not left or saved is None or journal.is_locked():
            return
        policy = policy_of(journal, saved)
        kept: Left = [each for each in left if not _is_sent(policy, *each)]
        if kept != left:
            outbox.keep(kept)
    except RolloutError as error:
        print(f"messages that are left: {error}", file=sys.stderr)


def _is_sent(policy: Policy, place: int, message: Message) -> bool:
    receiver = wiring.receivers(policy)[place]
    about = f"{message['canary']}: {message['phase']}"
    is_sent = receiver.is_sent(message)
    said = f"{receiver} was told" if is_sent else f"{receiver.missing()}; {AGAIN}"
    print(f"{said} ({about}, {message['time']})", file=sys.stderr)
    return is_sent
