"""A CycloneDX bill of materials from the lock files: names, versions, hashes, licences.

The hashes are those that pip checks; licences are what the installed packages say.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
# Whose packages each lock names: the images', and those of a working copy.
LOCKS = {
    "predictor": "requirements-predictor.lock",
    "promoter": "requirements-promoter.lock",
    "development": "requirements.lock",
}
PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^ ;\\]+)")
HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
DEPENDENCY = re.compile(r'^    "([A-Za-z0-9._-]+)[^"]*",(?:\s*# (.+))?$', re.MULTILINE)
CLASSIFIER = "License :: OSI Approved :: "
Component = dict[str, Any]


def pins(lock: str) -> Iterator[tuple[str, str, list[str]]]:
    """Yield each package of a lock: its name, version and the hashes of its files."""
    for block in re.split(r"\n(?=\S)", lock):
        found = PIN.match(block)
        if found:
            yield normal(found[1]), found[2], HASH.findall(block)


def reasons(pyproject: str) -> Mapping[str, str]:
    """Return what pyproject.toml says each package of its own is for, "" if nothing."""
    found: dict[str, str] = {}
    section = pyproject.partition("[project.optional-dependencies]")[2]
    for name, why in DEPENDENCY.findall(section.partition("\n[")[0]):
        found[normal(name)] = found.get(normal(name)) or why
    return found


def normal(name: str) -> str:
    """Return a package's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def licence(name: str) -> str:
    """Return the licence that an installed package states, "" if none is known."""
    try:
        said = metadata(name)
    except PackageNotFoundError:
        return ""
    classifiers = said.get_all("Classifier") or []
    approved = [e.removeprefix(CLASSIFIER) for e in classifiers if CLASSIFIER in e]
    stated = "".join(said.get_all("License-Expression") or [])
    short = "".join(said.get_all("License") or []).strip().splitlines()[:1]
    return stated or ", ".join(approved) or "".join(short)


def bill() -> Component:
    """Return the whole document."""
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    project = tomllib.loads(pyproject)["project"]
    why, found = reasons(pyproject), dict[tuple[str, str], Component]()
    for part, file in LOCKS.items():
        for name, version, hashes in pins((ROOT / file).read_text(encoding="utf-8")):
            made = found.get((name, version))
            made = made or _component(name, version, hashes, why.get(name, ""))
            made["properties"].append({"name": "installed-in", "value": part})
            found[name, version] = made
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": project["name"],
                "name": project["name"],
                "version": project["version"],
                "licenses": [{"license": {"id": project["license"]}}],
            }
        },
        "components": [found[key] for key in sorted(found)],
    }


def _component(name: str, version: str, hashes: list[str], why: str) -> Component:
    address = f"pkg:pypi/{name}@{version}"
    known = [{"alg": "SHA-256", "content": each} for each in sorted(hashes)]
    stated, made = licence(name), Component()
    if stated:
        made["licenses"] = [{"license": {"name": stated}}]
    if why:
        made["description"] = why
    return {
        "type": "library",
        "bom-ref": address,
        "name": name,
        "version": version,
        "purl": address,
        **made,
        "externalReferences": [
            {"type": "distribution", "url": address, "hashes": known}
        ],
        "properties": [],
    }
