"""Fits one model version and writes its artifact. The same data give the same bytes.

    python -m training.train --version v2

On any x86-64 processor since 2013: what NumPy and OpenBLAS compute differs in its last
digits from one instruction set to the next, so one set is chosen for all of them.
"""

import argparse
import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TimeElapsedColumn

from predictor import artifact
from predictor.facts import Metadata
from training import dataset, scores
from training.pipelines import VERSIONS

PROBE = "Hi, how are you?"
# Both libraries read these while they are loaded. Elsewhere they mean nothing.
ONE_INSTRUCTION_SET = {
    "OPENBLAS_CORETYPE": "Haswell",
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
    "OMP_NUM_THREADS": "1",
}


def train(version: str, data: Path, models: Path) -> Metadata:
    """Fit `version` on the training side of `data`; write models/<version>.

    Raises dataset.DataError where the data cannot be read.
    """
    fitted_on, held_out = dataset.split(dataset.read(data))
    recipe = VERSIONS[version]
    fitted_on += recipe.more(fitted_on)
    pipeline = recipe.build()
    with _progress(f"fitting {version} on {len(fitted_on)} texts"):
        pipeline.fit([row.text for row in fitted_on], [row.intent for row in fitted_on])
    probabilities = pipeline.predict_proba([row.text for row in held_out])
    result = scores.score(
        [row.intent for row in held_out],
        probabilities,
        [str(label) for label in pipeline.classes_],
    )
    for step in pipeline.named_steps.values():
        # A memory address that CountVectorizer keeps: the only bytes that vary.
        vars(step).pop("_stop_words_id", None)
    return artifact.write(
        models / version,
        pipeline,
        probe_text=PROBE,
        data_sha256=hashlib.sha256(data.read_bytes()).hexdigest(),
        git_commit=_git_commit(),
        metrics={"held_out": asdict(result)},
        unsure_below=scores.unsure_below(probabilities),
    )


@contextmanager
def _progress(title: str) -> Iterator[None]:
    """Show a running clock on a terminal, one line elsewhere, on standard error."""
    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        console.print(f"{title} ...")
    columns = (SpinnerColumn(), title, TimeElapsedColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        progress.add_task("", total=None)
        yield


def _git_commit() -> str:
    """Return the commit of this code, "unknown" outside a repository."""
    try:
        answer = subprocess.run(
            ["git", "rev-parse", "HEAD"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return answer.stdout.strip()


def main() -> int:
    """Train from the command line; return 2 for bad data."""
    parser = argparse.ArgumentParser(prog="python -m training.train")
    parser.add_argument("--version", choices=sorted(VERSIONS), required=True)
    parser.add_argument("--data", type=Path, default=dataset.DATA)
    parser.add_argument(
        "--models", type=Path, default=Path("models"), help="where models/<version> go"
    )
    options = parser.parse_args()
    if not os.environ.items() >= ONE_INSTRUCTION_SET.items():
        again = [sys.executable, *sys.orig_argv[1:]]
        os.execve(sys.executable, again, os.environ | ONE_INSTRUCTION_SET)
    try:
        facts = train(options.version, options.data, options.models)
    except (dataset.DataError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    macro = facts.metrics["held_out"]["macro_f1"]
    print(
        f"{options.models / options.version}: held-out macro-F1 {macro['value']:.3f} "
        f"[{macro['low']:.3f}, {macro['high']:.3f}], sha256 {facts.sha256}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
