"""What happens in the world of a schedule: pods, clocks, people, another promoter."""

import json
import random
from typing import TYPE_CHECKING

from scripts.rollout.journal import codec
from scripts.rollout.journal.configmap import REQUESTS
from scripts.rollout.policy.backends import PERCENT_FIELD
from scripts.rollout.state.actions import Request
from tests.simulation.book import BOOK
from tests.simulation.faults import STEERING
from tests.simulation.kubernetes import SERVICE
from tests.simulation.process import Process
from tests.simulation.users import Pod

if TYPE_CHECKING:
    from tests.simulation.simulation import Simulation

PERCENTS = (0, 10, 35, 80)


class Events:
    """Lets things happen; `is_steered` by people or by another revision."""

    def __init__(self, simulation: "Simulation") -> None:
        """Let nothing happen before `happen`."""
        self._simulation = simulation
        self.is_steered = False
        self.blind = ""
        self.processes: list[Process] = []

    def happen(self, kind: str) -> None:
        """Let one kind of event happen now."""
        self._simulation.faults.note(kind)
        self.is_steered = self.is_steered or kind in STEERING
        getattr(self, f"_{kind.replace(' ', '_')}")()

    def calm(self) -> None:
        """Let nothing go wrong from now on."""
        simulation = self._simulation
        simulation.faults.is_on = False
        simulation.lag_s = (0.05, 0.5)
        simulation.cluster.doubled = False
        self._see("")
        for pod in simulation.users.pods.values():
            pod.is_ready = True

    def _see(self, blind: str) -> None:
        self.blind = blind
        for each in self.processes:
            each.blind = blind

    def _all_silent(self) -> None:
        self._see("silent")
        seconds = self._random.uniform(2.0, 40.0)
        self._simulation.clock.after(seconds, lambda: self._see(""))

    @property
    def _random(self) -> random.Random:
        return self._simulation.faults.random

    def _clock_forward(self) -> None:
        self._simulation.clock.offset += self._random.uniform(1.0, 60.0)

    def _clock_back(self) -> None:
        self._simulation.clock.offset -= self._random.uniform(1.0, 60.0)

    def _gateway_restarts(self) -> None:
        self._restart(list(self._simulation.users.gateways.values()))

    def _canary_restarts(self) -> None:
        self._restart(self._of("intent-predictor-00002"))

    def _stable_restarts(self) -> None:
        self._restart(self._of("intent-predictor-00001"))

    def _of(self, revision: str) -> list[Pod]:
        return self._simulation.users.of(revision)

    def _restart(self, pods: list[Pod]) -> None:
        simulation = self._simulation
        simulation.users.advance(simulation.clock.now)
        if pods:
            self._random.choice(pods).restart(simulation.clock.now)

    def _pod_vanishes(self) -> None:
        simulation = self._simulation
        simulation.users.advance(simulation.clock.now)
        found = self._of(self._random.choice(list(simulation.users.fails)))
        if len(found) > 1:
            del simulation.users.pods[self._random.choice(found).name]

    def _pod_comes(self) -> None:
        users, now = self._simulation.users, self._simulation.clock.now
        users.advance(now)
        users.add_pods(self._random.choice(list(users.fails)), 1, now)

    def _pods_doubled(self) -> None:
        self._simulation.cluster.doubled = True

    def _lag(self) -> None:
        self._simulation.lag_s = (1.0, 15.0)

    def _second_promoter(self) -> None:
        simulation = self._simulation
        holder = self._random.choice(("job-1", "laptop"))
        now = simulation.clock.now
        simulation.clock.spawn(now, lambda: simulation.supervise("promoter-2", holder))

    def _puts_back(self) -> None:
        self._patch(0)

    def _patches(self) -> None:
        self._patch(self._random.choice(PERCENTS))

    def _patch(self, percent: int) -> None:
        spec = {"predictor": {PERCENT_FIELD: percent}}
        self._simulation.cluster.merge(SERVICE, {"spec": spec}, "person")

    def _third_revision(self) -> None:
        simulation = self._simulation
        service = simulation.cluster.objects[SERVICE]
        percent = service["spec"]["predictor"].get(PERCENT_FIELD)
        simulation.cluster.apply("v3", percent, 0.2)

    def _aborts(self) -> None:
        self._ask("abort")

    def _orders(self) -> None:
        self._ask(self._random.choice(("promote", "promote-full")))

    def _pauses(self) -> None:
        self._ask("pause")
        self._simulation.clock.after(15.0, lambda: self._ask("resume"))

    def _ask(self, verb: str) -> None:
        simulation = self._simulation
        line = json.dumps(codec.encode(Request(verb))) + "\n"
        if not simulation.on_cluster:
            simulation.folder.mkdir(exist_ok=True)
            with (simulation.folder / "requests.jsonl").open("a") as file:
                file.write(line)
            return
        found = simulation.cluster.objects.get(BOOK)
        if found is not None:
            asked = found["data"].get(REQUESTS, "") + line
            simulation.cluster.merge(BOOK, {"data": {REQUESTS: asked}}, "person")
