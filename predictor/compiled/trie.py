"""Finds the n-grams of a text's words (char_wb) by arrays, without cutting them out.

A state is a beginning of n-grams. From every letter of a text at once, one step leads
from the state of n letters to that of n + 1. So a word that was never seen costs no
more than a known one, and a long text little more than a short one.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from predictor.compiled.steps import Columns

LARGEST = 1 << 23  # steps, of four bytes each
SHORTEST_WORD = 3  # letters, with the spaces around it


@dataclass(frozen=True, slots=True)
class Trie:
    """Letters' numbers, steps from state to state, and each state's column or -1.

    Letter 0 is in no n-gram, state 0 begins none. A state's number is that of its first
    step: the state of one letter is the letter's number, times the number of letters.
    """

    letters: Columns
    bits: int
    steps: npt.NDArray[np.int32]
    columns: Columns
    shortest: int
    longest: int

    @classmethod
    def of(cls, vectorizer: Any) -> "Trie | None":
        """Return the n-grams of a char_wb vectorizer, None where they are too many."""
        shortest, longest = vectorizer.ngram_range
        if vectorizer.analyzer != "char_wb" or not 2 <= shortest <= SHORTEST_WORD:
            return None
        found = {
            term: at
            for term, at in vectorizer.vocabulary_.items()
            if shortest <= len(term) <= longest
        }
        # Between words there is one space for both: none may be within an n-gram.
        if any(" " in term[1:-1] or term.isspace() for term in found):
            return None
        return _built(found, shortest, longest)

    def states(self, text: str) -> Columns:
        """Return the states of all n letters of a text that may be n-grams."""
        every: Columns = np.concatenate(self._states(" ".join(text.split())))
        return every

    def of_many(self, texts: Sequence[str]) -> tuple[Columns, Columns]:
        """Return all states that are n-grams, after the number of the text of each."""
        words = [" ".join(text.split()) for text in texts]
        found = self._states(" ".join(words))
        numbers = np.repeat(np.arange(len(texts)), [len(each) + 1 for each in words])
        starts = np.concatenate([numbers[: len(each)] for each in found])
        every = np.concatenate(found)
        is_one = self.columns.take(every) >= 0
        return starts[is_one], every[is_one]

    def _states(self, words: str) -> list[Columns]:
        """Return the states of each length, in the order of their first letters."""
        coded = f" {words} ".encode("utf-32-le", "surrogatepass")
        codes = np.frombuffer(coded, dtype=np.uint32)
        letters = self.letters.take(codes, mode="clip")
        states, found = letters << self.bits, []
        for length in range(1, self.longest):
            states = self.steps.take(states[:-1] + letters[length:], mode="clip")
            if length + 1 >= self.shortest:
                found.append(states >> self.bits)
        return found


def _built(found: Mapping[str, int], shortest: int, longest: int) -> Trie | None:
    # The commonest letters are neighbours in a state's steps, and in the cache.
    often = Counter(chain.from_iterable(found))
    alphabet = sorted(often, key=lambda letter: (-often[letter], letter))
    number = {letter: at for at, letter in enumerate(alphabet, 1)}
    bits = len(alphabet).bit_length()
    inner = sorted({term[:end] for term in found for end in range(2, len(term))})
    states = {term: at for at, term in enumerate(inner, len(alphabet) + 1)}
    rows = len(alphabet) + 1 + len(inner)
    leaves = [term for term in found if term not in states]
    if rows << bits > LARGEST or not found:
        return None
    states |= {term: at for at, term in enumerate(leaves, rows)} | number
    # A leaf is beyond them and ends at the last one, which leads nowhere.
    steps = np.zeros((rows << bits) + 1, dtype=np.int32)
    for term, at in states.items():
        if len(term) > 1:
            steps[(states[term[:-1]] << bits) + number[term[-1]]] = at << bits
    columns = np.full(rows + len(leaves), -1, dtype=np.intp)
    columns[[states[term] for term in found]] = list(found.values())
    return Trie(_numbers(number), bits, steps, columns, shortest, longest)


def _numbers(number: Mapping[str, int]) -> Columns:
    """Return each letter's number by its code; the last is that of all others."""
    codes = list(map(ord, number))
    letters = np.zeros(max(codes) + 2, dtype=np.intp)
    letters[codes] = list(number.values())
    return letters
