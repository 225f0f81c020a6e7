"""Images as OCI layouts, each with its bill of materials and its provenance attached.

python -m tests.supply.release FOLDER IMAGE=PART ...: saves the image by podman; PART is
the lock whose packages are in it. A registry takes a layout as it is, attachments and
all (`oras cp --from-oci-layout --recursive`); it is signed there. Neither is done here.
"""

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.supply import sbom

Content = dict[str, Any]
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
EMPTY = "application/vnd.oci.empty.v1+json"
BILL = "application/vnd.cyclonedx+json"
STATEMENT = "application/vnd.in-toto+json"
PROVENANCE = "https://slsa.dev/provenance/v1"


def attach(layout: Path, kind: str, document: Mapping[str, Any]) -> None:
    """Attach a document to the image of a layout, as a manifest with it as subject."""
    index = json.loads((layout / "index.json").read_text())
    image = subject(layout)
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": kind,
        "config": _blob(layout, EMPTY, b"{}"),
        "layers": [_blob(layout, kind, _encoded(document))],
        "subject": {key: image[key] for key in ("mediaType", "digest", "size")},
    }
    described = {**_blob(layout, MANIFEST, _encoded(manifest)), "artifactType": kind}
    others = [each for each in index["manifests"] if each.get("artifactType") != kind]
    index["manifests"] = [*others, described]
    (layout / "index.json").write_text(json.dumps(index))


def subject(layout: Path) -> Content:
    """Return the descriptor of the image, the only one that is no attachment."""
    found = json.loads((layout / "index.json").read_text())["manifests"]
    (image,) = (each for each in found if "artifactType" not in each)
    return dict(image)


def faults(layout: Path) -> Iterator[str]:
    """Yield what of a layout is missing, or is not what its digest says."""
    open_ = list(json.loads((layout / "index.json").read_text())["manifests"])
    while open_:
        each = open_.pop()
        path = layout / "blobs" / each["digest"].replace(":", "/")
        content = path.read_bytes() if path.is_file() else b""
        if (_digest(content), len(content)) != (each["digest"], each["size"]):
            yield f"{each['mediaType']} {each['digest']}: not what is there"
        elif each["mediaType"] == MANIFEST:
            manifest = json.loads(content)
            open_ += [manifest["config"], *manifest["layers"]]


def bill(part: str) -> Content:
    """Return the bill of materials of the packages in one image."""
    whole = sbom.bill()
    is_in = {"name": "installed-in", "value": part}
    kept = [each for each in whole["components"] if is_in in each["properties"]]
    return {**whole, "components": kept}


def provenance(image: Content, name: str, part: str) -> Content:
    """Return what an image was made from, as far as this machine can say; unsigned."""
    lock = sbom.LOCKS[part]
    commit = _said("git", "rev-parse", "HEAD")
    sources = [
        {"uri": "Dockerfile", "digest": {"sha256": _sha256(sbom.ROOT / "Dockerfile")}},
        {"uri": lock, "digest": {"sha256": _sha256(sbom.ROOT / lock)}},
        {"uri": "git", "digest": {"gitCommit": commit}},
    ]
    is_clean = not _said("git", "status", "--porcelain")
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [
            {"name": name, "digest": {"sha256": image["digest"].partition(":")[2]}}
        ],
        "predicateType": PROVENANCE,
        "predicate": {
            "buildDefinition": {
                "buildType": "make release",
                "externalParameters": {"target": part, "cleanTree": is_clean},
                "resolvedDependencies": sources,
            },
            "runDetails": {"builder": {"id": "make release, on a machine of its own"}},
        },
    }


def release(folder: Path, name: str, part: str) -> Path:
    """Write one image's layout with all that belongs to it."""
    layout = folder / name.rpartition("/")[2].replace(":", "-")
    shutil.rmtree(layout, ignore_errors=True)
    # Docker saves no layout as a folder.
    save = ["podman", "save", "-q", "--format", "oci-dir", "-o", str(layout), name]
    subprocess.run(save, check=True)
    attach(layout, BILL, bill(part))
    attach(layout, STATEMENT, provenance(subject(layout), name, part))
    return layout


def main() -> int:
    """Write each layout, check it, and print its digest."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    code = 0
    for asked in sys.argv[2:]:
        name, _, part = asked.partition("=")
        layout = release(folder, name, part)
        for fault in faults(layout):
            print(f"{layout}: {fault}", file=sys.stderr)
            code = 1
        print(f"{layout}: {subject(layout)['digest']}")
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
