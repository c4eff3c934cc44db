"""Somebody's text with everything that a screen would not show made visible.

A control becomes its picture (␀ … ␟, ␡), a blank at an end or after another ␣, and what has no
picture, such as a mark that turns the direction, ⟦U+202E⟧.
"""

from __future__ import annotations

import re
import unicodedata

_OUTER = re.compile(r"^\s+|\s+$| {2,}")
_BLANK_LETTERS = "\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"
_JOINERS = "\u200c\u200d"  # within emoji, and within words of scripts that need them
_UNSEEN = ("Cc", "Cf", "Cs", "Zl", "Zp")


def visible(text: str) -> str:
    r"""With everything that a browser would not show, or would move about, made visible.

    >>> visible(" tea\u202e\n")
    '␣tea⟦U+202E⟧␊'
    """
    return _OUTER.sub(lambda blanks: "".join(map(_blank, blanks[0])), seen(text))


def seen(text: str) -> str:
    if text.isascii() and text.isprintable():
        return text
    return "".join(_sign(text, at, char) for at, char in enumerate(text))


def _sign(text: str, at: int, char: str) -> str:
    inside = char in _JOINERS and 0 < at < len(text) - 1
    if inside and _joined(text[at - 1]) and _joined(text[at + 1]):
        return char
    if ord(char) < 32:
        return chr(0x2400 + ord(char))
    if ord(char) == 127:
        return "␡"
    if unicodedata.category(char) in _UNSEEN or char in _BLANK_LETTERS:
        return f"⟦U+{ord(char):04X}⟧"
    return char


def _joined(char: str) -> bool:
    """Whether a joiner beside it changes how it is drawn."""
    if unicodedata.category(char) in ("So", "Sk") or char == "\ufe0f":
        return ord(char) > 0x2000
    return 0x0600 <= ord(char) < 0x1100


def _blank(char: str) -> str:
    return "␣" if char == " " else f"⟦U+{ord(char):04X}⟧"
