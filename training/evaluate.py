"""Scores the trained models on held-out or other texts, and writes the figures.

python -m training.evaluate
python -m training.evaluate --data reviews.csv -o json
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from predictor import artifact
from predictor.errors import ArtifactError
from training import dataset
from training.pipelines import VERSIONS
from training.scores import Interval, Scores, mcnemar, score

CARD = Path(__file__).parent / "MODEL_CARD.md"
PICTURE = "confusion-{version}.png"
BEGIN, END = "<!-- figures: training.evaluate -->", "<!-- end of figures -->"


@dataclass(frozen=True, slots=True)
class Result:
    """The scores of one model version on one set of texts."""

    version: str
    labels: tuple[str, ...]
    scores: Scores
    correct: np.ndarray


def evaluate(models: Path, rows: Sequence[dataset.Utterance]) -> list[Result]:
    """Score every model version below `models`. Raises ArtifactError."""
    truth = [row.intent for row in rows]
    texts = [row.text for row in rows]
    results = []
    for version in VERSIONS:
        loaded = artifact.read(models / version)
        labels = loaded.metadata.labels
        probabilities = np.asarray(loaded.pipeline.predict_proba(texts))
        predicted = np.asarray(labels)[probabilities.argmax(axis=1)]
        scores = score(truth, probabilities, labels)
        results.append(Result(version, labels, scores, predicted == np.array(truth)))
    return results


def as_json(results: Sequence[Result]) -> dict[str, Any]:
    """Return the figures by version; v2's include McNemar's test against v1."""
    content: dict[str, Any] = {}
    for result in results:
        scores = result.scores
        content[result.version] = {
            "texts": scores.texts,
            "macro_f1": scores.macro_f1.value,
            "macro_f1_interval": [scores.macro_f1.low, scores.macro_f1.high],
            "f1": {label: each.value for label, each in scores.f1.items()},
            "log_loss": scores.log_loss,
            "calibration_error": scores.calibration_error,
            "confusion": scores.confusion,
        }
    only_v1, only_v2, p_value = mcnemar(results[0].correct, results[1].correct)
    content[results[1].version]["mcnemar"] = {
        "only_v1_correct": only_v1,
        "only_v2_correct": only_v2,
        "p_value": p_value,
    }
    return content


def as_markdown(results: Sequence[Result]) -> str:
    """Return the figures as the tables of MODEL_CARD.md."""
    versions = " | ".join(result.version for result in results)
    lines = [
        f"{results[0].scores.texts} texts; intervals are 95 % bootstrap.",
        "",
        f"| figure | {versions} |",
        f"|---|{'---|' * len(results)}",
        _row("macro-F1", [_shown(r.scores.macro_f1) for r in results]),
    ]
    for label in results[0].labels:
        lines.append(_row(f"F1 {label}", [_shown(r.scores.f1[label]) for r in results]))
    lines += [
        _row("log loss", [f"{r.scores.log_loss:.3f}" for r in results]),
        _row(
            "calibration error", [f"{r.scores.calibration_error:.3f}" for r in results]
        ),
    ]
    only_v1, only_v2, p_value = mcnemar(results[0].correct, results[1].correct)
    lines += [
        "",
        f"McNemar: {only_v1} texts only v1 has right, {only_v2} only v2, "
        f"exact p = {p_value:.2g}.",
    ]
    for result in results:
        lines += ["", *_confusion(result)]
    return "\n".join(lines)


def write_card(card: Path, results: Sequence[Result]) -> None:
    """Write the figures between the card's marks, and the pictures beside it."""
    write_between(card, BEGIN, as_markdown(results), END)
    for result in results:
        draw_confusion(result, card.parent / PICTURE.format(version=result.version))


def write_between(card: Path, begin: str, figures: str, end: str) -> None:
    """Put figures between two marks of a card."""
    head, rest = card.read_text(encoding="utf-8").split(begin)
    tail = rest.split(end)[1]
    card.write_text(
        f"{head}{begin}\n{figures}\n\n{end}{tail}", encoding="utf-8", newline="\n"
    )


def draw_confusion(result: Result, path: Path) -> None:
    """Draw the confusion matrix as a PNG."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot
    from sklearn.metrics import ConfusionMatrixDisplay

    matrix = np.array(result.scores.confusion)
    display = ConfusionMatrixDisplay(matrix, display_labels=result.labels)
    figure, axes = pyplot.subplots(figsize=(5, 4.2), layout="constrained")
    display.plot(ax=axes, cmap="Blues", colorbar=False)
    axes.set_title(f"{result.version}: {matrix.sum()} held-out texts")
    figure.savefig(path, dpi=120, metadata={"Software": None})
    pyplot.close(figure)


def _row(name: str, values: Sequence[str]) -> str:
    return f"| {name} | {' | '.join(values)} |"


def _shown(interval: Interval) -> str:
    return f"{interval.value:.3f} [{interval.low:.3f}, {interval.high:.3f}]"


def _confusion(result: Result) -> list[str]:
    lines = [
        f"| {result.version}: true, predicted as | {' | '.join(result.labels)} |",
        f"|---|{'---|' * len(result.labels)}",
    ]
    for label, row in zip(result.labels, result.scores.confusion, strict=True):
        lines.append(_row(label, [str(number) for number in row]))
    return lines


def main(argv: Sequence[str] | None = None) -> int:
    """Evaluate from the command line; return 2 for bad data, 3 for a bad model."""
    parser = argparse.ArgumentParser(prog="python -m training.evaluate")
    parser.add_argument(
        "--data", type=Path, help="a text,intent file; default: the held-out part"
    )
    parser.add_argument("--models", type=Path, default=Path("models"))
    parser.add_argument("-o", dest="output", choices=("table", "json"), default="table")
    parser.add_argument(
        "--write-card", action="store_true", help=f"put the figures into {CARD.name}"
    )
    options = parser.parse_args(argv)
    try:
        if options.data is None:
            _, rows = dataset.split(dataset.read(dataset.DATA))
        else:
            rows = dataset.read(options.data)
        results = evaluate(options.models, rows)
        if options.write_card:
            write_card(CARD, results)
    except (dataset.DataError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except ArtifactError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    if options.output == "json":
        print(json.dumps(as_json(results), indent=2))
    else:
        print(as_markdown(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
