"""Scores models by kind of message: what is written, and what chat users make of it.

python -m training.slices --write-card
"""

import argparse
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import binomtest

from predictor import artifact
from predictor.errors import ArtifactError
from training import dataset, evaluate, scores
from training.changes import changed
from training.dataset import Utterance
from training.pipelines import VERSIONS

BEGIN, END = "<!-- figures: training.slices -->", "<!-- end of slices -->"
LENGTHS = ((1, 2), (3, 6), (7, 12), (13, 99))
LEAST_TEXTS = 3

Slices = Mapping[str, Sequence[Utterance]]


def slices(rows: Sequence[Utterance]) -> dict[str, list[Utterance]]:
    """Return held-out rows by style, as chat users change them, by length, domain."""
    plain = [row for row in rows if not row.style]
    found = {"as written, plain": plain}
    found |= {f"{name} (made of the plain)": r for name, r in changed(plain).items()}
    found |= _by(lambda row: f"style: {row.style}", [r for r in rows if r.style])
    found |= _by(_length, rows)
    return found | _by(lambda row: f"domain: {row.domain}", rows)


def _by(
    name: Callable[[Utterance], str], rows: Sequence[Utterance]
) -> dict[str, list[Utterance]]:
    groups: dict[str, list[Utterance]] = defaultdict(list)
    for row in rows:
        groups[name(row)].append(row)
    return {each: groups[each] for each in sorted(groups)}


def _length(row: Utterance) -> str:
    words = len(row.text.split())
    low, high = next(each for each in LENGTHS if words <= each[1])
    return f"length: {low:02} to {high:02} words"


def as_markdown(models: Path) -> str:
    """Return the tables of MODEL_CARD.md. Raises ArtifactError."""
    _, held_out = dataset.split(dataset.read(dataset.DATA))
    _, outside = dataset.split(
        dataset.read(dataset.OUTSIDE_DATA, dataset.OUTSIDE_INTENTS)
    )
    loaded = {version: artifact.read(models / version) for version in VERSIONS}
    lines = [
        "Share of texts that get their intent, with its 95 % interval (Wilson).",
        "",
        f"| held-out texts | | {' | '.join(loaded)} |",
        f"|---|---|{'---|' * len(loaded)}",
    ]
    for name, rows in slices(held_out).items():
        if len(rows) >= LEAST_TEXTS:
            each = [_accuracy(model.pipeline, rows) for model in loaded.values()]
            lines.append(f"| {name} | {len(rows)} | {' | '.join(each)} |")
    plain = [row.text for row in held_out if not row.style]
    lines += [
        "",
        f"None of the four: {len(outside)} held-out texts against {len(plain)}.",
        "",
        "| model | AUROC by confidence | unsure up to | of those outside | of others |",
        "|---|---|---|---|---|",
    ]
    for version, model in loaded.items():
        ours = model.pipeline.predict_proba(plain)
        others = model.pipeline.predict_proba([row.text for row in outside])
        least = model.metadata.unsure_below
        shares = [np.mean(found.max(axis=1) <= least) for found in (others, ours)]
        lines.append(
            f"| {version} | {scores.separation(ours, others):.3f} | {least:.2f} | "
            f"{shares[0]:.0%} | {shares[1]:.0%} |"
        )
    return "\n".join(lines)


def _accuracy(pipeline: Any, rows: Sequence[Utterance]) -> str:
    predicted = pipeline.predict([row.text for row in rows])
    right = int(np.sum(predicted == np.array([row.intent for row in rows])))
    interval = binomtest(right, len(rows)).proportion_ci(method="wilson")
    return f"{right / len(rows):.2f} [{interval.low:.2f}, {interval.high:.2f}]"


def main(argv: Sequence[str] | None = None) -> int:
    """Print the tables; return 2 for bad data, 3 for a bad model."""
    parser = argparse.ArgumentParser(prog="python -m training.slices")
    parser.add_argument("--models", type=Path, default=Path("models"))
    parser.add_argument("--write-card", action="store_true")
    options = parser.parse_args(argv)
    try:
        tables = as_markdown(options.models)
        if options.write_card:
            evaluate.write_between(evaluate.CARD, BEGIN, tables, END)
    except (dataset.DataError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except ArtifactError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(tables)
    return 0


if __name__ == "__main__":
    sys.exit(main())
