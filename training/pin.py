"""Writes the digests of trained models into the manifests that serve them.

    python -m training.pin v1 v2

Training by make does it, and building an image. A digest beside the pickle protects
against accidents; one in the manifest also against whoever can write the pickle.
"""

import argparse
import re
import sys
from pathlib import Path

from predictor.errors import ArtifactError
from predictor.facts import METADATA_FILE, read_metadata

MANIFESTS = Path("manifests")
# A model in the image and its flag; a model in storage and its variable.
FORMS = (
    r"(--model_dir=models/{}\n\s+- --model_sha256=)\S*",
    r"(storageUri: \S+/{}\n\s+env:\n\s+- name: MODEL_SHA256\n\s+value: )\S*",
)


def pin(version: str, sha256: str, manifests: Path) -> tuple[list[Path], list[Path]]:
    """Write the digest wherever `version` is served; return those files, and changed.

    A manifest that names the version without a place for its digest is left as it is.
    """
    named, changed = [], []
    for path in sorted(manifests.rglob("*.yaml")):
        before = text = path.read_text(encoding="utf-8")
        found = 0
        for form in FORMS:
            place = form.format(re.escape(version))
            text, count = re.subn(place, rf"\g<1>{sha256}", text)
            found += count
        if found:
            named.append(path)
        if text != before:
            path.write_text(text, encoding="utf-8")
            changed.append(path)
    return named, changed


def _said(version: str, sha256: str, manifests: Path) -> str:
    named, changed = pin(version, sha256, manifests)
    if not named:
        return f"{version}: no manifest pins it; in yours: --model_sha256={sha256}"
    files = ", ".join(map(str, changed or named))
    return f"{version}: {sha256} {'written into' if changed else 'stands in'} {files}"


def main() -> int:
    """Pin from the command line; return 3 for what is no artifact."""
    parser = argparse.ArgumentParser(prog="python -m training.pin")
    parser.add_argument("versions", nargs="+", metavar="VERSION")
    parser.add_argument(
        "--models", type=Path, default=Path("models"), help="where models/<version> are"
    )
    parser.add_argument("--manifests", type=Path, default=MANIFESTS)
    options = parser.parse_args()
    for version in options.versions:
        try:
            facts = read_metadata(options.models / version / METADATA_FILE)
        except ArtifactError as error:
            print(f"error: {error}", file=sys.stderr)
            return error.exit_code
        print(_said(version, facts.sha256, options.manifests))
    return 0


if __name__ == "__main__":
    sys.exit(main())
