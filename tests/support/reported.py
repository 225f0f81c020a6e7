"""Rollouts of the test policy that write their report as they go."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scripts.rollout.journal import chain
from scripts.rollout.journal.broadcast import Broadcast
from scripts.rollout.loop.runner import Runner
from scripts.rollout.loop.world import World
from scripts.rollout.report.writer import Report
from tests.support.folder_world import FolderWorld
from tests.support.worlds import POLICY, policy


def run(folder: Path, looks: int = 60, bad: float = 0.0) -> FolderWorld:
    """A canary that fails a share `bad`, after some looks, each by a new promoter."""
    cluster = FolderWorld(folder, bad)
    heard = Broadcast(cluster.journal, None, [Report(cluster.journal.path, print)])
    world = World(
        cluster, cluster, heard, cluster.now, lambda _: None, cluster.said.append
    )
    for _ in range(looks):
        Runner(policy(), POLICY, world).run(once=True)
    return cluster


def lines(cluster: FolderWorld) -> list[str]:
    """Its journal."""
    return cluster.journal.path.read_text().splitlines()


def entries(cluster: FolderWorld) -> list[dict[str, Any]]:
    """What its journal's lines hold."""
    return [json.loads(line) for line in lines(cluster)]


def chained(contents: Sequence[dict[str, Any]]) -> list[str]:
    """The lines of a journal that holds these entries, under a chain that holds."""
    found, previous = [], chain.FIRST
    for content in contents:
        rest = {key: each for key, each in content.items() if key != "hash"}
        line, previous = chain.link(previous, rest)
        found.append(line)
    return found
