"""predictor.protocol: V1 and the plain form."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kserve.errors import InvalidInput

from predictor.protocol import (
    MANY,
    Predictions,
    parse_json,
    plain_answer,
    texts_from_plain,
    texts_from_v1,
    v1_answer,
    v1_json,
)

PREDICTIONS = Predictions.of(("a", "b"), [[0.25, 0.75], [0.5, 0.5]])


def test_v1_takes_texts_and_objects_with_a_text() -> None:
    payload = {"instances": ["one", {"text": "two"}]}
    assert texts_from_v1(payload) == ["one", "two"]


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (None, r"body: expected an object \{\"instances\".* got nothing"),
        ([], "body: expected an object .* got a list"),
        ({}, "instances: missing"),
        ({"instances": "a"}, "instances: expected a list, got a string"),
        ({"instances": []}, "instances: expected 1 to 1024 texts, got 0"),
        ({"instances": ["a"] * 1025}, "expected 1 to 1024 texts, got 1025"),
        ({"instances": ["a", 1]}, r"instances\[1\]: expected a text, got a number"),
        ({"instances": [True]}, r"instances\[0\]: expected a text, got a boolean"),
        ({"instances": [{"txt": "a"}]}, r'instances\[0\]: .* object without "text"'),
        ({"instances": [{"text": None}]}, r"instances\[0\]: .* got nothing"),
        ({"instances": [[]]}, r"instances\[0\]: expected a text, got a list"),
        ({"instances": [" \n"]}, r"instances\[0\]: .* got an empty one"),
        ({"instances": ["a" * 8193]}, "at most 8192 characters, got 8193"),
    ],
)
def test_v1_faults_name_the_field(payload: object, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        texts_from_v1(payload)


def test_the_longest_text_and_the_largest_batch_are_served() -> None:
    assert len(texts_from_v1({"instances": ["a" * 512] * 1024})) == 1024
    assert len(texts_from_v1({"instances": ["a" * 8192] * 64})) == 64


def test_a_request_has_no_more_letters_than_a_probe_can_wait_for() -> None:
    with pytest.raises(InvalidInput, match="at most 524288 characters in all texts"):
        texts_from_v1({"instances": ["a" * 512] * 1023 + ["a" * 513]})


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(JSON | st.fixed_dictionaries({"instances": JSON}))
def test_v1_serves_or_refuses_whatever_json_there_is(payload: object) -> None:
    try:
        texts = texts_from_v1(payload)
    except InvalidInput as fault:
        assert len(fault.reason) < 200
    else:
        assert all(isinstance(text, str) for text in texts)


@pytest.mark.parametrize("payload", [None, [], {}, {"text": 1}, {"text": ""}])
def test_plain_faults_name_text(payload: object) -> None:
    with pytest.raises(InvalidInput, match=r"^text: "):
        texts_from_plain(payload)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff", b'"\\ud800"', b"NaN", b"\xef\xbb\xbf{}", b"[" * 3000]
)
def test_what_is_not_json_is_the_callers_fault(body: bytes) -> None:
    with pytest.raises(InvalidInput, match="body: expected JSON in UTF-8"):
        parse_json(body)


@given(
    st.lists(st.text(), min_size=1, max_size=5, unique=True).flatmap(
        lambda classes: st.tuples(
            st.just(tuple(classes)),
            st.lists(
                st.lists(st.floats(0, 1), min_size=len(classes), max_size=len(classes)),
                min_size=1,
                max_size=3 * MANY,
            ),
        )
    )
)
def test_v1_is_written_to_the_same_bytes_however_many_texts_there_are(
    asked: tuple[tuple[str, ...], list[list[float]]],
) -> None:
    predictions = Predictions.of(*asked)
    assert v1_json(predictions) == orjson.dumps(v1_answer(predictions))


def test_v1_answers_name_label_confidence_and_all_probabilities() -> None:
    assert v1_answer(PREDICTIONS)["predictions"][0] == {
        "label": "b",
        "confidence": 0.75,
        "probabilities": {"a": 0.25, "b": 0.75},
    }


def test_the_plain_answer_is_the_tutorials() -> None:
    answer = plain_answer(v1_answer(PREDICTIONS))
    assert answer == {"intent": "b", "confidence": 0.75}
