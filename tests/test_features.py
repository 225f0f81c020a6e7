"""predictor.features: what v2 sees of a text."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from predictor.features import (
    LexiconScores,
    Message,
    Shape,
    Spelling,
    body,
    is_negation,
    message,
    negation_ngrams,
    tokens,
)

SCORES = LexiconScores({"good": 2.0, "bad": -2.0})


def test_tokens_keep_apostrophes_and_single_symbols() -> None:
    assert tokens("Don't GO!! 10€") == ("don't", "go", "!", "!", "10", "€")


@pytest.mark.parametrize("code", range(128))
def test_ascii_is_cut_as_any_other_text(code: int) -> None:
    text = f"a{chr(code)}b it{chr(code)}"
    assert (*tokens(text), "é") == tokens(f"{text} é")
    assert SPELLING.correct(f"prcel{text}") == SPELLING.correct(f"prcel{text} é")[:-2]


@pytest.mark.parametrize("word", ["not", "never", "don't", "wasnt", "isn’t"])  # noqa: RUF001
def test_negations(word: str) -> None:
    assert is_negation(word)


def test_a_negation_marks_the_next_three_words_up_to_a_stop() -> None:
    grams = negation_ngrams("not at all as good")
    assert {"not_at", "not_all", "not_as", "good"} <= set(grams)
    assert "good" in negation_ngrams("no, good")
    assert "good" in negation_ngrams("not but good")


def test_pairs_begin_at_the_start_of_the_text() -> None:
    assert negation_ngrams("hi you") == ("<s>", "hi", "you", "<s> hi", "hi you")


@pytest.mark.parametrize(
    ("text", "total"),
    [
        ("good", 2.0),
        ("very good", 2.6),
        ("slightly bad", -1.4),
        ("not good", -1.48),
        ("not. good", 2.0),
        ("good bad", 0.0),
        ("table", 0.0),
    ],
)
def test_the_total_of_word_valences(text: str, total: float) -> None:
    scored = SCORES.transform([text])[0, 0]
    assert scored == pytest.approx(total / math.sqrt(total**2 + 15))


def test_columns_of_the_scores() -> None:
    total, good, bad, last, tail, goods, bads = SCORES.transform(["bad but good"])[0]
    one = 2 / math.sqrt(4 + 15)
    assert (total, good, bad, last, tail) == pytest.approx((0, one, one, one, one))
    assert (goods, bads) == (0.25, 0.25)


def test_columns_of_the_shape() -> None:
    row = Shape().transform(["really? no!"])[0].tolist()
    assert row == [math.log1p(4) / 3, 0, 1, 1, 0, 1, 0, 0, 0]


@given(st.text())
def test_any_text_gives_finite_features(text: str) -> None:
    assert np.isfinite(SCORES.fit([text]).transform([text])).all()
    assert np.isfinite(Shape().fit([text]).transform([text])).all()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hi, my card is blocked", Message("my card is blocked", True, False)),
        (
            "Good morning. How are you? The app is down",
            Message("the app is down", True),
        ),
        ("my card is blocked, thanks!", Message("my card is blocked", False, True)),
        ("hey team, it broke again. Thank you", Message("it broke again", True, True)),
        ("hello doctor", Message("hello doctor")),
        ("thanks a lot", Message("thanks a lot")),
        ("history repeats itself here", Message("history repeats itself here")),
        ("a thankless task for anyone", Message("a thankless task for anyone")),
        ("", Message("")),
    ],
)
def test_politeness_is_cut_off_a_message_of_more_words(
    text: str, said: Message
) -> None:
    assert message(text) == said
    assert body(text) == " ".join(tokens(said.body))


def test_politeness_is_one_mark() -> None:
    grams = negation_ngrams("hi, it does not work, thanks")
    assert {"<hello>", "<thanks>", "<s> it"} <= set(grams)
    assert not {"hi", "thanks", "<s>"} & set(grams)


@given(st.text(max_size=300))
def test_any_text_has_a_body_that_is_part_of_it(text: str) -> None:
    assert message(text).body in text.lower()


SPELLING = Spelling().fit(["where is my parcel", "my parcel broke", "Where? terrible"])


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("my prcel", "my parcel"),
        ("my parrcel", "my parcel"),
        ("my pacrel", "my parcel"),
        ("my parvel", "my parcel"),
        ("WHEERE", "where"),
        ("parcellll", "parcel"),
        ("my parcel", "my parcel"),
        ("terible", "terible"),  # seen once only
        ("mx paarccel", "mx paarccel"),  # two edits
        ("", ""),
    ],
)
def test_a_misspelt_word_is_led_back_to_a_common_one(written: str, read: str) -> None:
    assert SPELLING.transform([written]) == [read]


@given(st.lists(st.sampled_from("very good bad . but so not it".split()), max_size=12))
def test_a_word_that_negates_far_away_changes_no_score(words: list[str]) -> None:
    """Texts without negation are scored by other code than those with one."""
    text = " ".join(word for word in words if word != "not")
    assert SCORES.scores(text) == SCORES.scores(f"{text} . not")
