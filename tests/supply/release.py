"""Images of all platforms as OCI layouts, with bills of materials and provenance.

python -m tests.supply.release FOLDER IMAGE=PART[:MODEL] ...: PART is the Dockerfile's
target and the lock whose packages are in it. A registry takes a layout as it is,
attachments and all (`oras cp --from-oci-layout --recursive`), and it is signed there:
neither is done here.
"""

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.supply import sbom

Content = dict[str, Any]
INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
EMPTY = "application/vnd.oci.empty.v1+json"
BILL = "application/vnd.cyclonedx+json"
STATEMENT = "application/vnd.in-toto+json"
PROVENANCE = "https://slsa.dev/provenance/v1"


@dataclass(frozen=True, slots=True)
class Asked:
    """One image: its name, the Dockerfile's target, and which model it has, if any."""

    name: str
    part: str
    model: str = ""

    @classmethod
    def of(cls, text: str) -> "Asked":
        """Read IMAGE=PART[:MODEL]."""
        name, _, made = text.partition("=")
        part, _, model = made.partition(":")
        return cls(name, part, model)


def attach(layout: Path, about: Content, kind: str, document: Content) -> None:
    """Attach a document, as a manifest with what a descriptor names as subject."""
    index = json.loads((layout / "index.json").read_text())
    subject = {key: about[key] for key in ("mediaType", "digest", "size")}
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": kind,
        "config": _blob(layout, EMPTY, b"{}"),
        "layers": [_blob(layout, kind, _encoded(document))],
        "subject": subject,
    }
    described = {**_blob(layout, MANIFEST, _encoded(manifest)), "artifactType": kind}
    others = [e for e in index["manifests"] if not _is_of(layout, e, kind, subject)]
    index["manifests"] = [*others, described]
    (layout / "index.json").write_text(json.dumps(index))


def _is_of(layout: Path, each: Content, kind: str, subject: Content) -> bool:
    is_kind = each.get("artifactType") == kind
    return is_kind and read(layout, each)["subject"] == subject


def read(layout: Path, descriptor: Content) -> Content:
    """Return the JSON that a descriptor names."""
    path = layout / "blobs" / descriptor["digest"].replace(":", "/")
    return dict(json.loads(path.read_bytes()))


def image(layout: Path) -> Content:
    """Return the descriptor of the index of platforms, which is no attachment."""
    found = json.loads((layout / "index.json").read_text())["manifests"]
    (index,) = (each for each in found if "artifactType" not in each)
    return dict(index)


def platforms(layout: Path) -> dict[str, Content]:
    """Return each platform's image, by a name such as linux/amd64."""
    found = read(layout, image(layout))["manifests"]
    return {"{os}/{architecture}".format(**each["platform"]): each for each in found}


def faults(layout: Path) -> Iterator[str]:
    """Yield what of a layout is missing, or is not what its digest says."""
    open_ = list(json.loads((layout / "index.json").read_text())["manifests"])
    while open_:
        each = open_.pop()
        path = layout / "blobs" / each["digest"].replace(":", "/")
        content = path.read_bytes() if path.is_file() else b""
        if (_digest(content), len(content)) != (each["digest"], each["size"]):
            yield f"{each['mediaType']} {each['digest']}: not what is there"
        elif each["mediaType"] == INDEX:
            open_ += json.loads(content)["manifests"]
        elif each["mediaType"] == MANIFEST:
            manifest = json.loads(content)
            open_ += [manifest["config"], *manifest["layers"]]


def bill(part: str) -> Content:
    """Return the bill of materials of the packages in one image, for any platform."""
    whole = sbom.bill()
    is_in = {"name": "installed-in", "value": part}
    kept = [each for each in whole["components"] if is_in in each["properties"]]
    return {**whole, "components": kept}


def provenance(asked: Asked, made: Mapping[str, Content]) -> Content:
    """Return what images were made from, as far as this machine can say; unsigned."""
    lock = sbom.LOCKS[asked.part]
    commit = _said("git", "rev-parse", "HEAD")
    sources = [
        {"uri": "Dockerfile", "digest": {"sha256": _sha256(sbom.ROOT / "Dockerfile")}},
        {"uri": lock, "digest": {"sha256": _sha256(sbom.ROOT / lock)}},
        {"uri": "git", "digest": {"gitCommit": commit}},
    ]
    is_clean = not _said("git", "status", "--porcelain")
    parameters = {"target": asked.part, "model": asked.model, "cleanTree": is_clean}
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [
            {
                "name": f"{asked.name} {platform}".strip(),
                "digest": {"sha256": each["digest"].partition(":")[2]},
            }
            for platform, each in made.items()
        ],
        "predicateType": PROVENANCE,
        "predicate": {
            "buildDefinition": {
                "buildType": "make release",
                "externalParameters": parameters,
                "resolvedDependencies": sources,
            },
            "runDetails": {"builder": {"id": "make release, on a machine of its own"}},
        },
    }


def describe(layout: Path, asked: Asked) -> None:
    """Attach both documents to the index of a layout and to each platform's image."""
    made = {"": image(layout), **platforms(layout)}
    documents = {BILL: bill(asked.part), STATEMENT: provenance(asked, made)}
    for about in made.values():
        for kind, document in documents.items():
            attach(layout, about, kind, document)


def write(layout: Path, asked: Asked, wanted: str, builder: Sequence[str]) -> None:
    """Build an image for each of the wanted platforms, and write their layout."""
    listed = f"localhost/release/{layout.name}"
    model = ["--build-arg", f"MODEL={asked.model}"] if asked.model else []
    target = ["--target", asked.part, *model, "--platform", wanted]
    # A list that is there already would keep its older images.
    subprocess.run(["podman", "manifest", "rm", listed], capture_output=True)
    build = [*builder, "-q", *target, "--manifest", listed, str(sbom.ROOT)]
    subprocess.run(build, check=True)
    shutil.rmtree(layout, ignore_errors=True)
    push = ["podman", "manifest", "push", "-q", "--all", listed, f"oci:{layout}"]
    subprocess.run(push, check=True)


def main() -> int:
    """Write each layout, check it, and print its digests."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("images", nargs="+", type=Asked.of)
    parser.add_argument("--platforms", default="linux/amd64,linux/arm64")
    parser.add_argument("--builder", default="podman build", help="a command like it")
    said = parser.parse_args()
    said.folder.mkdir(parents=True, exist_ok=True)
    code = 0
    for asked in said.images:
        layout = said.folder / asked.name.rpartition("/")[2].replace(":", "-")
        write(layout, asked, said.platforms, said.builder.split())
        describe(layout, asked)
        for fault in faults(layout):
            print(f"{layout}: {fault}", file=sys.stderr)
            code = 1
        for platform, each in {"index": image(layout), **platforms(layout)}.items():
            print(f"{layout}: {platform} {each['digest']}")
    return code


def _blob(layout: Path, kind: str, content: bytes) -> Content:
    digest = _digest(content)
    path = layout / "blobs" / digest.replace(":", "/")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return {"mediaType": kind, "digest": digest, "size": len(content)}


def _encoded(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _said(*command: str) -> str:
    done = subprocess.run(command, cwd=sbom.ROOT, capture_output=True, text=True)
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
