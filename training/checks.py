"""What a pipeline must have for the predictor to answer as its pickle does.

A PackageError says what to change.
"""

import io
import pickle
import sys
from collections.abc import Callable, Sequence
from importlib import metadata as packages
from pathlib import Path
from typing import Any

import numpy as np

LOCK = Path(__file__).parents[1] / "requirements-predictor.lock"
ALONE = 8  # texts that are also asked one by one
ROUNDING = 1e-5  # 32-bit floats in a matrix of another height

Given = Callable[[Sequence[str]], Any]


class PackageError(ValueError):
    """The file cannot be served; the message says what to do."""


def one_line(error: Exception) -> str:
    """Return an error's kind and the first line of what it says."""
    first, *_ = str(error).splitlines() or [""]
    return f"{type(error).__name__}: {first.rstrip(':')}"


def classes(pipeline: Any, file: Path) -> tuple[str, ...]:
    """Return the names of its classes. Raises PackageError where it has none."""
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


def check_names(labels: Sequence[str], found: Sequence[str]) -> None:
    """Refuse --label-names that are not one name for each class."""
    if labels and len(labels) != len(found):
        raise PackageError(
            f"--label-names: {len(labels)} names for {len(found)} classes, {found}"
        )
    if len(set(labels)) != len(labels):
        raise PackageError(f"--label-names: one name for two classes in {labels}")


def check_shape(pipeline: Any, given: Given, column: str | None, probe: str) -> None:
    """Refuse what cannot answer texts, or answers with more than one label each."""
    texts = [probe, ""]
    frame = (
        "a pipeline that takes a DataFrame needs --column NAME"
        if column is None
        else f"it gets a DataFrame whose only column is {column}"
    )
    try:
        said = np.shape(pipeline.predict(given(texts)))
        if len(said) > 1:
            raise PackageError(
                "it gives each text several labels, expected one: fit a classifier of "
                "its own for each of them"
            )
        shape = np.shape(pipeline.predict_proba(given(texts)))
    except PackageError:
        raise
    except Exception as error:
        raise PackageError(
            f"it cannot classify a list of texts: {one_line(error)}; {frame}"
        ) from error
    expected = (len(texts), len(pipeline.classes_))
    if shape != expected:
        raise PackageError(
            f"of two texts it gives probabilities of shape {shape}, expected "
            f"{expected}; {frame}"
        )


def check_answers(pipeline: Any, given: Given, texts: Sequence[str]) -> None:
    """Refuse answers that do not follow from a text's probabilities, or from it alone.

    The predictor answers the likeliest label, and cuts a long request into parts.
    """
    try:
        rows = np.asarray(pipeline.predict_proba(given(texts)))
        said = pipeline.predict(given(texts)).tolist()
        alone = [pipeline.predict_proba(given([each]))[0] for each in texts[:ALONE]]
    except Exception as error:
        raise PackageError(
            f"it cannot classify texts made of its own words: {one_line(error)}"
        ) from error
    odd = np.flatnonzero(~np.isfinite(rows).all(axis=1))
    if odd.size:
        raise PackageError(
            f"its probabilities of {texts[odd[0]]!r} are no numbers: {rows[odd[0]]}"
        )
    if np.abs(rows[:ALONE] - alone).max() > ROUNDING:
        raise PackageError(
            "its answer to a text depends on the texts beside it, or on chance: the "
            "predictor could not give the same"
        )
    place = {
        label: at for at, label in enumerate(np.asarray(pipeline.classes_).tolist())
    }
    chosen = rows[np.arange(len(rows)), [place[label] for label in said]]
    other = np.flatnonzero(rows.max(axis=1) - chosen > ROUNDING)
    if other.size:
        raise PackageError(
            f"of {len(rows)} texts, its predict gives {other.size} another label than "
            "its predict_proba, by which the predictor answers, such as "
            f"{texts[other[0]]!r}; wrap its classifier in CalibratedClassifierCV(...), "
            "or pack the estimator_ below a threshold"
        )


def check_imports(pipeline: Any, modules: Sequence[Path]) -> None:
    """Refuse names that the predictor's image could not import."""
    brought = {path.stem for path in modules}
    for module, name in sorted(_names(pipeline)):
        top = module.partition(".")[0]
        if module == "__main__":
            raise PackageError(
                f"it names {name} of the script that fitted it; put it into a file of "
                "its own and give it by --module FILE.py"
            )
        if top not in brought and not _is_in_image(top):
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
