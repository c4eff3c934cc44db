"""The words for what core itself names, English and Chinese: reports and pages say the same."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

LANGUAGES = {"en": "English", "zh": "中文"}
_HERE = Path(__file__).resolve().parent


@cache
def texts(language: str) -> dict[str, str]:
    """These texts of one language by key; those of the pages alone are in dashboard/text/."""
    return read_texts(_HERE / f"{language}.json")


def read_texts(path: Path) -> dict[str, str]:
    """The texts in a file by key."""
    loaded: dict[str, str] = json.loads(path.read_text("utf-8"))
    return loaded


def template(known: dict[str, str], key: str, n: object = None) -> str:
    """The text of this key; its second form `key.one`, if there is one, where n is 1."""
    one = f"{key}.one"
    return known[one] if n == 1 and one in known else known[key]
