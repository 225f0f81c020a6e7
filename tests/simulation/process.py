"""One promoter's process: it may be killed or stopped at every instant of I/O."""

import errno
import os
from dataclasses import dataclass, field
from typing import IO, Any

from tests.simulation import faults
from tests.simulation.clock import Clock, Killed
from tests.simulation.faults import Faults


@dataclass
class Process:
    """A process that does nothing more once it was killed."""

    name: str
    clock: Clock
    faults: Faults
    is_dead: bool = False
    blind: str = ""
    synced: dict[str, int] = field(default_factory=dict)

    def live(self) -> None:
        """Be at an instant at which the process may be killed or stopped."""
        if self.is_dead:
            raise Killed
        match self.faults.strikes(faults.PROCESSES):
            case "killed":
                self.is_dead = True
                raise Killed
            case "stopped":
                self.clock.sleep(self.faults.random.uniform(0.5, 40.0))

    def sleep(self, seconds: float) -> None:
        """Sleep, and be killed at the end of it."""
        self.clock.sleep(seconds)
        self.live()

    def sync(self, file: IO[Any]) -> None:
        """Write to the disk: whole, in part before a kill, or not at all."""
        file.flush()
        match self.faults.strikes(faults.DISKS):
            case "full":
                self._cut(file, 0.0)
                raise OSError(errno.ENOSPC, "No space left on device")
            case "full midway":
                self._cut(file, self.faults.random.random())
                raise OSError(errno.ENOSPC, "No space left on device")
        try:
            self.live()
        except Killed:
            self._cut(file, self.faults.random.random())
            raise
        self.synced[file.name] = os.fstat(file.fileno()).st_size
        self.live()

    def _cut(self, file: IO[Any], share: float) -> None:
        """Let only a share of what was written since the last sync reach the disk."""
        before = 0 if "w" in file.mode else self.synced.get(file.name, 0)
        written = os.fstat(file.fileno()).st_size - before
        os.ftruncate(file.fileno(), before + int(written * share))
