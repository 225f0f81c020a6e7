"""A release's layout: what is attached to an image, and every byte of it."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.supply import release, sbom


def _manifest(layout: Path, descriptor: dict[str, Any]) -> dict[str, Any]:
    path = layout / "blobs" / descriptor["digest"].replace(":", "/")
    return dict(json.loads(path.read_bytes()))


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    """A layout of one small image, as podman writes it."""
    config = release._blob(tmp_path, "application/vnd.oci.image.config.v1+json", b"{}")
    layer = release._blob(tmp_path, "application/vnd.oci.image.layer.v1.tar", b"x")
    manifest = {"schemaVersion": 2, "mediaType": release.MANIFEST}
    content = {**manifest, "config": config, "layers": [layer]}
    image = release._blob(tmp_path, release.MANIFEST, json.dumps(content).encode())
    index = {"schemaVersion": 2, "manifests": [image]}
    (tmp_path / "index.json").write_text(json.dumps(index))
    return tmp_path


def test_bill_and_provenance_are_found_by_the_image_that_they_are_about(
    layout: Path,
) -> None:
    image = release.subject(layout)
    made = release.provenance(image, "intent-canary:latest", "promoter")
    for _ in range(2):  # a second time replaces the first
        release.attach(layout, release.BILL, release.bill("promoter"))
        release.attach(layout, release.STATEMENT, made)
    assert release.subject(layout) == image
    listed = json.loads((layout / "index.json").read_text())["manifests"]
    attached = {each.get("artifactType"): each for each in listed}
    assert list(attached) == [None, release.BILL, release.STATEMENT]
    for kind in (release.BILL, release.STATEMENT):
        manifest = _manifest(layout, attached[kind])
        assert manifest["subject"] == image
        (document,) = manifest["layers"]
        assert document["mediaType"] == manifest["artifactType"] == kind
    statement = _manifest(layout, _manifest(layout, attached[kind])["layers"][0])
    (subject,) = statement["subject"]
    assert f"sha256:{subject['digest']['sha256']}" == image["digest"]
    assert list(release.faults(layout)) == []


def test_an_images_bill_has_the_packages_of_its_lock_and_no_other() -> None:
    for part in ("promoter", "predictor"):
        text = (sbom.ROOT / sbom.LOCKS[part]).read_text()
        pinned = sorted(name for name, _, _ in sbom.pins(text))
        assert sorted(e["name"] for e in release.bill(part)["components"]) == pinned


def test_a_byte_that_is_changed_or_missing_is_found(layout: Path) -> None:
    release.attach(layout, release.BILL, release.bill("promoter"))
    for path in list((layout / "blobs" / "sha256").iterdir()):
        content = path.read_bytes()
        path.write_bytes(content + b" ")
        assert list(release.faults(layout))
        path.unlink()
        assert list(release.faults(layout))
        path.write_bytes(content)
    assert list(release.faults(layout)) == []
