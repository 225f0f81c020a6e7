"""The loop: observe, decide, write the journal, act, read back.

After a kill at any instant, the next run starts from the journal, repeats the actions
that may not have been done (every action is idempotent), and keeps the evidence.
"""

from dataclasses import replace
from typing import Any

from scripts.rollout.decision import machine, taken_back
from scripts.rollout.decision.machine import Machine
from scripts.rollout.errors import (
    Exit,
    JournalError,
    PolicyError,
    RemoteError,
    RolloutError,
)
from scripts.rollout.journal import codec, entries
from scripts.rollout.journal.saved import Saved
from scripts.rollout.loop import act, fitting, observe, revisions, writing
from scripts.rollout.loop.world import World
from scripts.rollout.loop.writing import SETTLE_S
from scripts.rollout.policy import reader
from scripts.rollout.policy.policy import Policy
from scripts.rollout.state.actions import Action
from scripts.rollout.state.notes import NoteKind, news
from scripts.rollout.state.observation import View
from scripts.rollout.state.state import Decision, Pause, Phase, State


class Runner:
    """Runs the rollouts of one policy."""

    def __init__(self, policy: Policy, text: str, world: World) -> None:
        """Keep `text`, the policy file's content, for the journal."""
        self._policy, self._text, self._world = policy, text, world
        self._machine = Machine(policy)
        self._saved: Saved | None = None
        self._told: frozenset[NoteKind] = frozenset()

    @property
    def saved(self) -> Saved:
        """Return the last commit."""
        assert self._saved is not None
        return self._saved

    def run(self, *, once: bool = False) -> Exit:
        """Look until there is a verdict, or a single time with `once`."""
        try:
            return self._run(once=once)
        except KeyboardInterrupt:
            if self._saved is None or self._saved.state.verdict is not None:
                raise
            stays = f"traffic stays at {self._weight} %"
            raise KeyboardInterrupt(
                f"interrupted: {stays}; run goes on from here"
            ) from None

    def _run(self, *, once: bool) -> Exit:
        verdict = self.start()
        while verdict is None:
            state = self.look().state
            verdict = state.verdict
            if verdict is None and once:
                return entries.exit_code_so_far(state)
            if verdict is None:
                self._wait(self._pause_s(state))
        return verdict

    def _wait(self, seconds: float) -> None:
        """Wait until the next look is due, a person asks or a hook answers."""
        while seconds > 0:
            self._world.sleep(min(seconds, SETTLE_S))
            seconds -= SETTLE_S
            if self._world.journal.requests(self.saved.requests):
                return
            if self._world.hooks is not None and self._world.hooks.is_ready():
                return

    def start(self) -> Exit | None:
        """Begin a rollout or resume one; return the verdict if it has one already."""
        world = self._world
        saved, view = world.journal.load(repair=True), observe.view(world.traffic)
        if saved is not None:
            state = saved.state
            if not state.is_over:
                self._go_on(saved, view)
                return None
            if isinstance(view, RemoteError) or view.created == state.canary:
                if isinstance(view, View):
                    revisions.check_promotion(state, view)
                world.say(f"{state.phase} before: {state.reason}{self._again(state)}")
                return state.verdict
        if isinstance(view, RemoteError):
            raise view
        self._begin(view, saved)
        return None

    def _again(self, state: State) -> str:
        if not taken_back.is_taken_back(state):
            return ""
        again = self._policy.backend.again
        return f"; to try the version of {state.canary} again, {again}"

    def _begin(self, view: View, before: Saved | None) -> None:
        say = self._world.say
        danger = taken_back.warning(None if before is None else before.state, view)
        if danger and machine.unsafe(view):
            name = self._policy.target.name
            raise RolloutError(f"{name}: {machine.unsafe(view)}; {danger}")
        fresh = self._fresh(view)
        state = fresh.state
        if before is not None:
            fresh = replace(fresh, seq=before.seq, hash=before.hash)
        for source in self._world.pair_sources:
            source.refuse_foreign(state.stable)
        say(f"canary {state.canary} beside stable {state.stable}")
        if danger:
            say(f"WARNING: {danger}")
        if view.percent:
            say(f"{view.asked}: 0 % until the first step")
        self._commit(fresh, "begin", self._beginning(state))

    def _beginning(self, state: State) -> dict[str, Any]:
        """Return what a journal holds of the state that looks go on from."""
        return {
            "target": self._policy.key,
            "policy": self._text,
            "state": codec.encode(state),
        }

    def _fresh(self, view: View) -> Saved:
        """Return the state of a new rollout, past the requests for earlier ones."""
        state = machine.begin(self._policy, view, self._world.now())
        arms = state.canary, state.stable
        self._go_by(fitting.fit(self._policy, self._text, self._world, arms))
        asked = self._world.journal.requests(0)
        return Saved(state, self._text, requests=len(asked))

    def _go_by(self, text: str) -> None:
        """Decide by the policy as it was fitted to what is counted here."""
        if text == self._text:
            return
        fitted = reader.parse(text)
        self._policy = reader.placed(fitted, self._policy.target.namespace)
        self._text, self._machine = text, Machine(self._policy)

    def _go_on(self, saved: Saved, view: View | RemoteError) -> None:
        if not fitting.is_fitted(saved.policy, self._text):
            raise PolicyError(
                "the policy was changed while its rollout goes on; finish or abort it "
                "first, or put the old file back"
            )
        self._go_by(saved.policy)
        state = saved.state
        if state.other_version:
            raise JournalError(
                f"the rollout of {state.canary} goes on: {state.other_version}; end or "
                "abort it with that version first"
            )
        self._saved = saved
        self._world.say(f"going on at {state.weight} %, {state.phase}")
        if saved.kind == "look":
            for action in entries.read_actions(saved.line):
                if not revisions.is_late(action, state, view):
                    self._act(action)
        body = {"time": self._world.now(), **self._beginning(self.saved.state)}
        self._commit(self.saved, "restart", body)

    def look(self) -> Decision:
        """Observe, decide, write the journal, act, read back."""
        seen, bases, apart = observe.look(self._policy, self._world, self.saved)
        if self._has_other_names(seen.view):
            seen, bases, apart = observe.look(self._policy, self._world, self.saved)
        decision = self._machine.step(self.saved.state, seen)
        saved = replace(
            self.saved,
            state=decision.state,
            bases=bases,
            weighed=self._weighed(decision.state, seen.time),
            warmed=None,
            requests=self.saved.requests + len(seen.requests),
            apart=apart,
        )
        body = entries.look(self._machine.rules, seen, decision)
        self._commit(saved, "look", body)
        fresh, self._told = news(decision.notes, self._told)
        for note in fresh:
            self._world.say(note.text)
        for action in decision.actions:
            self._act(action)
        return decision

    def _has_other_names(self, view: View | None) -> bool:
        """Begin again, all else as it is, where it became known what the arms are."""
        before = self.saved.state
        state = revisions.named(before, view)
        if state is before:
            return False
        self._world.say(f"canary {state.canary} beside stable {state.stable}")
        self._commit(replace(self.saved, state=state), "begin", self._beginning(state))
        return True

    def _weighed(self, state: State, now: float) -> float:
        """Return when the weight was changed last."""
        saved = self.saved
        return saved.weighed if state.weight == saved.state.weight else now

    def rehearse(self) -> Decision:
        """Decide one look without writing the journal and without acting."""
        self._saved = self._world.journal.load()
        if self._saved is None or self._saved.state.is_over:
            self._saved = self._fresh(self._world.traffic.observe())
        elif fitting.is_fitted(self._saved.policy, self._text):
            self._go_by(self._saved.policy)
        seen, _, _ = observe.look(self._policy, self._world, self._saved)
        return self._machine.step(revisions.named(self._saved.state, seen.view), seen)

    def _act(self, action: Action) -> None:
        """Carry out one action and write its result to the journal."""
        saved = self.saved
        done, warmed = act.do(self._world, action, saved.state)
        body = {"action": entries.encode_action(action), **done}
        self._commit(replace(saved, warmed=warmed or saved.warmed), "act", body)

    def _commit(self, saved: Saved, kind: str, body: dict[str, Any]) -> None:
        """Write the journal, however long that takes; do nothing else meanwhile."""
        self._saved = writing.commit(
            self._world, self._policy, saved, kind, body, self._weight
        )

    @property
    def _weight(self) -> int:
        """Return the weight that was asked for last."""
        return 0 if self._saved is None else self._saved.state.weight

    def _pause_s(self, state: State) -> float:
        interval = state.interval
        is_settling = not state.is_verified and state.pause is not Pause.HAND
        if is_settling or state.phase is Phase.WARMUP:
            return min(SETTLE_S, interval)
        return interval
