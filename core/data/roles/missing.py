"""What stands for "no value" in a cell, in whatever column."""

from __future__ import annotations

from core.data.store import literal

WHITE = literal(" \t\r\n\v\f\xa0\u3000\ufeff")  # what is cut off around an id
MISSING = (  # in any case; "-", "unknown" and 0 may be somebody's, so the quality report names them
    *("", "na", "n/a", "n.a.", "#n/a", "#na", "<na>", "null", "(null)", "<null>", "[null]"),
    *("none", "(none)", "nan", "-nan", "nat", "undefined", "(not set)", "(empty)", "(blank)"),
    # what spreadsheets in other languages write for #N/A, #VALUE! and #REF!
    *("#nv", "#n/d", "#wert!", "#bezug!", "#valeur!", "#valore!", "#¡valor!", "#valor!", "#zahl!"),
    *("#¡ref!", "#rif!", "k.a.", "k. a.", "(leer)", "(vide)", "(vacío)", "(vazio)", "(missing)"),
    *("\\n", "nil", "#null!", "#value!", "#ref!", "#name?", "#div/0!", "#num!"),
)
_LISTED = f"({', '.join(map(literal, MISSING))})"


def trimmed(text: str) -> str:
    """SQL for a text without white space around it."""
    return f"trim({text}, {WHITE})"


def missing_sql(cell: str) -> str:
    """SQL that is true where a cell (SQL for a text) says nothing."""
    return f"coalesce(lower({trimmed(cell)}), '') IN {_LISTED}"


def is_missing(text: str) -> bool:
    """Whether this text says nothing."""
    return text.strip(" \t\r\n\v\f\xa0\u3000\ufeff").lower() in MISSING
