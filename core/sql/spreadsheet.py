"""Texts that a spreadsheet would reckon out, made harmless."""

from __future__ import annotations

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # how one may begin


def no_formula(text: str) -> str:
    """The text, behind a ' where a spreadsheet could take it for a formula.

    >>> no_formula("=1+1"), no_formula("tea")
    ("'=1+1", 'tea')
    """
    return f"'{text}" if text.startswith(FORMULA) else text
