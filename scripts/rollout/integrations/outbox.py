"""What receivers have not got, kept beside the journal for the next command."""

import json
import sys

from scripts.rollout.errors import RolloutError
from scripts.rollout.integrations.messages import Message
from scripts.rollout.journal.port import SharedJournal

Left = list[tuple[int, Message]]


class Outbox:
    """The messages that are left, by their receiver's place in the policy."""

    def __init__(self, journal: SharedJournal) -> None:
        """Keep them beside this journal."""
        self._journal = journal

    def left(self) -> Left:
        """Return the messages that are left. Raises RolloutError."""
        found = map(json.loads, self._journal.unsent())
        return [(each["notify"], each["message"]) for each in found]

    def keep(self, left: Left) -> None:
        """Keep these alone. Raises RolloutError."""
        lines = [
            json.dumps({"notify": place, "message": message}) for place, message in left
        ]
        self._journal.keep_unsent(lines)

    def put(self, place: int, message: Message | None) -> None:
        """Keep the last message to one receiver, or none; say where that fails."""
        try:
            found = self.left()
            others = [each for each in found if each[0] != place]
            now = others if message is None else [*others, (place, message)]
            if now != found:
                self.keep(now)
        except RolloutError as error:
            print(f"notify[{place}]: the message is not kept: {error}", file=sys.stderr)
