"""An API server in memory: objects by path, each with a version."""

import copy
from itertools import count
from typing import Any
from urllib.parse import unquote

import urllib3

from scripts.rollout.cluster.client import Cluster, Object, service_path
from scripts.rollout.errors import Conflict, NotFound, Unreachable

OWNER = service_path("default", "intent")


class Api(Cluster):
    """Objects with versions, and an API server's answers to whoever is too late."""

    def __init__(self) -> None:
        """One InferenceService."""
        super().__init__("http://api", urllib3.PoolManager())
        self.is_away = self.loses_answers = False
        self._numbers = count(1)
        self.objects: dict[str, Object] = {}
        service = {"apiVersion": "v1beta1", "kind": "InferenceService"}
        metadata = {"name": "intent", "uid": "u-1"}
        self.objects[OWNER] = {
            **service,
            "metadata": metadata,
        }

    def get(self, path: str) -> Object:
        if self.is_away:
            raise Unreachable("no API server")
        address, _, query = path.partition("?labelSelector=")
        if query:
            return {"items": self._chosen(address, unquote(query))}
        if path not in self.objects:
            raise NotFound(404, f"GET {path}: not found")
        return copy.deepcopy(self.objects[path])

    def _chosen(self, address: str, selector: str) -> list[Object]:
        wanted = {tuple(pair.split("=")) for pair in selector.split(",")}
        return [
            copy.deepcopy(each)
            for path, each in self.objects.items()
            if path.rpartition("/")[0] == address
            and wanted <= set(each["metadata"]["labels"].items())
        ]

    def create(self, path: str, content: Object) -> Object:
        self.get(OWNER)
        metadata = content["metadata"]
        name = metadata.get("name") or f"{metadata['generateName']}{len(self.objects)}"
        if f"{path}/{name}" in self.objects:
            raise Conflict(409, f"POST {path}: exists")
        return self._put(f"{path}/{name}", copy.deepcopy(content))

    def patch(self, path: str, read: Object, change: Object) -> Object:
        found = self.get(path)
        wanted = read["metadata"]["resourceVersion"]
        if wanted != found["metadata"]["resourceVersion"]:
            raise Conflict(409, f"PATCH {path}: changed")
        answer = self._put(path, _merged(found, change))
        if self.loses_answers:
            self.loses_answers = False
            raise Unreachable("the answer was lost")
        return answer

    def apply(self, path: str, read: Object, change: Object) -> Object:
        """As `patch`: of fields that are no lists it is the same."""
        return self.patch(path, read, change)

    def _put(self, path: str, content: Object) -> Object:
        content["metadata"]["resourceVersion"] = str(next(self._numbers))
        self.objects[path] = content
        return copy.deepcopy(content)


def _merged(old: Any, change: Any) -> Any:
    if not isinstance(change, dict) or not isinstance(old, dict):
        return change
    return {**old, **{k: _merged(old.get(k), v) for k, v in change.items()}}
