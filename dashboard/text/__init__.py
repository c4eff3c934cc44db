"""Every word on the pages: t(key) in the language of the page."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from core import text as shared
from core.text import LANGUAGES, read_texts, template
from core.text.visible import visible
from dashboard.text.literal import Text, fill, linked, literal, picture, plain, small, strong

__all__ = [
    "LANGUAGES",
    "Text",
    "fill",
    "linked",
    "literal",
    "picture",
    "plain",
    "small",
    "strong",
    "text",
    "texts",
    "visible",
]

_HERE = Path(__file__).resolve().parent


@cache
def texts(language: str) -> dict[str, str]:
    """All texts of one language by key: those of core, and the pages' own."""
    return shared.texts(language) | read_texts(_HERE / f"{language}.json")


def text(language: str, key: str, **values: Any) -> Text:
    """The text of this key, its {places} filled in; what is filled in is shown literally.

    A key may have a second form `key.one`, used where n is 1.
    """
    return fill(template(texts(language), key, values.get("n")), values)
