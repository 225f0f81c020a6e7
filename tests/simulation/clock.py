"""Simulated time: actors are threads of which one runs, whoever is due next."""

import heapq
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

EPOCH = 1_700_000_000.0  # the wall clock's start


class Killed(BaseException):
    """The process was killed here: it does nothing more."""


@dataclass(eq=False)
class Actor:
    """A thread that runs only while it has the baton."""

    baton: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    is_ended: bool = False


class Clock:
    """What is due at which time, and who runs."""

    def __init__(self) -> None:
        """Begin at zero; `offset` is what the wall clock shows then."""
        self.now, self.offset = 0.0, EPOCH
        self.is_over = False
        self.failure: BaseException | None = None
        self._due: list[tuple[float, int, Actor | Callable[[], None]]] = []
        self._numbers = count()
        self._main = Actor()
        self._actor = self._main
        self._actors: list[Actor] = []

    def wall(self) -> float:
        """Return the seconds since 1970 as this machine's clock shows them."""
        return self.now + self.offset

    def at(self, time: float, call: Callable[[], None]) -> None:
        """Call something at a time."""
        heapq.heappush(self._due, (max(time, self.now), next(self._numbers), call))

    def after(self, seconds: float, call: Callable[[], None]) -> None:
        """Call something so many seconds from now."""
        self.at(self.now + seconds, call)

    def spawn(self, time: float, call: Callable[[], None]) -> None:
        """Begin an actor at a time."""
        actor = Actor()
        self._actors.append(actor)
        threading.Thread(target=self._live, args=(actor, call), daemon=True).start()
        heapq.heappush(self._due, (time, next(self._numbers), actor))

    def sleep(self, seconds: float) -> None:
        """Let the running actor wait while others run."""
        if self.is_over:
            raise Killed
        me = self._actor
        due = self.now + max(seconds, 0.0)
        heapq.heappush(self._due, (due, next(self._numbers), me))
        self._pass(me)

    def run(self, until: float) -> None:
        """Run until every actor has ended, at most until a time."""
        heapq.heappush(self._due, (until, next(self._numbers), self._main))
        self._pass(self._main)
        self.is_over = True
        for actor in self._actors:
            if not actor.is_ended:
                self._give(actor)
                self._main.baton.acquire()
        if self.failure is not None:
            raise self.failure

    def _pass(self, me: Actor) -> None:
        following = self._next()
        if following is me:
            return
        self._give(following)
        me.baton.acquire()
        if self.is_over and me is not self._main:
            raise Killed

    def _give(self, actor: Actor) -> None:
        self._actor = actor
        actor.baton.release()

    def _next(self) -> Actor:
        """Advance to the next actor's turn; what is merely called is called."""
        while True:
            time, _, found = heapq.heappop(self._due)
            self.now = max(self.now, time)
            if isinstance(found, Actor):
                if not found.is_ended:
                    return found
            elif self._fails(found):
                return self._main

    def _fails(self, call: Callable[[], None]) -> bool:
        try:
            call()
        except Exception as error:  # noqa: BLE001 - told by `run`, in its thread
            self.failure = error
        return self.failure is not None

    def _live(self, actor: Actor, call: Callable[[], None]) -> None:
        actor.baton.acquire()
        try:
            if not self.is_over:
                call()
        except Killed:
            pass
        except BaseException as error:  # noqa: BLE001 - told by `run`, in its thread
            self.failure = error
        actor.is_ended = True
        is_last = all(each.is_ended for each in self._actors)
        done = self.is_over or is_last or self.failure is not None
        self._give(self._main if done else self._next())
