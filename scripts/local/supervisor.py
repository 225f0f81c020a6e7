"""The background process that reconciles what runs with what was applied.

One tick reads the manifests, applies KServe's rules, keeps the predictors, configures
Envoy, and reports only what Envoy has in force. After a kill at any point, the next
supervisor adopts the processes and goes on from the states on disk.
"""

import fcntl
import logging
import signal
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from scripts.local import container, envoy, envoy_config, manifest, processes, status
from scripts.local.background import SUPERVISOR
from scripts.local.container import Object
from scripts.local.envoy import Gateway
from scripts.local.envoy_config import Backend, Host
from scripts.local.replicas import Replicas
from scripts.local.rules import State, Wish, settle
from scripts.local.store import Pod, Store

# circus and supervisord keep processes too; neither adopts those of a supervisor that
# was killed, nor waits until Envoy has drained one. Of the 365 lines of processes and
# replicas most would stay.

TICK_S = 0.1
GRACE_S = 10.0

logger = logging.getLogger(__name__)


class Supervisor:
    """The reconciling loop over one state folder."""

    def __init__(self, store: Store) -> None:
        """Adopt the processes that an earlier supervisor left running."""
        self._store = store
        self._replicas = Replicas(store.folder, store.logs)
        self._states: dict[str, State] = {}
        self._stopping = False
        children = processes.find(store.folder)
        gateways = [child for child in children if child.role == envoy.ROLE]
        port = store.gateway_port()
        assert port is not None
        self._gateway = Gateway(store, port, gateways[0] if gateways else None)
        was_ready: set[str] = set()
        for document in store.objects():
            key = manifest.key(document)
            state = self._states[key] = store.state(key)
            self._want(document, state)
            was_ready |= {
                f"{manifest.namespace(document)}/{revision.name}"
                for revision in state.revisions
                if revision.was_ready
            }
        for child in children:
            if "/" in child.role:
                self._replicas.adopt(child, was_ready=child.role in was_ready)

    def run(self) -> None:
        """Tick until SIGTERM or SIGINT, then end every process."""
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)
        while not self._stopping:
            self.tick()
            time.sleep(TICK_S)
        others = processes.find(self._store.folder)
        processes.end([c for c in others if c.role != SUPERVISOR], GRACE_S)

    def tick(self) -> None:
        """Reconcile once."""
        self._gateway.keep()
        self._replicas.watch()
        documents = self._store.objects()
        before = dict(self._states)
        wanted: set[str] = set()
        for document in documents:
            key = manifest.key(document)
            ready = self._replicas.ready(manifest.namespace(document))
            state = self._states.get(key, State())
            after = settle(state, _wish(document), ready)
            if after.revisions != state.revisions:
                self._report(document, replace(after, routed=state.routed))
            self._states[key] = after
            wanted |= self._want(document, after)
        hosts = [
            self._host(document, state)
            for document in documents
            if (state := self._states[manifest.key(document)]).routed
        ]
        if not self._gateway.tell(self._backends(hosts), hosts):
            self._states = before
            return
        for document in documents:
            self._report(document, self._states[manifest.key(document)])
        self._replicas.release(wanted, self._gateway.admin.active_requests)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self._stopping = True

    def _want(self, document: Object, state: State) -> set[str]:
        """Keep all revisions running that are new, requested or routed; name them."""
        namespace, service = manifest.namespace(document), document["metadata"]["name"]
        targets = {target.revision for target in (*state.asked, *state.routed)}
        names = targets | {state.latest_created, state.latest_ready}
        wanted = set()
        for revision in state.revisions:
            if revision.name in names:
                name = f"{namespace}/{revision.name}"
                self._replicas.want(name, service, container.read(revision.template))
                wanted.add(name)
        return wanted

    def _backends(self, hosts: list[Host]) -> list[Backend]:
        """Return three clusters per replica: its own, its stand-ins', its tag's.

        In its own cluster, failed requests are retried at the replica with the largest
        other share. A tag has no stand-in, because it names one revision.
        """
        weights = dict(pair for host in hosts for pair in host.weights)
        siblings = {
            name: [other for other, weight in host.weights if other != name and weight]
            for host in hosts
            for name in dict(host.weights)
        }
        backends = []
        for replica in self._replicas.all():
            name, http2 = replica.name, replica.container.is_http2
            stand_ins = sorted(siblings.get(name, ()), key=lambda each: -weights[each])
            own = self._ports([name])
            others = self._ports(stand_ins)
            backends.append(Backend(name, own + others, http2))
            backends.append(Backend(envoy_config.stand_in_cluster(name), others, http2))
            backends.append(Backend(envoy_config.tag_cluster(name), own, http2))
        return backends

    def _host(self, document: Object, state: State) -> Host:
        namespace = manifest.namespace(document)
        names = dict.fromkeys(target.revision for target in state.routed)
        tags = {
            target.tag: envoy_config.tag_cluster(f"{namespace}/{target.revision}")
            for target in state.routed
            if target.tag
        }
        newest = container.read(state.revisions[-1].template)
        weights = [
            (f"{namespace}/{name}", state.routed_percent(name)) for name in names
        ]
        return Host(
            service=document["metadata"]["name"],
            namespace=namespace,
            weights=tuple(weights),
            tags=tags,
            timeout_s=newest.timeout_s,
            absent=frozenset(name for name, _ in weights if not self._ports([name])),
        )

    def _ports(self, names: list[str]) -> tuple[int, ...]:
        """Return the ports of the ready ones of these replicas."""
        replicas = [self._replicas.find(name) for name in names]
        return tuple(
            replica.child.port
            for replica in replicas
            if replica is not None and replica.is_ready and replica.child is not None
        )

    def _report(self, document: Object, state: State) -> None:
        """Write state and status if either has changed."""
        key = manifest.key(document)
        before = self._store.status(key)
        now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        current = status.render(
            document, state, self._failure(document, state), before, now
        )
        pods = self._pods(manifest.namespace(document), state)
        is_new = current != before or state != self._store.state(key)
        if is_new or pods != self._store.pods(key):
            self._store.write_state(key, state, current, pods)
        if is_new:
            logger.info("%s: %s", key, _traffic(state))

    def _pods(self, namespace: str, state: State) -> list[Pod]:
        replicas = [
            self._replicas.find(f"{namespace}/{revision.name}")
            for revision in state.revisions
        ]
        return [
            Pod(each.revision, each.is_ready, each.restarts, each.metrics_url)
            for each in replicas
            if each is not None
        ]

    def _failure(self, document: Object, state: State) -> str | None:
        """Return why the newest revision missed its progress deadline, else None."""
        name = f"{manifest.namespace(document)}/{state.latest_created}"
        replica = self._replicas.find(name)
        if replica is None or state.latest_created == state.latest_ready:
            return None
        waited = time.monotonic() - replica.first_start
        if waited < manifest.deadline_s(state.revisions[-1].template):
            return None
        return processes.last_line(replica.log) or f"not ready after {waited:.0f} s"


def _wish(document: Object) -> Wish:
    return Wish(
        service=f"{document['metadata']['name']}-predictor",
        template=manifest.template(document),
        percent=manifest.percent(document),
        has_tags=manifest.has_tag_routing(document),
    )


def _traffic(state: State) -> str:
    return ", ".join(f"{each.revision} {each.percent}%" for each in state.routed)


def main() -> int:
    """Supervise the folder of the first argument; only one supervisor can."""
    store = Store(Path(sys.argv[1]))
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s"
    )
    with (store.folder / "supervisor.lock").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            logger.info("another supervisor holds %s", store.folder)
            return 0
        Supervisor(store).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
