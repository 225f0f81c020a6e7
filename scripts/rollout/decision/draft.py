"""One look in the making: the state so far, actions and notes. Pure."""

from dataclasses import dataclass, field

from scripts.rollout.decision.measurement import Rules
from scripts.rollout.errors import Exit
from scripts.rollout.policy.policy import Policy
from scripts.rollout.state.actions import Action
from scripts.rollout.state.notes import Note, NoteKind
from scripts.rollout.state.observation import Observation, Replicas, View
from scripts.rollout.state.state import FULL, Pause, Phase, State

ROLLBACKS = {
    Exit.ROLLED_BACK: NoteKind.WORSE,
    Exit.GUARD: NoteKind.GUARD,
    Exit.ABORTED: NoteKind.ABORTED,
    Exit.SUPERSEDED: NoteKind.SUPERSEDED,
}


@dataclass(slots=True)
class Draft:
    """What `Machine.step` works on; only `state`, `actions` and `notes` leave it."""

    rules: Rules
    state: State
    seen: Observation
    actions: list[Action] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)

    @property
    def policy(self) -> Policy:
        """Return the policy."""
        return self.rules.policy

    @property
    def view(self) -> View | None:
        """Return the traffic as observed, None where it could not be read."""
        return self.seen.view

    @property
    def replicas(self) -> Replicas:
        """Return the canary's replicas, zero where they could not be read."""
        if self.view is None:
            return Replicas()
        return self.view.replicas.get(self.state.canary, Replicas())

    @property
    def is_ready(self) -> bool:
        """Return whether the canary is the newest ready revision and can answer."""
        view = self.view
        if view is None or view.ready != self.state.canary:
            return False
        return self.replicas.ready > 0 or view.is_idle

    @property
    def can_rise(self) -> bool:
        """Return whether a raise is possible: the last in force, the canary ready."""
        return self.state.is_verified and self.is_ready

    @property
    def may_rise(self) -> bool:
        """Return whether evidence alone may raise the weight now."""
        state = self.state
        policy, window = self.policy, self.policy.window
        is_in_time = policy.open_s(state.began, state.now) <= policy.deadlines.rollout
        is_open = window is None or window.is_open(state.now)
        is_free = state.pause is Pause.NONE and state.incident_since is None
        is_free = is_free and not state.is_split_moved and is_in_time and is_open
        return self.can_rise and is_free and self.seen.delta is not None

    def change(self, **changes: object) -> None:
        """Replace fields of the state."""
        self.state = self.state.changed(**changes)

    def say(self, kind: NoteKind, text: str) -> None:
        """Add a note."""
        self.notes.append(Note(kind, text))

    def ask_for(self, percent: int) -> None:
        """Set another weight, in percent, from now on."""
        self.change(weight=percent, is_verified=False)

    def roll_back(self, ending: Phase, reason: str, code: Exit) -> None:
        """Take all traffic from the canary; a person's abort overrides the ending."""
        if self.state.phase is Phase.ROLLING_BACK and ending is not Phase.ABORTED:
            return
        now = self.state.now
        self.change(phase=Phase.ROLLING_BACK, ending=ending, code=code, entered=now)
        self.change(reason=reason, pause=Pause.NONE)
        self.say(ROLLBACKS[code], reason)
        self.ask_for(0)

    def guard(self, reason: str) -> None:
        """Roll back for a reason that needs no comparison of the arms."""
        self.roll_back(Phase.ROLLED_BACK, f"guard: {reason}", Exit.GUARD)

    def promote(self) -> None:
        """Give the canary all traffic, for good."""
        self.change(phase=Phase.PROMOTING, entered=self.state.now)
        self.change(forced="", pause=Pause.NONE)
        self.say(NoteKind.PROMOTING, f"promoting {self.state.canary}")
        self.ask_for(FULL)

    def end(self, phase: Phase, code: Exit, note: Note) -> None:
        """End the rollout in `phase` with exit code `code`."""
        self.notes.append(note)
        reason = self.state.reason or note.text
        self.change(phase=phase, verdict=code, reason=reason, is_verified=True)
