"""predictor.managed.forms: bodies in, bodies out, and who is refused."""

import re

import pytest
from kserve.errors import InvalidInput

from predictor.managed import forms
from predictor.protocol import MAX_TEXTS, Predictions

FOUND = Predictions.of(("a", "b"), [[0.25, 0.75], [0.5, 0.5]])


@pytest.mark.parametrize(
    ("body", "form", "texts", "came"),
    [
        (b'{"instances": ["a", {"text": "b"}]}', "json", ["a", "b"], "json"),
        (b'{"text": "a"}', "json", ["a"], "plain"),
        (b'"a"\r\n\n{"text": "b"}', "lines", ["a", "b"], "lines"),
        (b'a\n\n"b, ""c""\nd"\r\n', "csv", ["a", 'b, "c"\nd'], "csv"),
        (b"\xef\xbb\xbfa", "csv", ["a"], "csv"),
    ],
)
def test_each_form_is_read(
    body: bytes, form: forms.Form, texts: list[str], came: forms.Form
) -> None:
    assert forms.texts_of(body, form) == (texts, came)


@pytest.mark.parametrize(
    ("body", "form", "said"),
    [
        (b"[]", "json", "body: expected {"),
        (b'{"texts": []}', "json", "got neither key"),
        (b'"a"\n{"text": 1}', "lines", "lines[1]: expected a text, got a number"),
        (b'"a"\n{', "lines", "lines[1]: expected JSON in UTF-8"),
        (b'"a"\n' * (MAX_TEXTS + 1), "lines", "at most 1024 lines, got more"),
        (b"", "lines", "lines: expected 1 to 1024 texts, got 0"),
        (b"a\nb,c", "csv", "csv[1]: expected one column"),
        (b'"a', "csv", "expected CSV in UTF-8"),
        (b"\xff", "csv", "expected CSV in UTF-8, invalid start byte"),
        (b"x" * 200_000, "csv", "expected CSV in UTF-8, field larger than"),
        (b"a\n" * (MAX_TEXTS + 1), "csv", "at most 1024 rows, got more"),
        (b"\n", "csv", "csv: expected 1 to 1024 texts, got 0"),
    ],
)
def test_what_cannot_be_read_is_named(body: bytes, form: forms.Form, said: str) -> None:
    with pytest.raises(InvalidInput, match=re.escape(said)):
        forms.texts_of(body, form)


@pytest.mark.parametrize(
    ("accept", "sent", "answer"),
    [
        ("", "csv", "csv"),
        ("*/*", "lines", "lines"),
        ("text/csv;q=0.5, */*", "json", "csv"),
        ("image/png, Application/JSON; charset=utf-8", "csv", "json"),
        ("application/json", "plain", "plain"),
        ("application/*", "lines", "lines"),
        ("text/*", "json", "csv"),
        ("application/x-jsonlines", "json", "lines"),
        ("image/png", "json", None),
        ("application/json;q=0", "json", None),
    ],
)
def test_the_answer_has_an_accepted_form(
    accept: str, sent: forms.Form, answer: forms.Form | None
) -> None:
    assert forms.wanted(accept, sent) == answer


def test_each_form_is_written() -> None:
    row = b'{"label":"b","confidence":0.75,"probabilities":{"a":0.25,"b":0.75}}'
    assert forms.written(FOUND, "json").startswith(b'{"predictions":[' + row)
    assert forms.written(FOUND, "plain") == b'{"intent":"b","confidence":0.75}'
    assert forms.written(FOUND, "lines").splitlines()[0] == row
    assert forms.written(FOUND, "csv") == b"b,0.75\na,0.5\n"
