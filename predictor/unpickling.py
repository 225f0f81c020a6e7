"""Unpickles what nobody vouches for: only classes that a text pipeline needs.

A pickle is a program. Where a digest from outside names its bytes, whoever gave the
digest vouches for it, and joblib reads it whole. Without one, a name that is not
allowed here ends the reading before anything is called.
"""

import io
import pickle
from collections.abc import Sequence
from typing import Any

from joblib.numpy_pickle import NumpyUnpickler
from joblib.numpy_pickle_utils import _validate_fileobject_and_memmap

# A compressed pickle may hold a thousand times its size.
MOST_BYTES = 2 * 1024**3

# Modules all of whose own classes may be made; their functions may not be called.
CLASSES_OF = (
    "sklearn",
    "scipy.sparse",
    "numpy.dtypes",
    "numpy.random",
    "predictor.adapted",
    "predictor.outside",
    "predictor.features",
)
# Functions of scikit-learn and of this project that pipelines keep by name.
FUNCTIONS_OF = (
    "predictor.features",
    "sklearn.feature_selection._univariate_selection",
)
NAMES = frozenset(
    {
        "joblib.numpy_pickle.NumpyArrayWrapper",
        "numpy.dtype",
        "numpy.ndarray",
        "numpy.ma.core.MaskedArray",
        "numpy.ma.core._mareconstruct",
        "numpy._core.multiarray.scalar",
        "numpy._core.multiarray._reconstruct",
        "numpy._core.numeric._frombuffer",
        "numpy.random._pickle.__randomstate_ctor",
        "numpy.random._pickle.__generator_ctor",
        "numpy.random._pickle.__bit_generator_ctor",
        "builtins.set",
        "builtins.frozenset",
        "builtins.slice",
        "builtins.range",
        "builtins.iter",
        "builtins.complex",
        "builtins.bytearray",
        "builtins.int",
        "builtins.float",
        "builtins.str",
        "builtins.bool",
        "builtins.list",
        "builtins.dict",
        "builtins.tuple",
        "builtins.object",
        "collections.OrderedDict",
        "collections.Counter",
        "collections.defaultdict",
        "copyreg._reconstructor",
        "re._compile",
    }
)


class NotAllowed(pickle.UnpicklingError):
    """The pickle names something that it needs an outside digest for."""


class Unpickler(NumpyUnpickler):  # type: ignore[misc]  # published without types
    """joblib's unpickler, arrays included, that finds allowed names only."""

    trusted: Sequence[str] = ()

    def find_class(self, module: str, name: str) -> Any:
        """Return an allowed class or function. Raises NotAllowed."""
        if f"{module}.{name}" in NAMES or _is_in(module, self.trusted):
            return super().find_class(module, name)
        is_known = module == "numpy" or _is_in(module, CLASSES_OF)
        if is_known and "." not in name:
            found = super().find_class(module, name)
            if _is_allowed(found, module, name):
                return found
        named = f"{module}.{name}"[:80]
        raise NotAllowed(f"it names {named}, which no text pipeline needs")


def _is_allowed(found: Any, module: str, name: str) -> bool:
    """Tell a module's own from what it imported: gzip's files, operator's getters."""
    if isinstance(found, type):
        is_number = found.__module__ == "numpy" and _is_scalar(found)
        return is_number or _is_in(found.__module__, CLASSES_OF)
    is_cython = module.startswith("sklearn.") and name.startswith("__pyx_unpickle_")
    is_own = getattr(found, "__module__", None) == module
    return is_cython or (_is_in(module, FUNCTIONS_OF) and is_own)


def _is_scalar(found: type) -> bool:
    return any(base.__name__ == "generic" for base in found.__mro__)


def _is_in(module: str, packages: Sequence[str]) -> bool:
    return any(module == each or module.startswith(f"{each}.") for each in packages)


def load(content: bytes, trusted: Sequence[str] = ()) -> Any:
    """Unpickle joblib's or pickle's bytes, compressed or not, of allowed names.

    All names of the `trusted` modules are allowed. Raises NotAllowed, and whatever
    damaged bytes raise.
    """
    with _validate_fileobject_and_memmap(io.BytesIO(content), "") as (file, _):
        plain = file.read(MOST_BYTES + 1)
    if len(plain) > MOST_BYTES:
        raise pickle.UnpicklingError(f"more than {MOST_BYTES} bytes, decompressed")
    unpickler = Unpickler("", io.BytesIO(plain), ensure_native_byte_order=True)
    unpickler.trusted = trusted
    return unpickler.load()
