"""What the core says of a file in English, in the language of the page.

dataset.json and previews hold sentences. Each is made after one of the English texts `evidence.*`:
it is taken apart by them again, into the key of a text and the values in it, and said anew. What
fits none of them is shown as it is.
"""

from __future__ import annotations

import re
import string
from functools import cache

from dashboard.text import text, texts
from dashboard.text.literal import Text, literal

PREFIX = "evidence."
SENTENCES = ("rest", "first")  # places that hold sentences of this kind themselves
REPR = r"(?:'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")"
PLACES = {  # what may stand in a place of this name; anything but a line's end in others
    "rest": r".+",
    "first": r".+?",
    "column": REPR,
    "other": REPR,
    "source": r"[^;:]+\.\w+",  # a file
    "lines": r"[\w ]+",
    "zone": r"[A-Z]+",
    "sheets": r"[^;]+",  # lists, behind which another sentence may begin
    "others": r"[^;]+",
    "path": r"[^;]+",
    "paths": r"[^;]+",
    "n": r"[\d,]+",
    "share": r"\d+%",
    "better": r"\d+%",
}


def evidence(language: str, sentence: str) -> Text:
    """The sentence in this language; as it is, where it is none of those that are known."""
    said = _said(language, sentence)
    return literal(sentence) if said is None else said


def _said(language: str, sentence: str) -> Text | None:
    for key, pattern in _patterns():
        if match := pattern.fullmatch(sentence):
            values = _values(language, match.groupdict())
            if values is not None:
                return text(language, key, **values)
    return None


def _values(language: str, places: dict[str, str]) -> dict[str, str] | None:
    """What stands in the places, sentences in this language; None where one is not known."""
    said = {name: _said(language, places[name]) for name in SENTENCES if name in places}
    return None if None in said.values() else places | said  # type: ignore[return-value]


@cache
def _patterns() -> list[tuple[str, re.Pattern[str]]]:
    """Key → what its English text fits; those with more words of their own go first."""
    known = [(k, w) for k, w in texts("en").items() if k.startswith(PREFIX)]
    known.sort(key=lambda entry: (_joins(entry[1]), -len(_bare(entry[1]))))
    return [(key, re.compile(_pattern(words))) for key, words in known]


def _joins(words: str) -> bool:
    return any(f"{{{name}}}" in words for name in SENTENCES)


def _bare(words: str) -> str:
    return "".join(piece for piece, *_ in string.Formatter().parse(words))


def _pattern(words: str) -> str:
    return "".join(
        re.escape(piece) + (f"(?P<{name}>{PLACES.get(name, '.+?')})" if name else "")
        for piece, name, *_ in string.Formatter().parse(words)
    )
