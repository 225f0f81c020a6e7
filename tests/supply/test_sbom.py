"""Each dependency has a reason, and each installed file a hash."""

from tests.supply import sbom


def test_each_package_of_each_lock_is_in_the_bill_with_its_hashes() -> None:
    bill = sbom.bill()
    found = {each["purl"]: each for each in bill["components"]}
    for file in sbom.LOCKS.values():
        text = (sbom.ROOT / file).read_text()
        pinned = list(sbom.pins(text))
        assert len(pinned) > 40
        for name, version, hashes in pinned:
            (files,) = found[f"pkg:pypi/{name}@{version}"]["externalReferences"]
            assert hashes
            assert {each["content"] for each in files["hashes"]} == set(hashes)


def test_each_dependency_has_its_reason_beside_it() -> None:
    reasons = sbom.reasons((sbom.ROOT / "pyproject.toml").read_text())
    own = {name: why for name, why in reasons.items() if name != "intent-classifier"}
    assert len(own) > 30
    assert [name for name, why in own.items() if not why] == []


def test_what_the_images_install_is_under_a_licence_that_is_known_here() -> None:
    unknown = [
        each["name"]
        for each in sbom.bill()["components"]
        if {"name": "installed-in", "value": "promoter"} in each["properties"]
        and sbom.licence(each["name"]).startswith(("GPL", "AGPL", "Proprietary"))
    ]
    assert unknown == []
