"""The folder of objects, states and logs; every write is atomic.

Only the command line writes objects, and only the supervisor writes states.
"""

import copy
import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scripts.local import container, manifest
from scripts.local.container import Object
from scripts.local.errors import NotRunning
from scripts.local.rules import Revision, State, Target


def write_json(path: Path, content: Any) -> None:
    """Replace a whole file: a reader sees the old content or the new."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(json.dumps(content, indent=1), encoding="utf-8")
    temporary.replace(path)


@dataclass(frozen=True, slots=True)
class Pod:
    """A revision's process, as a pod's status would show it."""

    revision: str
    is_ready: bool
    restarts: int
    metrics_url: str | None


OWNERS = 0o700  # journals, logs and the gateway's configuration are nobody else's


class Store:
    """Paths and files below one state folder."""

    def __init__(self, folder: Path) -> None:
        """Use `folder`, which the first write creates."""
        self.folder = folder.resolve()
        self._objects = self.folder / "objects"
        self._states = self.folder / "states"
        self.envoy = self.folder / "envoy"
        self.logs = self.folder / "logs"
        self._gateway = self.folder / "gateway.json"

    def create(self, port: int, home: Path) -> None:
        """Create the folders; the gateway will listen on `port`.

        Relative paths of a manifest, such as --model_dir's, begin at `home`.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(OWNERS)
        for folder in (self._objects, self._states, self.envoy, self.logs):
            folder.mkdir(parents=True, exist_ok=True)
        write_json(self._gateway, {"port": port, "home": str(home)})

    def gateway_port(self) -> int | None:
        """Return the gateway's port, None before the first apply."""
        content = _read(self._gateway)
        return None if content is None else int(content["port"])

    def home(self) -> Path | None:
        """Return where relative paths begin, None before the first apply."""
        content = _read(self._gateway) or {}
        return Path(content["home"]) if "home" in content else None

    @contextmanager
    def editing(self) -> Iterator[None]:
        """Lock the objects against other command lines until the block ends."""
        with (self.folder / "objects.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def objects(self) -> list[Object]:
        """Return all applied InferenceServices, oldest first."""
        found = [_read(path) for path in sorted(self._objects.glob("*.json"))]
        return sorted(
            (each for each in found if each is not None),
            key=lambda each: str(each["metadata"]["creationTimestamp"]),
        )

    def object(self, key: str) -> Object | None:
        """Return an InferenceService as applied and patched, None without one."""
        found = _read(self._objects / f"{key}.json")
        return None if found is None else dict(found)

    def apply(self, document: Object) -> str:
        """Create or configure an object as kubectl apply does; return the verb.

        As in kubectl's three-way merge, a percent that was set by patch stays if
        neither the last applied nor the new manifest has one. Raises ManifestError if
        the new revision would run an earlier one's process.
        """
        with self.editing():
            live = self.object(manifest.key(document))
            container.check_is_new(
                manifest.template(document), self._templates(document, live)
            )
            wanted = manifest.with_last_applied(document)
            if live is None:
                self._put(wanted, created=_now(), generation=1)
                return "created"
            before, now = manifest.last_applied_percent(live), manifest.percent(wanted)
            if before is None and now is None:
                _set_percent(wanted, manifest.percent(live))
            return self._replace(live, wanted, "configured")

    def _templates(self, document: Object, live: Object | None) -> list[Object]:
        """Return the templates of all revisions, and of one not made yet."""
        found = [each.template for each in self.state(manifest.key(document)).revisions]
        return found if live is None else [*found, manifest.template(live)]

    def patch_percent(self, key: str, percent: int | None) -> str:
        """Set the canary's percent; None removes the field. Raises NotRunning."""
        with self.editing():
            live = self.object(key)
            if live is None:
                raise NotRunning(f"InferenceService {key} not found; apply it first")
            patched = copy.deepcopy(live)
            _set_percent(patched, percent)
            return self._replace(live, patched, "patched")

    def _replace(self, live: Object, wanted: Object, verb: str) -> str:
        is_same = manifest.template(live) == manifest.template(
            wanted
        ) and manifest.percent(live) == manifest.percent(wanted)
        created = live["metadata"]["creationTimestamp"]
        generation = live["metadata"]["generation"] + (not is_same)
        self._put(wanted, created=created, generation=generation)
        return "unchanged" if is_same else verb

    def _put(self, document: Object, *, created: str, generation: int) -> None:
        metadata = {"creationTimestamp": created, "generation": generation}
        content = document | {"metadata": document["metadata"] | metadata}
        write_json(self._objects / f"{manifest.key(document)}.json", content)

    def state(self, key: str) -> State:
        """Return the rules' state of an InferenceService, empty before the first."""
        content = _read(self._states / f"{key}.json")
        if content is None:
            return State()
        raw = content["state"]
        return State(
            revisions=tuple(Revision(**revision) for revision in raw.pop("revisions")),
            asked=tuple(Target(**target) for target in raw.pop("asked")),
            routed=tuple(Target(**target) for target in raw.pop("routed")),
            **raw,
        )

    def status(self, key: str) -> Object:
        """Return the status as last reported, empty before the first."""
        content = _read(self._states / f"{key}.json")
        return {} if content is None else dict(content["status"])

    def pods(self, key: str) -> list[Pod]:
        """Return the processes of every revision, as last reported."""
        content = _read(self._states / f"{key}.json")
        return [] if content is None else [Pod(**pod) for pod in content["pods"]]

    def write_state(
        self, key: str, state: State, status: Object, pods: Sequence[Pod]
    ) -> None:
        """Write state, status and pods in one file, so that they always agree."""
        content = {
            "state": asdict(state),
            "status": status,
            "pods": [asdict(pod) for pod in pods],
        }
        write_json(self._states / f"{key}.json", content)


def _set_percent(document: Object, percent: int | None) -> None:
    predictor = document["spec"]["predictor"]
    predictor.pop(manifest.PERCENT, None)
    if percent is not None:
        predictor[manifest.PERCENT] = percent


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
