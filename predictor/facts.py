"""The facts about a model, beside its pickle, and how a model's files are read."""

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from predictor.errors import ArtifactError

MODEL_FILE, METADATA_FILE = "intent_model.pkl", "metadata.json"
MOST_METADATA = 1024**2
# They become headers and labels, file names, hexadecimal digits.
NAME, MODULE = (
    r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$",
    r"^[A-Za-z_][A-Za-z0-9_]{0,62}\.py$",
)
DIGEST = r"^[0-9a-f]{64}$"


@dataclass(frozen=True, slots=True)
class Probe:
    """One text with the answer that the pipeline gave when it was fitted."""

    text: str
    label: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Metadata:
    """Facts about an artifact.

    `sha256` is the digest, in hexadecimal, of the pickle and the `modules` after it:
    files with functions of one's own that the pickle names. `differs`: how the
    compiled form answered otherwise than the pipeline when it was packed, "" if not.
    `unsure_below`: a text of no more confidence is likely none of the labels; 0 where
    nobody measured it.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    version: Annotated[str, Field(pattern=NAME)]
    sha256: Annotated[str, Field(pattern=DIGEST)]
    labels: tuple[str, ...]
    packages: Mapping[str, str]
    probe: Probe
    data_sha256: str
    git_commit: str
    metrics: Mapping[str, Any]
    modules: tuple[Annotated[str, Field(pattern=MODULE)], ...] = ()
    differs: str = ""
    unsure_below: Annotated[float, Field(ge=0, le=1, multiple_of=0.05)] = 0.0


FACTS = TypeAdapter(Metadata)


def read_file(path: Path, most: int) -> bytes:
    """Read a regular file within its folder, of at most `most` bytes.

    Raises ArtifactError.
    """
    try:
        # Unlike Path.resolve, of links in a circle this raises nothing: open does.
        if not Path(os.path.realpath(path)).is_relative_to(
            os.path.realpath(path.parent)
        ):
            raise ArtifactError(f"{path}: leads out of its folder; copy the file there")
        # Without O_NONBLOCK a pipe would be waited for.
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        with os.fdopen(file, "rb") as opened:
            facts = os.fstat(file)
            if not stat.S_ISREG(facts.st_mode) or facts.st_size > most:
                raise ArtifactError(
                    f"{path}: expected a regular file of at most {most:,} bytes"
                )
            return opened.read(most)
    except OSError as error:
        raise ArtifactError(
            f"{path}: {error.strerror}; expected a model folder with {MODEL_FILE} and "
            f"{METADATA_FILE}, as `python -m training.train` writes it"
        ) from error


def read_metadata(path: Path) -> Metadata:
    """Read and check the facts. Raises ArtifactError, which names the field."""
    content = read_file(path, MOST_METADATA)
    try:
        return FACTS.validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise ArtifactError(
            f"{path}: not the metadata of a model: {where}: {first['msg']}"
        ) from error
