"""A release's layout: what is attached to its images, and every byte of it."""

import json
from pathlib import Path

import pytest

from tests.supply import release, sbom
from tests.supply.release import BILL, STATEMENT, Asked, Content

ASKED = Asked.of("registry/intent-canary:latest=promoter")
PLATFORMS = ["linux/amd64", "linux/arm64"]


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    """A layout of one small image for two platforms, as podman writes it."""
    images = [_image(tmp_path, *each.split("/")) for each in PLATFORMS]
    index = _written(tmp_path, release.INDEX, {"manifests": images})
    whole = {"schemaVersion": 2, "manifests": [index]}
    (tmp_path / "index.json").write_text(json.dumps(whole))
    return tmp_path


def _image(folder: Path, system: str, architecture: str) -> Content:
    platform = {"os": system, "architecture": architecture}
    config = _written(folder, "application/vnd.oci.image.config.v1+json", platform)
    layer = release._blob(folder, "application/vnd.oci.image.layer.v1.tar", b"x")
    content = {"config": config, "layers": [layer]}
    return {**_written(folder, release.MANIFEST, content), "platform": platform}


def _written(folder: Path, kind: str, content: Content) -> Content:
    whole = {"schemaVersion": 2, "mediaType": kind, **content}
    return release._blob(folder, kind, json.dumps(whole).encode())


def test_bill_and_provenance_are_found_by_every_image_that_they_are_about(
    layout: Path,
) -> None:
    before = release.image(layout)
    for _ in range(2):  # a second time replaces the first
        release.describe(layout, ASKED)
    assert release.image(layout) == before
    assert list(release.platforms(layout)) == PLATFORMS
    listed = json.loads((layout / "index.json").read_text())["manifests"]
    attached = [release.read(layout, each) for each in listed if "artifactType" in each]
    found = {(each["subject"]["digest"], each["artifactType"]) for each in attached}
    about = [before, *release.platforms(layout).values()]
    assert len(attached) == len(found) == 6
    assert found == {(e["digest"], kind) for e in about for kind in (BILL, STATEMENT)}
    for manifest in attached:
        (document,) = manifest["layers"]
        assert document["mediaType"] == manifest["artifactType"]
    statement = release.read(layout, attached[-1]["layers"][0])
    named = {each["name"]: each["digest"]["sha256"] for each in statement["subject"]}
    assert list(named) == [ASKED.name, *(f"{ASKED.name} {each}" for each in PLATFORMS)]
    assert [f"sha256:{each}" for each in named.values()] == [e["digest"] for e in about]
    assert list(release.faults(layout)) == []


def test_an_images_bill_has_the_packages_of_its_lock_and_no_other() -> None:
    for part in ("promoter", "predictor"):
        text = (sbom.ROOT / sbom.LOCKS[part]).read_text()
        pinned = sorted(name for name, _, _ in sbom.pins(text))
        assert sorted(e["name"] for e in release.bill(part)["components"]) == pinned


def test_a_byte_that_is_changed_or_missing_is_found(layout: Path) -> None:
    release.describe(layout, ASKED)
    for path in list((layout / "blobs" / "sha256").iterdir()):
        content = path.read_bytes()
        path.write_bytes(content + b" ")
        assert list(release.faults(layout))
        path.unlink()
        assert list(release.faults(layout))
        path.write_bytes(content)
    assert list(release.faults(layout)) == []
