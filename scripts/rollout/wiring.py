"""Builds the adapters that a policy names; the only module that knows them all."""

import os
import socket
import sys
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

from scripts.rollout import secret
from scripts.rollout.cluster.client import Cluster, service_path
from scripts.rollout.errors import RolloutError, Unreachable
from scripts.rollout.integrations.events import Events
from scripts.rollout.integrations.hooks import PolicyHooks
from scripts.rollout.integrations.outbox import Outbox
from scripts.rollout.integrations.webhook import Notify, Receiver
from scripts.rollout.journal.broadcast import Broadcast, Listener, copy_to
from scripts.rollout.journal.configmap import ConfigMapJournal
from scripts.rollout.journal.file import FileJournal
from scripts.rollout.journal.port import Journal, SharedJournal
from scripts.rollout.loop.world import World
from scripts.rollout.metrics.cloudwatch.source import CloudWatch
from scripts.rollout.metrics.port import Metrics
from scripts.rollout.metrics.prometheus.server import Prometheus
from scripts.rollout.policy import reader
from scripts.rollout.policy.integrations import Hook
from scripts.rollout.policy.policy import Policy
from scripts.rollout.policy.warmup import sent
from scripts.rollout.report.writer import Report
from scripts.rollout.shadow.asker import PairAsker
from scripts.rollout.shadow.pairs import PairSource
from scripts.rollout.shadow.sources import Shadow, Synthetic
from scripts.rollout.traffic.port import CountedTraffic, Place
from scripts.rollout.traffic.routes.canary_ingress import ingress_path
from scripts.rollout.traffic.routes.group import member_path
from scripts.rollout.traffic.routes.httproute import route_path

SUBJECTS = {
    "inferenceservice": service_path,
    "route": route_path,
    "ingress": ingress_path,
    "llminferenceservice": member_path,
}


def traffic(place: Place, policy: Policy) -> CountedTraffic:
    """Build the adapter that the policy's backend names. Raises RolloutError.

    The adapter is imported here, because the promoter's image lacks local mode.
    """
    module, _, name = policy.backend.adapter.partition(":")
    try:
        adapter: type[CountedTraffic] = getattr(import_module(module), name)
    except ModuleNotFoundError as error:
        backend = policy.target.backend
        raise RolloutError(f"target.backend: {backend} needs {error.name}") from error
    return adapter.of(place, policy.target, policy.counted_by)


def metrics(policy: Policy, chosen: CountedTraffic) -> Metrics:
    """Build the source of counters: the policy's Prometheus, or the backend's own."""
    server = policy.source.prometheus
    if server is None:
        found = chosen.metrics()
        return found.judging(policy) if isinstance(found, CloudWatch) else found
    custom = {each.name: each.promql for each in policy.metrics if each.promql}
    return Prometheus(server, policy.target.namespace, chosen.counted_by, custom)


def placed(place: Place, policy: Policy) -> Policy:
    """Return the policy in the namespace that kubectl would use, if it names none.

    In a pod that is the pod's own. Raises RolloutError without a cluster.
    """
    if policy.backend.journal != "configmap" or reader.is_placed(policy):
        return policy
    return reader.placed(policy, Cluster.of(place.context).namespace)


def subject(policy: Policy) -> str:
    """Return the API server's path of the object that a policy rolls out."""
    find = SUBJECTS[policy.backend.target]
    return find(policy.target.namespace, policy.target.name)


def journal(
    place: Place, key: str, *, on_cluster: bool, owner: str = ""
) -> SharedJournal:
    """Return the journal of a target's rollouts. Raises RolloutError.

    `owner` is the path of the object that owns a new journal.
    """
    if not on_cluster:
        return FileJournal.of(place.folder, key)
    namespace, _, name = key.partition(".")
    holder = os.environ.get("ROLLOUT_HOLDER", f"{socket.gethostname()}/{os.getpid()}")
    return ConfigMapJournal(Cluster.of(place.context), namespace, name, holder, owner)


def journal_of(place: Place, policy: Policy) -> SharedJournal:
    """Return the journal of a policy's rollouts. Raises RolloutError."""
    on_cluster = policy.backend.journal == "configmap"
    owner = subject(policy) if on_cluster else ""
    return journal(place, policy.key, on_cluster=on_cluster, owner=owner)


