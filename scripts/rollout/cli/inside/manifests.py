"""`manifests`: print what a promoter inside the cluster needs for one target."""

import json
from pathlib import Path

from scripts.rollout.cli.options import text_of
from scripts.rollout.cluster.promoter.render import IMAGE, Promoter
from scripts.rollout.errors import Exit, RolloutError
from scripts.rollout.policy import reader


def manifests(
    name: str,
    namespace: str,
    backend: str | None,
    policy: Path | None,
    image: str | None,
    folder: Path | None,
    ingress: str,
) -> Exit:
    """Print all documents, or write them to a folder for `kubectl apply -k`."""
    text = "" if policy is None else _checked(policy, name, namespace, backend)
    backend = backend or _backend(text)
    found = Promoter(name, namespace, backend, text, image or IMAGE, ingress)
    where = f"namespace: {json.dumps(namespace)}"
    whole = f"target: {{{found.key}: {json.dumps(name)}, {where}, backend: {backend}}}"
    reader.parse(whole, "manifests")  # refuses a name that Kubernetes would
    if folder is None:
        print(found.documents(), end="")
        return Exit.PROMOTED
    for file, content in found.folder(str(folder)).items():
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    print(f"kubectl apply -k {folder}")
    if (folder / backend).is_dir():
        print(f"kubectl apply -k {folder / backend}")
    print(f"kubectl create -f {folder / 'job.yaml'}")
    return Exit.PROMOTED


def _backend(text: str) -> str:
    return reader.parse(text, "").target.backend if text else "knative"


def _checked(file: Path, name: str, namespace: str, backend: str | None) -> str:
    """Return a policy's text. Raises RolloutError where its target is another one."""
    text = text_of(file)
    target = reader.placed(reader.parse(text, str(file)), namespace).target
    found, wanted = (target.namespace, target.name), (namespace, name)
    if found != wanted or backend not in (None, target.backend):
        said = f"{target.backend} {'/'.join(found)}"
        asked = " ".join(filter(None, (backend, "/".join(wanted))))
        raise RolloutError(f"{file}: target: expected {asked}, got {said}")
    return text
