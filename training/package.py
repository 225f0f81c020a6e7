"""Packs a pickle of one's own as an artifact that the predictor serves.

python -m training.package FILE.pkl --version mine
"""

import argparse
import hashlib
import io
import pickle
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

PROBE = "Hi, how are you?"
OWN_TEXTS = 3000
LOCK = Path(__file__).parents[1] / "requirements-predictor.lock"


class PackageError(ValueError):
    """The file cannot be served; the message says what to do."""


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
    classes = _classes(pipeline, file)
    if labels and len(labels) != len(classes):
        raise PackageError(
            f"--label-names: {len(labels)} names for {len(classes)} classes, {classes}"
        )
    if labels or column is not None:
        pipeline = Adapted(pipeline, labels or classes, column)
    _check_answers(pipeline, probe, len(classes))
    _check_names(pipeline, modules)
    probes = [*compiled.probes(pipeline, OWN_TEXTS), probe]
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
            f"{file}: cannot be unpickled: {type(error).__name__}: {what}"
        ) from error


def _classes(pipeline: Any, file: Path) -> tuple[str, ...]:
    name = type(pipeline).__name__
    if not hasattr(pipeline, "predict"):
        raise PackageError(f"{file}: holds a {name}; expected a fitted pipeline")
    if not hasattr(pipeline, "classes_"):
        raise PackageError(
            f"{file}: {name} has no classes; expected a fitted classifier, no regressor"
        )
    if not hasattr(pipeline, "predict_proba"):
        raise PackageError(
            f"{file}: {name} gives no probabilities; wrap its classifier in "
            "CalibratedClassifierCV(...) and fit again"
        )
    return tuple(str(label) for label in pipeline.classes_)


def _check_answers(pipeline: Any, probe: str, classes: int) -> None:
    try:
        shape = pipeline.predict_proba([probe, ""]).shape
    except Exception as error:
        raise PackageError(
            f"it cannot classify a list of texts: {type(error).__name__}: {error}; a "
            "pipeline that takes a DataFrame needs --column NAME"
        ) from error
    if shape != (2, classes):
        raise PackageError(
            f"of two texts it gives probabilities of shape {shape}, expected "
            f"(2, {classes}); a pipeline that takes a DataFrame needs --column NAME"
        )


def _check_names(pipeline: Any, modules: Sequence[Path]) -> None:
    """Refuse names that the predictor's image could not import."""
    given = {path.stem for path in modules}
    for module, name in sorted(_names(pipeline)):
        top = module.partition(".")[0]
        if module == "__main__":
            raise PackageError(
                f"it names {name} of the script that fitted it; put it into a file of "
                "its own and give it by --module FILE.py"
            )
        if top not in given and not _is_in_image(top):
            raise PackageError(
                f"it names {module}.{name}, which the predictor's image does not have; "
                "give its file by --module FILE.py"
            )


def _names(pipeline: Any) -> set[tuple[str, str]]:
    found: set[tuple[str, str]] = set()

    class Names(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> Any:
            found.add((module, name))
            return super().find_class(module, name)

    try:
        Names(io.BytesIO(pickle.dumps(pipeline))).load()
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise PackageError(
            f"it cannot be pickled again: {error}; a lambda or an inner function needs "
            "a name in a file of its own, given by --module FILE.py"
        ) from error
    return found


def _is_in_image(top: str) -> bool:
    """Return whether the predictor's lock file brings a top-level module."""
    if top in sys.stdlib_module_names or top == "predictor":
        return True
    locked = {line.partition("==")[0] for line in LOCK.read_text().splitlines()}
    owners = packages.packages_distributions().get(top, ())
    return any(owner.lower().replace("_", "-") in locked for owner in owners)


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
