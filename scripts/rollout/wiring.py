"""Which adapters a policy means: the one place where the ports meet their ends."""

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import urllib3

from scripts.rollout.errors import RolloutError
from scripts.rollout.journal import Journal
from scripts.rollout.policy import Policy
from scripts.rollout.ports import Metrics, Pages, Traffic
from scripts.rollout.prometheus import Prometheus
from scripts.rollout.runner import World
from scripts.rollout.scrape import Scrape


@dataclass(frozen=True, slots=True)
class Backend:
    """What moves traffic, where its counters are, and how those are asked for."""

    traffic: Traffic
    pages: Callable[[Sequence[str]], Pages | None]
    counts: str
    http: urllib3.PoolManager | None = None


def backend(folder: Path, policy: Policy) -> Backend:
    """The one that a policy names, imported when it is. Raises RolloutError."""
    target = policy.target
    if target.backend == "local":
        from scripts.local.store import Store
        from scripts.rollout.local import LocalTraffic

        local = LocalTraffic(
            Store(folder), target.namespace, target.inferenceservice, policy.counts
        )
        return Backend(local, local.pages, local.counts)
    if target.backend == "knative":
        from scripts.rollout.kserve import KserveTraffic
        from scripts.rollout.kube import Cluster

        cluster = Cluster.here()
        there = KserveTraffic(
            cluster, target.namespace, target.inferenceservice, policy.counts
        )
        return Backend(there, there.pages, there.counts, cluster.http)
    raise RolloutError(
        f"target.backend: {target.backend} is not in this version; local, knative are"
    )


def metrics(policy: Policy, chosen: Backend) -> Metrics:
    """Where the counters come from."""
    namespace = policy.target.namespace
    if policy.source.prometheus is not None:
        url = policy.source.prometheus
        return Prometheus(url, namespace, chosen.counts)
    return Scrape(namespace, chosen.pages, http=chosen.http)


def world(folder: Path, policy: Policy, *, is_quiet: bool) -> World:
    """Everything that a runner needs; `is_quiet` keeps standard output for others."""
    chosen, output = backend(folder, policy), sys.stderr if is_quiet else sys.stdout

    def say(note: str) -> None:
        print(time.strftime("%H:%M:%S"), note, file=output, flush=True)

    return World(
        traffic=chosen.traffic,
        metrics=metrics(policy, chosen),
        journal=Journal.of(folder, policy.key),
        now=time.time,
        sleep=time.sleep,
        say=say,
    )
