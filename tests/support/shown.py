"""The dashboard over rollouts whose promoters are threads, each at its own pace."""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from scripts.rollout.dashboard.server import LOOPBACK, server, sources
from scripts.rollout.dashboard.steer import steering
from scripts.rollout.journal.file import FileJournal
from scripts.rollout.loop.runner import Runner
from scripts.rollout.loop.world import World
from scripts.rollout.policy.reader import parse
from scripts.rollout.traffic.port import Place
from tests.support import commands
from tests.support.folder_world import FolderWorld
from tests.support.waiting import POLL_S
from tests.support.worlds import POLICY


class Shown(FolderWorld):
    """A rollout of a target of its own, of today, where the command line finds it."""

    def __init__(
        self,
        state: Path,
        name: str,
        bad: float = 0.0,
        age_s: float = 300.0,
        **keys: str,
    ) -> None:
        home = state / "worlds" / name
        home.mkdir(parents=True)
        super().__init__(home, bad)
        self.journal = FileJournal(state / "rollouts" / f"default.{name}")
        text = POLICY.replace("inferenceservice: intent", f"inferenceservice: {name}")
        self.text = text + "".join(f"{key}: {value}\n" for key, value in keys.items())
        self._start, self._stopped = time.time() - age_s, threading.Event()

    def now(self) -> float:
        """Ten seconds a look, from so long ago."""
        return super().now() - 1000 + self._start

    def runner(self, sleep: object = None) -> Runner:
        """A promoter that waits at its first steps until a person asks."""
        del sleep
        world = World(self, self, self.journal, self.now, self._sleep, self.said.append)
        return Runner(parse(self.text, "test"), self.text, world)

    def looks(self, count: int) -> "Shown":
        """Look so often."""
        for _ in range(count):
            self.runner().run(once=True)
        return self

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """A promoter that waits for people, until the block ends."""

        def work() -> None:
            with suppress(InterruptedError), self.journal.lock():
                self.runner().run()

        promoter = threading.Thread(target=work)
        promoter.start()
        try:
            yield
        finally:
            self._stopped.set()
            promoter.join()

    def _sleep(self, _: float) -> None:
        """Wait for a request; a promotion or a rollback goes on by itself."""
        while True:
            if self._stopped.is_set():
                raise InterruptedError
            saved = self.journal.load()
            assert saved is not None
            is_asked = bool(self.journal.requests(saved.requests))
            if is_asked or saved.state.weight in (0, 100):
                return
            time.sleep(POLL_S)


@contextmanager
def dashboard(state: Path, *, is_read_only: bool = False) -> Iterator[str]:
    """Serve the page for a state folder from a thread; its address."""
    place = Place(state)
    steer = None if is_read_only else steering(place)
    with socket.create_server((LOOPBACK, 0)) as listening:
        served, address = server(sources(place, [False]), steer, listening)
        thread = threading.Thread(target=served.run, args=([listening],))
        thread.start()
        try:
            yield address
        finally:
            served.should_exit = True
            thread.join()


def started(*flags: str) -> tuple["subprocess.Popen[str]", str]:
    """The verb as a process of its own, and the address that it prints."""
    command = [sys.executable, "-m", "scripts.canary", "dashboard", *flags]
    pipe = subprocess.PIPE
    process = commands.start(command, stdout=pipe, stderr=pipe)
    assert process.stdout is not None
    return process, process.stdout.readline().strip()
