"""Which adapters a policy means: the one place where the ports meet their ends."""

import os
import socket
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import urllib3

from scripts.rollout.audit import Heard, copy_to
from scripts.rollout.errors import RolloutError
from scripts.rollout.journal import FileJournal
from scripts.rollout.policy import Policy
from scripts.rollout.ports import Journal, Metrics, Pages, Shared, Traffic
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


def is_on_cluster(policy: Policy) -> bool:
    """Whether it is about a cluster, and not about this machine."""
    return policy.target.backend != "local"


def journal(folder: Path, key: str, *, on_cluster: bool) -> Shared:
    """Where the rollouts of a target are written down. Raises RolloutError."""
    if not on_cluster:
        return FileJournal.of(folder, key)
    from scripts.rollout.configmap import ConfigMapJournal
    from scripts.rollout.kube import Cluster

    namespace, _, name = key.partition(".")
    holder = os.environ.get("ROLLOUT_HOLDER", f"{socket.gethostname()}/{os.getpid()}")
    return ConfigMapJournal(Cluster.here(), namespace, name, holder)


def heard(folder: Path, policy: Policy, kept: Journal, copy: str | None) -> Journal:
    """The journal; on a cluster with Events, and with a copy of the whole chain."""
    if not is_on_cluster(policy):
        return Heard(kept, copy_to(copy)) if copy else kept
    from scripts.rollout.events import Events
    from scripts.rollout.kube import Cluster

    target = policy.target
    events = Events(Cluster.here(), target.namespace, target.inferenceservice)
    whole = copy_to(copy or folder / "clusters" / policy.key / "journal.jsonl")
    return Heard(kept, whole, [events])


def world(
    folder: Path,
    policy: Policy,
    kept: Journal,
    *,
    is_quiet: bool,
    copy: str | None = None,
) -> World:
    """Everything that a runner needs; `is_quiet` keeps standard output for others."""
    chosen, output = backend(folder, policy), sys.stderr if is_quiet else sys.stdout

    def say(note: str) -> None:
        print(time.strftime("%H:%M:%S"), note, file=output, flush=True)

    return World(
        traffic=chosen.traffic,
        metrics=metrics(policy, chosen),
        journal=heard(folder, policy, kept, copy),
        now=time.time,
        sleep=time.sleep,
        say=say,
    )
