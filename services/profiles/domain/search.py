"""The rules of search: how text becomes words, and what a misspelt word may have meant.

Stemming is PostgreSQL's. A misspelt word is replaced by the known words within a few edits of it
(optimal string alignment: insert, delete, replace, swap two neighbours); trigrams find candidates,
but alone they miss a swap in a short word.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

WORDS_AT_MOST = 12
WORD_LONGEST = 40
SHORTEST_CORRECTED = 4
"""Shorter words are near to too many others."""
LONG_WORD = 7
"""From this length on two mistakes are forgiven, before it one."""

_WORD = re.compile(r"[^\W_]+")


def fold(text: str) -> str:
    """Return text in lower case and without accents, as it is searched."""
    # In this order, because taking a letter apart may bring forth a capital one.
    parts = unicodedata.normalize("NFKD", text)
    return "".join(part for part in parts if not unicodedata.combining(part)).lower()


def words_of(text: str) -> list[str]:
    """Return the different words of a text, folded, in their order."""
    found = _WORD.findall(fold(text))
    return list(dict.fromkeys(word for word in found if len(word) <= WORD_LONGEST))


def asked_words(text: str) -> list[str]:
    """Return the words of a search that count: the first dozen."""
    return words_of(text)[:WORDS_AT_MOST]


def meant(word: str, candidates: Iterable[str]) -> list[str]:
    """Return the known words that a word may be a misspelling of; none for a known word."""
    if len(word) < SHORTEST_CORRECTED or word in (known := list(candidates)):
        return []
    allowed = 2 if len(word) >= LONG_WORD else 1
    return [near for near in known if edits(word, near) <= allowed]


def edits(one: str, other: str) -> int:
    """Return how many inserts, deletes, replacements and swaps of neighbours lie between."""
    before: list[int] = []
    previous = list(range(len(other) + 1))
    for row, letter in enumerate(one, start=1):
        current = [row]
        for column, against in enumerate(other, start=1):
            best = min(
                previous[column] + 1,
                current[column - 1] + 1,
                previous[column - 1] + (letter != against),
            )
            swapped = row > 1 and column > 1 and letter == other[column - 2]
            if swapped and one[row - 2] == against:
                best = min(best, before[column - 2] + 1)
            current.append(best)
        before, previous = previous, current
    return previous[-1]


def tsquery(words: Sequence[str], corrections: Mapping[str, Sequence[str]]) -> str:
    """Return the search for PostgreSQL's `to_tsquery`: any of the words, or what they meant.

    Words are letters and digits only, so that quoting them is safe. Whoever has more of them comes
    first; one that has none is not found.
    """
    wanted = dict.fromkeys(near for word in words for near in (word, *corrections.get(word, ())))
    return " | ".join(f"'{word}'" for word in wanted)
