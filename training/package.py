"""Packs a pickle of one's own as an artifact that the predictor serves.

python -m training.package FILE.pkl --version mine
"""

import argparse
import hashlib
import io
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata as packages
from pathlib import Path
from typing import Any

import joblib
from sklearn.exceptions import InconsistentVersionWarning

from predictor import artifact, compiled, scorer
from predictor.adapted import Adapted
from predictor.errors import ArtifactError
from predictor.facts import Metadata
from training import checks
from training.checks import PackageError

PROBE = "Hi, how are you?"
OWN_TEXTS = 3000


@dataclass(frozen=True, slots=True)
class Packed:
    """What was written, who will answer, and whether its digest must be pinned."""

    folder: Path
    facts: Metadata
    scorer: scorer.Scorer
    needs_pin: bool


def package(
    file: Path,
    folder: Path,
    *,
    probe: str = PROBE,
    labels: Sequence[str] = (),
    column: str | None = None,
    modules: Sequence[Path] = (),
) -> Packed:
    """Check and measure the classifier in `file`, write it as the artifact `folder`.

    `labels` name its classes in their order, `column` is the DataFrame column that it
    reads, `modules` are files with the functions that it names. Raises PackageError.
    """
    for path in modules:
        _import(path)
    pickled = _bytes(file)
    pipeline = _load(file, pickled)
    classes = checks.classes(pipeline, file)
    checks.check_names(labels, classes)
    adapted = Adapted(pipeline, labels or classes, column)
    checks.check_shape(pipeline, adapted.given, column, probe)
    probes = [*compiled.probes(pipeline, OWN_TEXTS), probe]
    checks.check_answers(pipeline, adapted.given, probes)
    if labels or column is not None:
        pipeline = adapted
    checks.check_imports(pipeline, modules)
    found = scorer.scorer(pipeline, probes)
    is_as_it_was = not (modules or isinstance(pipeline, Adapted))
    facts = artifact.write(
        folder,
        pipeline,
        probe_text=probe,
        data_sha256="",
        git_commit="",
        metrics={"packed_from": hashlib.sha256(pickled).hexdigest()},
        pickled=pickled if is_as_it_was else None,
        modules=modules,
        differs=found.reason if found.reason.startswith("compiled, ") else "",
    )
    artifact.read(folder, facts.sha256)
    is_pinned = _needs_pin(folder)
    return Packed(folder, facts, found, is_pinned)


def _needs_pin(folder: Path) -> bool:
    """Return whether the predictor reads this only where its digest is pinned."""
    try:
        artifact.read(folder)
    except ArtifactError:
        return True
    return False


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise PackageError(f"{file}: {error.strerror}; expected a pickle") from error


def _import(path: Path) -> None:
    """Import a file whose functions a pickle names, also as those of a script."""
    if path.suffix != ".py" or path.stem in sys.stdlib_module_names:
        raise PackageError(
            f"--module {path}: expected a .py file whose name is no module's of Python"
        )
    module = artifact.import_file(path)
    for name, value in vars(module).items():
        if not name.startswith("__"):
            setattr(sys.modules["__main__"], name, value)


def _load(file: Path, pickled: bytes) -> Any:
    """Unpickle, with a sentence for each way in which people's files fail."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", InconsistentVersionWarning)
            return joblib.load(io.BytesIO(pickled))
    except InconsistentVersionWarning as error:
        raise PackageError(
            f"{file}: fitted with scikit-learn {error.original_sklearn_version}, here "
            f"is {packages.version('scikit-learn')}; fit it again, or: make lock "
            f"install SCIKIT_LEARN={error.original_sklearn_version}"
        ) from error
    except ModuleNotFoundError as error:
        raise PackageError(
            f"{file}: names the module {error.name}, which is not here; give its file "
            f"by --module {error.name}.py"
        ) from error
    except Exception as error:
        what = str(error)
        if isinstance(error, AttributeError) and "get attribute" in what:
            raise PackageError(
                f"{file}: {what}; put that function into a file of its own and give it "
                "by --module FILE.py"
            ) from error
        raise PackageError(
            f"{file}: cannot be unpickled: {checks.one_line(error)}"
        ) from error


def main() -> int:
    """Pack from the command line; return 2 where the file cannot be served."""
    parser = argparse.ArgumentParser(prog="python -m training.package")
    parser.add_argument("file", type=Path, help="a pickle or joblib file")
    parser.add_argument("--version", required=True, help="its name: models/VERSION")
    parser.add_argument("--probe", default=PROBE, help="a text that is asked at load")
    parser.add_argument("--label-names", default="", help="a,b,c: names of its classes")
    parser.add_argument("--column", help="the DataFrame column that it reads")
    parser.add_argument("--module", type=Path, action="append", default=[])
    parser.add_argument("--models", type=Path, default=Path("models"))
    options = parser.parse_args()
    try:
        packed = package(
            options.file,
            options.models / options.version,
            probe=options.probe,
            labels=[name for name in options.label_names.split(",") if name],
            column=options.column,
            modules=options.module,
        )
    except (PackageError, ArtifactError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    _show(packed)
    return 0


def _show(packed: Packed) -> None:
    facts, found = packed.facts, packed.scorer
    sizes = [each.stat().st_size for each in packed.folder.iterdir()]
    why = f": {found.reason}" if found.reason else ""
    rows = {
        "artifact": packed.folder,
        "labels": ", ".join(facts.labels),
        "answered by": f"{found.answered_by}{why}",
        "short text": f"{found.text_s * 1e6:.0f} microseconds",
        "size": f"{sum(sizes) / 1024:.0f} KiB in {len(sizes)} files",
        "sha256": facts.sha256,
        "next": f"make image MODEL={facts.version}",
    }
    if packed.needs_pin:
        rows["pin"] = f"it names code of its own: --model_sha256={facts.sha256}"
    for name, value in rows.items():
        print(f"{name:12} {value}")


if __name__ == "__main__":
    sys.exit(main())
