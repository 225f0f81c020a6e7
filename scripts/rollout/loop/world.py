"""What the loop needs from the world; one adapter a file, none knows another."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from scripts.rollout.journal import chain
from scripts.rollout.shadow.pairs import Apart, Pair
from scripts.rollout.state.actions import Answer, Consult, Request, Warmed
from scripts.rollout.state.state import State, View

Sample = Mapping[str, float]
Reading = Mapping[str, Mapping[str, Sample]]
"""Counters since an instance started, by revision and instance; see `series`."""


@dataclass(frozen=True, slots=True)
class Pages:
    """Where to read: proxies that count requests, if any do, and predictors.

    `with_http`: the predictors count HTTP too, because nobody before them does. `arms`:
    whose a predictor's page is, where it does not say so itself.
    """

    gateways: tuple[str, ...] = ()
    queues: tuple[str, ...] = ()
    predictors: tuple[str, ...] = ()
    with_http: bool = False
    arms: Mapping[str, str] = field(default_factory=dict)

    @property
    def counting(self) -> tuple[str, ...]:
        """Those without which requests are not counted."""
        return self.gateways or self.queues or self.predictors


class Traffic(Protocol):
    """An InferenceService and what routes its requests."""

    def observe(self) -> View | None:
        """How it is, None where that cannot be read."""

    def set_percent(self, percent: int | None) -> None:
        """Ask for a canary's percent, None promotes. Raises Unreachable."""

    def warm_up(self, requests: int) -> Warmed:
        """Ask the canary by its tag, where no user comes."""


class Counted(Traffic, Protocol):
    """Traffic that can be counted, and by whom: `counts` as in `Policy.counts`."""

    counts: str

    def pages(self, revisions: Sequence[str]) -> Pages | None:
        """Where the counters of these revisions are, None where that is not known."""


class Metrics(Protocol):
    """Counters of both arms."""

    def read(self, revisions: Sequence[str]) -> Reading | None:
        """All counters now, None where they cannot be read."""

    def history(
        self, revision: str, seconds: float, step: float
    ) -> list[tuple[float, Reading]]:
        """Earlier readings by time, empty where none are kept."""


@dataclass(frozen=True, slots=True)
class Saved:
    """What is on disk: the state, and the counters it came from.

    `kind` is the last line's: after "look", its actions may not have been done.
    `apart`: answers that wait for their true labels.
    """

    state: State
    policy: str
    reading: Reading = field(default_factory=dict)
    read_at: float = 0.0
    warmed: Warmed | None = None
    requests: int = 0
    apart: Apart = field(default_factory=dict)
    seq: int = 0
    kind: str = ""
    hash: str = chain.FIRST
    line: str = ""


class Journal(Protocol):
    """Where state, audit and requests live."""

    def load(self, *, repair: bool = False) -> Saved | None:
        """The last commit, None before the first; `repair` the audit if asked to."""

    def commit(self, saved: Saved, kind: str, body: dict[str, Any]) -> Saved:
        """Put state and one line of audit on disk, before anything is done."""

    def requests(self, after: int) -> list[Request]:
        """What people asked for, but the first `after` of it."""


class Shared(Journal, Protocol):
    """A journal that people and other promoters meet at."""

    name: str

    def lock(self) -> AbstractContextManager[None]:
        """Be the only promoter until the block ends. Raises LockHeld."""

    def is_locked(self) -> bool:
        """Whether a promoter works here now."""

    def ask(self, request: Request) -> None:
        """Leave a request for the promoter."""

    def tail(self) -> list[str]:
        """The last entries."""


class PairSource(Protocol):
    """Whoever asks both arms the same texts; `counts` as in `state.Beside`."""

    name: str
    counts: bool

    def take(self, canary: str, stable: str) -> list[Pair]:
        """Pairs of answers since the last time."""

    def close(self) -> None:
        """Ask nothing more."""


class Hooks(Protocol):
    """Those whose word is asked for, beside the loop."""

    def ask(self, consult: Consult, state: State) -> None:
        """Begin to ask, if that has not begun yet."""

    def answer(self) -> Answer | None:
        """What was said since the last time."""

    def is_ready(self) -> bool:
        """Whether there is something that was said."""


@dataclass(frozen=True, slots=True)
class World:
    """Everything outside: ports, the time in seconds, how to wait, who listens."""

    traffic: Traffic
    metrics: Metrics
    journal: Journal
    now: Callable[[], float]
    sleep: Callable[[float], None]
    say: Callable[[str], None]
    hooks: Hooks | None = None
    pair_sources: tuple[PairSource, ...] = ()
