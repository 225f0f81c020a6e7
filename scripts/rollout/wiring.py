"""Which adapters a policy means: the one place where the ports meet their ends."""

import os
import socket
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import urllib3

from scripts.rollout.cluster import client
from scripts.rollout.cluster.client import Cluster
from scripts.rollout.errors import RolloutError
from scripts.rollout.integrations.events import Events
from scripts.rollout.integrations.hooks import PolicyHooks
from scripts.rollout.integrations.webhook import Notify
from scripts.rollout.journal.broadcast import Broadcast, Listener, copy_to
from scripts.rollout.journal.configmap import ConfigMapJournal
from scripts.rollout.journal.file import FileJournal
from scripts.rollout.journal.port import Journal, SharedJournal
from scripts.rollout.loop.world import World
from scripts.rollout.metrics.port import Metrics
from scripts.rollout.metrics.prometheus import Prometheus
from scripts.rollout.metrics.scrape import Scrape
from scripts.rollout.policy.policy import Policy
from scripts.rollout.report.writer import Report
from scripts.rollout.shadow.asker import PairAsker
from scripts.rollout.shadow.pairs import PairSource
from scripts.rollout.shadow.sources import Shadow, Synthetic
from scripts.rollout.traffic import httproute
from scripts.rollout.traffic.gateway import GatewayTraffic
from scripts.rollout.traffic.knative import KnativeTraffic
from scripts.rollout.traffic.port import CountedTraffic
from scripts.rollout.traffic.standard import StandardTraffic

_cluster = cache(Cluster.here)
ON_CLUSTER: Mapping[str, Callable[[Cluster, str, str, str, str], CountedTraffic]] = {
    "knative": KnativeTraffic,
    "gateway": GatewayTraffic,
    "standard": StandardTraffic,
}


@dataclass(frozen=True, slots=True)
class Backend:
    """What moves traffic, and how its pages are asked for."""

    traffic: CountedTraffic
    http: urllib3.PoolManager | None = None


def backend(folder: Path, policy: Policy) -> Backend:
    """The one that a policy names. Raises RolloutError.

    Local mode is imported when it is meant: the promoter's image does without it.
    """
    target = policy.target
    where = target.namespace, target.name, policy.counts
    if is_on_cluster(policy):
        cluster = _cluster()
        adapter = ON_CLUSTER[target.backend]
        traffic = adapter(cluster, *where, target.container or "")
        return Backend(traffic, cluster.http)
    try:
        from scripts.local.store import Store
        from scripts.rollout.traffic.local import LocalTraffic
    except ModuleNotFoundError as error:
        raise RolloutError(f"target.backend: local needs {error.name}") from error
    return Backend(LocalTraffic(Store(folder), *where))


def metrics(policy: Policy, chosen: Backend) -> Metrics:
    """Where the counters come from."""
    namespace, traffic = policy.target.namespace, chosen.traffic
    if policy.source.prometheus is not None:
        custom = {each.name: each.promql for each in policy.metrics if each.promql}
        return Prometheus(policy.source.prometheus, namespace, traffic.counts, custom)
    return Scrape(namespace, traffic.pages, http=chosen.http)


def is_on_cluster(policy: Policy) -> bool:
    """Whether it is about a cluster, and not about this machine."""
    return policy.target.backend != "local"


def subject(policy: Policy) -> str:
    """What is rolled out on a cluster, as a path of its API server."""
    find = client.service_path if policy.target.route is None else httproute.route_path
    return find(policy.target.namespace, policy.target.name)


def journal(
    folder: Path, key: str, *, on_cluster: bool, owner: str = ""
) -> SharedJournal:
    """Where the rollouts of a target are written down; whoever begins one says whose.

    Raises RolloutError.
    """
    if not on_cluster:
        return FileJournal.of(folder, key)
    namespace, _, name = key.partition(".")
    holder = os.environ.get("ROLLOUT_HOLDER", f"{socket.gethostname()}/{os.getpid()}")
    return ConfigMapJournal(_cluster(), namespace, name, holder, owner)


def journal_of(folder: Path, policy: Policy) -> SharedJournal:
    """Where a policy's rollouts are written down. Raises RolloutError."""
    if not is_on_cluster(policy):
        return journal(folder, policy.key, on_cluster=False)
    return journal(folder, policy.key, on_cluster=True, owner=subject(policy))


def heard(
    folder: Path,
    policy: Policy,
    kept: SharedJournal,
    copy: str | None,
    say: Callable[[str], None],
    hooks: Sequence[Listener] = (),
) -> Journal:
    """The journal, and whom the policy tells of it; beside its file lies a report.

    On a cluster that is Events too, and a copy of the whole chain.
    """
    others: list[Listener] = [Notify(each, policy.key) for each in policy.notify]
    if is_on_cluster(policy):
        others.append(Events(_cluster(), policy.target.namespace, subject(policy)))
        copy = copy or str(copied(folder, policy.key))
    whole = kept.path if isinstance(kept, FileJournal) else copy
    if whole not in (None, "-"):
        others.append(Report(Path(str(whole)), say))
    return Broadcast(kept, copy_to(copy) if copy else None, [*others, *hooks])


def copied(folder: Path, key: str) -> Path:
    """Where the whole journal of a cluster's rollouts is kept on this machine."""
    return folder / "clusters" / key / "journal.jsonl"


def world(
    folder: Path,
    policy: Policy,
    kept: SharedJournal,
    *,
    is_quiet: bool,
    copy: str | None = None,
    has_pairs: bool = False,
) -> World:
    """Everything that a runner needs; `is_quiet` keeps standard output for others.

    `has_pairs`: whether both arms are asked what the policy says; to end a rollout, or
    to say what one look would do, that is not needed.
    """
    chosen, output = backend(folder, policy), sys.stderr if is_quiet else sys.stdout

    def say(note: str) -> None:
        print(time.strftime("%H:%M:%S"), note, file=output, flush=True)

    hooks = PolicyHooks(policy, say)
    return World(
        traffic=chosen.traffic,
        metrics=metrics(policy, chosen),
        journal=heard(folder, policy, kept, copy, say, [hooks]),
        now=time.time,
        sleep=time.sleep,
        say=say,
        hooks=hooks,
        pair_sources=_pair_sources(policy, chosen, say) if has_pairs else (),
    )


def _pair_sources(
    policy: Policy, chosen: Backend, say: Callable[[str], None]
) -> tuple[PairSource, ...]:
    http = chosen.http or urllib3.PoolManager(maxsize=32, retries=False)
    found: list[PairAsker] = []
    find = chosen.traffic.pages
    if policy.shadow is not None:
        token = os.environ.get("RECORDING_TOKEN", "")
        if not token:
            raise RolloutError("shadow: expected RECORDING_TOKEN in the environment")
        users = Shadow(policy.shadow.share, token, http)
        found.append(PairAsker(users, find, http, say, counts=True))
    if policy.synthetic is not None:
        made = Synthetic(policy.synthetic.rps, _sentences(policy.synthetic.texts))
        found.append(PairAsker(made, find, http, say, counts=policy.synthetic.counts))
    return tuple(found)


def _sentences(file: str) -> list[str]:
    try:
        lines = Path(file).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8"
        raise RolloutError(f"synthetic.texts: {file}: {reason}") from error
    found = [line.strip() for line in lines if line.strip()]
    if not found:
        raise RolloutError(f"synthetic.texts: {file}: expected one text a line")
    return found
