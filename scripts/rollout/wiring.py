"""Which adapters a policy means: the one place where the ports meet their ends."""

import sys
import time
from pathlib import Path

from scripts.local.store import Store
from scripts.rollout.errors import RolloutError
from scripts.rollout.journal import Journal
from scripts.rollout.local import LocalTraffic
from scripts.rollout.policy import Policy
from scripts.rollout.ports import Metrics
from scripts.rollout.prometheus import Prometheus
from scripts.rollout.runner import World
from scripts.rollout.scrape import Scrape


def traffic(folder: Path, policy: Policy) -> LocalTraffic:
    """What moves the traffic. Raises RolloutError."""
    target = policy.target
    if target.backend != "local":
        raise RolloutError(
            f"target.backend: {target.backend} is not in this version, local is"
        )
    return LocalTraffic(Store(folder), target.namespace, target.inferenceservice)


def metrics(policy: Policy, traffic: LocalTraffic) -> Metrics:
    """Where the counters come from."""
    namespace = policy.target.namespace
    if policy.source.prometheus is not None:
        url = policy.source.prometheus
        return Prometheus(url, namespace, is_grpc=traffic.is_grpc)
    return Scrape(namespace, traffic.pages)


def world(folder: Path, policy: Policy, *, is_quiet: bool) -> World:
    """Everything that a runner needs; `is_quiet` keeps standard output for others."""
    output = sys.stderr if is_quiet else sys.stdout
    moved = traffic(folder, policy)
    return World(
        traffic=moved,
        metrics=metrics(policy, moved),
        journal=Journal.of(folder, policy.key),
        now=time.time,
        sleep=time.sleep,
        say=lambda note: print(
            time.strftime("%H:%M:%S"), note, file=output, flush=True
        ),
    )
