"""A cover for an item without a picture: a small SVG, drawn from its title and its category.

The same title and category give the same cover. What is drawn of a title are letters and digits
alone, escaped besides; the ground is the cover's own, so that it reads alike in both themes.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from html import escape

from dashboard.charts.theme import COVERS

WIDE, HIGH = 60, 80  # pixels of the drawing, larger than it is shown
_WORDS = re.compile(r"[^\W_]+")
_LATIN = re.compile(r"[A-Za-zÀ-ɏͰ-ӿ0-9]")
_SMALL = frozenset(("the", "a", "an", "of", "and", "in", "to", "de", "la", "le", "der", "die"))


def drawn_cover(title: str, category: str, frequent: Sequence[str]) -> bytes:
    """The cover as SVG.

    Args:
        title: What the item is called.
        category: What it is; "" where that is not known, and the title then gives the colour.
        frequent: The categories that have a colour of their own, at most as many as COVERS has but
            one; the others share the last.
    """
    mark = zlib.crc32(title.encode("utf-8", "surrogatepass"))
    if not category:
        ground = COVERS[mark % len(COVERS)]
    elif category in frequent[: len(COVERS) - 1]:
        ground = COVERS[frequent.index(category)]
    else:
        ground = COVERS[-1]
    x, y, r = 8 + mark % 45, 6 + mark // 45 % 30, 16 + mark // 1350 % 14  # each cover its own light
    letters = monogram(title)
    size = 26 if len(letters) < 2 or _LATIN.match(letters) else 22
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDE}" height="{HIGH}">'
        f'<rect width="{WIDE}" height="{HIGH}" fill="{ground}"/>'
        f'<circle cx="{x}" cy="{y}" r="{r}" fill="#fff" opacity=".13"/>'
        f'<rect y="{HIGH - 12}" width="{WIDE}" height="12" opacity=".16"/>'
        f'<text x="{WIDE // 2}" y="46" text-anchor="middle" font-size="{size}" '
        f'font-weight="600" font-family="sans-serif" fill="#fff">{escape(letters)}</text></svg>'
    ).encode()


def monogram(title: str) -> str:
    """The first letters of its first two words that say something, or the first two of a word.

    >>> monogram("The Silence of the Lambs (1991)"), monogram("Heat (1995)"), monogram("千与千寻")
    ('SL', 'He', '千与')
    """
    words: list[str] = _WORDS.findall(title)
    telling = [word for word in words if word.lower() not in _SMALL and not word.isdigit()]
    first, *others = telling or words or ["·"]
    if not _LATIN.match(first):
        return first[:2]
    if not others or not _LATIN.match(others[0]):
        return first[:2]
    return (first[0] + others[0][0]).upper()
