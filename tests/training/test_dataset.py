"""training.dataset: the rules that the data file and its split keep."""

from collections import Counter, defaultdict
from pathlib import Path

import pytest

from training import dataset
from training.dataset import DATA, DataError, Utterance, near_duplicate_groups, split

ROWS = dataset.read(DATA)


def test_there_are_600_different_utterances_a_class_and_2400_in_all() -> None:
    counts = Counter(row.intent for row in ROWS)
    assert set(counts) == set(dataset.INTENTS)
    assert min(counts.values()) >= 600
    assert len({dataset.normalise(row.text) for row in ROWS}) == len(ROWS) >= 2400


def test_the_card_counts_what_the_file_holds() -> None:
    card = (DATA.parent.parent / "DATASET_CARD.md").read_text()
    counts = Counter((row.domain, row.intent) for row in ROWS)
    for domain in {row.domain for row in ROWS}:
        each = [counts[domain, intent] for intent in dataset.INTENTS]
        assert f"| {domain} | {' | '.join(map(str, each))} | {sum(each)} |" in card
    assert f"| **{len(ROWS)}** |" in card


def test_no_row_is_another_with_one_word_swapped() -> None:
    """Of one intent; in four words and more any word, in fewer the last (the noun)."""
    seen: dict[tuple[str, ...], str] = {}
    for row in ROWS:
        words = dataset.normalise(row.text).split()
        places = range(len(words)) if len(words) >= 4 else [len(words) - 1]
        for place in places if len(words) >= 2 else ():
            frame = (row.intent, *words[:place], "*", *words[place + 1 :])
            assert frame not in seen, (row.text, seen[frame])
            seen[frame] = row.text


def test_near_duplicates_share_an_intent_only_by_exception() -> None:
    pairs = dataset.near_duplicates([dataset.normalise(row.text) for row in ROWS])
    assert all(ROWS[one].intent != ROWS[other].intent for one, other in pairs)


def test_the_data_span_domains_and_lengths() -> None:
    domains = defaultdict(set)
    for row in ROWS:
        domains[row.domain].add(row.intent)
    assert len(domains) >= 12
    assert all(len(intents) == 4 for intents in domains.values())
    lengths = {len(row.text.split()) for row in ROWS}
    assert min(lengths) == 1
    assert 30 <= max(lengths) <= 40


def test_the_split_is_80_to_20_and_never_moves() -> None:
    train, test = split(ROWS)
    assert len(train) + len(test) == len(ROWS)
    assert len(test) / len(ROWS) == pytest.approx(0.2, abs=0.02)
    shuffled_train, _ = split(ROWS[::-1])
    assert {row.text for row in shuffled_train} == {row.text for row in train}


def test_near_duplicates_stay_on_one_side() -> None:
    train, test = split(ROWS)
    texts = [dataset.normalise(row.text) for row in (*train, *test)]
    pairs = dataset.near_duplicates(texts)
    assert all((one < len(train)) == (other < len(train)) for one, other in pairs)


def test_groups_follow_chains_of_near_duplicates() -> None:
    texts = ["please cancel my order", "please cancel my orders", "good morning"]
    assert near_duplicate_groups([*texts, "please cancel my orders now"]) == [
        0,
        0,
        2,
        0,
    ]


def test_a_near_duplicate_follows_its_first_to_whichever_side() -> None:
    variants = [f"where is my parcel number 12345678901234567{n}" for n in range(9)]
    train, test = split([Utterance(text, "question", "") for text in variants])
    assert 0 in (len(train), len(test))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("text,label\nhi,greeting\n", "expected columns text,intent, missing intent"),
        ("", "missing intent, text"),
        ("text,intent\nhi,salute\n", ":2: intent is 'salute', expected one of"),
        ("text,intent\nhi,greeting\n ,greeting\n", ":3: text is empty"),
        ("text,intent\nhi\n", ":2: intent is None"),
    ],
)
def test_a_bad_file_is_refused_by_line(
    tmp_path: Path, content: str, message: str
) -> None:
    path = tmp_path / "data.csv"
    path.write_text(content)
    with pytest.raises(DataError, match=message):
        dataset.read(path)


def test_a_file_that_is_missing_or_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file"):
        dataset.read(tmp_path / "none.csv")
    (tmp_path / "bytes.csv").write_bytes(b"text,intent\n\xff\xfe,greeting\n")
    with pytest.raises(DataError, match="expected UTF-8"):
        dataset.read(tmp_path / "bytes.csv")


def test_a_domain_is_optional_and_a_byte_order_mark_no_matter(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text("﻿text,intent\nhi,greeting\n", encoding="utf-8")
    assert dataset.read(path) == [Utterance("hi", "greeting", "")]
