"""Who answers, the compiled pipeline or the pipeline itself, and what a text costs."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from predictor import compiled
from predictor.protocol import MANY, MAX_LETTERS, MAX_TEXTS

# At load: other texts may be rounded worse than the few that are tried there.
STRICTER = compiled.TOLERANCE / 10
# Longer work leaves the event loop: a hop to a thread costs 0.1 ms, and whoever asks
# for health waits behind what stays.
INLINE_S = 0.002
SHORT = "I do not like this at all, but thank you. "
LONG = SHORT * 50
MEASURED, MEASURED_MANY = 5, 256

Rows = Callable[[Sequence[str]], list[list[float]]]


@dataclass(frozen=True, slots=True)
class Scorer:
    """A function from texts to class probabilities, [n][classes], and its cost.

    `reason`: why the pipeline itself answers, "" where its compiled form does. A text
    costs `text_s` seconds and `letter_s` for each of its letters, as measured at load,
    and one of MANY that share of it.
    """

    rows: Rows
    reason: str
    text_s: float
    letter_s: float
    share_of_many: float = 1.0

    @property
    def is_compiled(self) -> bool:
        """Return whether the compiled form answers."""
        return not self.reason

    @property
    def answered_by(self) -> str:
        """Return "compiled" or "pipeline"."""
        return "compiled" if self.is_compiled else "pipeline"

    def seconds(self, texts: Sequence[str]) -> float:
        """Return what texts are expected to cost."""
        cost = len(texts) * self.text_s + sum(map(len, texts)) * self.letter_s
        return cost if len(texts) < MANY else cost * self.share_of_many

    def most_seconds(self, body: bytes) -> float:
        """Return what a JSON body costs at most, without parsing it.

        Each text has two quotes; those within a text are taken for others. What has
        more texts or letters than a request may have costs nothing.
        """
        texts = min(body.count(b'"') / 2, MAX_TEXTS)
        return texts * self.text_s + min(len(body), MAX_LETTERS) * self.letter_s

    def is_short(self, texts: Sequence[str]) -> bool:
        """Return whether texts cost so little that the event loop can answer them."""
        return self.seconds(texts) <= INLINE_S


def scorer(pipeline: Any, probes: Sequence[str], differs: str = "") -> Scorer:
    """Compile `pipeline`; use it as it is where that fails or answers differently.

    Both answer `probes`, whose last is the text that the pipeline was asked when it was
    packed. `differs` is a difference that was found earlier, on others.
    """
    score, reason = _compiled(pipeline, probes)
    reason = differs or reason
    rows = _itself(pipeline)
    if score is not None and not reason:
        rows = _fast(score, rows)
    if reason:
        # Of anybody's code only that text is known to be answered: it is taken to cost
        # as much again for each time that another is longer.
        text_s = _seconds(rows, [[probes[-1]]] * MEASURED)
        letter_s = text_s / max(len(probes[-1]), 1)
        share = 1.0
    else:
        # Of a text that comes again, parts are kept: each is another.
        shorts = [f"{SHORT}{number}" for number in range(MEASURED * MEASURED_MANY)]
        text_s = _seconds(rows, [[text] for text in shorts[:MEASURED]])
        longs = [[f"{LONG}{number}"] for number in range(MEASURED)]
        more_s = max(_seconds(rows, longs) - text_s, 0.0)
        letter_s = more_s / (len(LONG) - len(SHORT))
        many = [shorts[start::MEASURED] for start in range(MEASURED)]
        share = min(_seconds(rows, many) / (MEASURED_MANY * text_s), 1.0)
    return Scorer(rows, reason, text_s, letter_s, share)


def _compiled(
    pipeline: Any, probes: Sequence[str]
) -> tuple[compiled.Compiled | None, str]:
    """Return the compiled form, and why it cannot be used."""
    try:
        score = compiled.compile_pipeline(pipeline)
        return score, compiled.difference(score, pipeline, probes, STRICTER)
    except compiled.UnknownStep as step:
        return None, f"{step} is not compiled"
    except Exception as error:  # noqa: BLE001
        # A pipeline is anybody's code: whatever it raises here, it answers by itself.
        return None, f"cannot be compiled: {type(error).__name__}: {error}"


def _itself(pipeline: Any) -> Rows:
    def rows(texts: Sequence[str]) -> list[list[float]]:
        found: list[list[float]] = pipeline.predict_proba(texts).tolist()
        return found

    return rows


def _fast(score: compiled.Compiled, itself: Rows) -> Rows:
    """Answer by the compiled form; `itself` where rounding would choose the label."""

    def rows(texts: Sequence[str]) -> list[list[float]]:
        try:
            found, tied = _found(score, texts)
        except ArithmeticError:  # sums that overflow or vanish: NumPy's way is the law
            return itself(texts)
        if tied:
            own = itself([texts[at] for at in tied])
            for at, row in zip(tied, own, strict=True):
                found[at] = row
        return found

    return rows


def _found(
    score: compiled.Compiled, texts: Sequence[str]
) -> tuple[list[list[float]], list[int]]:
    """Return the rows, and which of them are tied."""
    if len(texts) < MANY:
        rows = list(map(score.one, texts))
        return rows, [at for at, row in enumerate(rows) if compiled.is_tied(row)]
    many = score.many(texts)
    return many.tolist(), compiled.tied(many)


def _seconds(rows: Rows, asked: Iterable[Sequence[str]]) -> float:
    """Return the least time of a request: a busy machine only adds to it."""
    found = []
    for texts in asked:
        start = time.perf_counter()
        rows(texts)
        found.append(time.perf_counter() - start)
    return min(found)