def broadcast(
    place: Place,
    policy: Policy,
    kept: SharedJournal,
    copy: str | None,
    say: Callable[[str], None],
    hooks: Sequence[Listener] = (),
) -> Journal:
    """Wrap the journal so that it also tells the policy's webhooks and the report.

    On a cluster it tells Kubernetes Events too, and a file that keeps the whole chain.
    """
    others: list[Listener] = []
    if policy.backend.journal == "configmap":
        cluster = Cluster.of(place.context)
        others.append(Events(cluster, policy.target.namespace, subject(policy)))
        copy = copy or str(copy_path(place.folder, policy.key))
    whole = kept.path if isinstance(kept, FileJournal) else copy
    page = None
    if whole not in (None, "-"):
        report = Report(Path(str(whole)), say)
        others.append(report)
        page = str(report.path)
    outbox = Outbox(kept)
    for receiver in receivers(policy):
        others.append(Notify(receiver, policy.key, outbox, page))
    return Broadcast(kept, copy_to(copy, say) if copy else None, [*others, *hooks])


def receivers(policy: Policy) -> list[Receiver]:
    """Return the receivers of a policy's messages."""
    return [Receiver(each, place) for place, each in enumerate(policy.notify)]


def check_secrets(policy: Policy) -> None:
    """Raise RolloutError for what receivers and hooks need and cannot be read here."""
    named = [
        (f"{each}.{key}", value)
        for each in receivers(policy)
        for key, value in (("url", each.webhook.url), ("key", each.webhook.key))
    ]
    for name in ("pre", "confirm", "post"):
        hook: Hook | None = getattr(policy.hooks, name)
        named.append((f"hooks.{name}.url", None if hook is None else hook.url))
    try:
        for place, value in named:
            secret.filled(place, value or "")
    except Unreachable as error:
        raise RolloutError(str(error)) from error


def copy_path(folder: Path, key: str) -> Path:
    """Return the file that keeps the whole journal of a cluster's rollouts."""
    return folder / "clusters" / key / "journal.jsonl"


def world(
    place: Place,
    policy: Policy,
    kept: SharedJournal,
    *,
    is_quiet: bool,
    copy: str | None = None,
    has_pairs: bool = False,
    others: Sequence[Listener] = (),
) -> World:
    """Build everything that a runner needs.

    `is_quiet` keeps standard output free for other text. `has_pairs` starts shadow and
    synthetic requests; neither ending a rollout nor rehearsing one look needs them.
    `others` are told of each commit too.
    """
    chosen = traffic(place, policy)
    output = sys.stderr if is_quiet else sys.stdout

    def say(note: str) -> None:
        print(time.strftime("%H:%M:%S"), note, file=output, flush=True)

    hooks = PolicyHooks(policy, say)
    return World(
        traffic=chosen,
        metrics=metrics(policy, chosen),
        journal=broadcast(place, policy, kept, copy, say, [*others, hooks]),
        now=time.time,
        sleep=time.sleep,
        say=say,
        settles_s=policy.backend.settles_s,
        hooks=hooks,
        pair_sources=_pair_sources(policy, chosen, say) if has_pairs else (),
    )


def _pair_sources(
    policy: Policy, chosen: CountedTraffic, say: Callable[[str], None]
) -> tuple[PairSource, ...]:
    found: list[PairAsker] = []
    http, find = chosen.http, chosen.pages
    if policy.shadow is not None:
        token = os.environ.get("RECORDING_TOKEN", "")
        if not token:
            raise RolloutError("shadow: expected RECORDING_TOKEN in the environment")
        users = Shadow(policy.shadow.share, token, http)
        found.append(PairAsker(users, find, http, say, counts=True))
    if policy.synthetic is not None:
        own = policy.synthetic.path or "", sent(policy.synthetic.body)
        texts = _sentences(policy.synthetic.texts)
        made = Synthetic(policy.synthetic.rps, texts, *own)
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
        raise RolloutError(f"synthetic.texts: {file}: expected one text per line")
    return found
