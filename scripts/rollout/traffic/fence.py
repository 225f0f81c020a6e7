"""Lets a weight be set only on what the last look has seen."""

import time

from scripts.rollout.cluster.client import Object
from scripts.rollout.errors import Conflict, Unreachable

# A template of which no revision comes for so long makes none: KServe changed it.
PATIENCE_S = 30.0


class Fence:
    """What was seen of one object: its generation, and whose template it has.

    Between a look and its act another revision may be applied, and another promoter may
    have gone on with the rollout: the weight was decided for neither.
    """

    def __init__(self, name: str) -> None:
        """Name the object in messages."""
        self._name = name
        self._generation: int | None = None
        self._revision, self._template = "", Object()
        self._changed: float | None = None

    def see(self, found: Object) -> None:
        """Keep the generation that a look reads, or that a patch made."""
        self._generation = found["metadata"]["generation"]

    def see_template(self, template: Object, newest: str, *, made: bool) -> None:
        """Keep whose template is set. Raises Unreachable while `newest` lags behind.

        It does where the template has changed and `newest` has not; at the first look
        too where `newest` is not `made` of it.
        """
        is_known = (newest, template) == (self._revision, self._template)
        if not is_known and (not made or newest == self._revision):
            now = time.monotonic()
            self._changed = now if self._changed is None else self._changed
            if now - self._changed < PATIENCE_S:
                raise Unreachable(
                    f"{self._name}: changed, and its status still names {newest}"
                )
        self._revision, self._template, self._changed = newest, template, None

    def check(self, read: Object, newest: str = "") -> None:
        """Raise Conflict unless this is the object that was seen, `newest` its newest.

        A status that was behind already at the first look gives itself away only here.
        """
        if read["metadata"]["generation"] != self._generation:
            raise Conflict(409, f"{self._name}: changed since the last look")
        if newest != self._revision:
            raise Conflict(409, f"{self._name}: {newest} came since the last look")
