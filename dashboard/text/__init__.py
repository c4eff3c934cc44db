"""Every word on the pages: t(key) in the language of the page."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from dashboard.text.literal import Text, fill, linked, literal, plain, strong, visible

__all__ = [
    "LANGUAGES",
    "Text",
    "fill",
    "linked",
    "literal",
    "plain",
    "strong",
    "text",
    "texts",
    "visible",
]

LANGUAGES = {"en": "English", "zh": "中文"}
_HERE = Path(__file__).resolve().parent


@cache
def texts(language: str) -> dict[str, str]:
    """All texts of one language by key."""
    loaded: dict[str, str] = json.loads((_HERE / f"{language}.json").read_text("utf-8"))
    return loaded


def text(language: str, key: str, **values: Any) -> Text:
    """The text of this key, its {places} filled in; what is filled in is shown literally.

    A key may have a second form `key.one`, used where n is 1.
    """
    known = texts(language)
    one = f"{key}.one"
    template = known[one] if values.get("n") == 1 and one in known else known[key]
    return fill(template, values)
