"""Times with words of a language around them → as a machine writes them: "5. März 2024, 8.30 Uhr".

The same replacements are made in Python, where a few cells tell how a column is written, and in
SQL, where all are read; so they keep to what both `re` and RE2 know.
"""

from __future__ import annotations

import re

from core.data.store import literal

SPOKEN = "words:"  # before a way of writing: the cell is read so after these replacements
_MONTHS = (
    "janvier|janeiro|january|januari|januar|jänner|gennaio|enero|janv|ene|gen|jan",
    "février|fevrier|fevereiro|february|februari|februar|febrero|febbraio|févr|fév|feb|fev",
    "märz|março|marco|maart|march|marzo|mars|mrz|mär|mar",
    "aprile|april|avril|abril|avr|abr|apr",
    "maggio|mayo|maio|mai|mei|may|mag",
    "giugno|junio|junho|june|juni|juin|giu|jun",
    "juillet|luglio|julio|julho|july|juli|juil|lug|jul",
    "augustus|august|agosto|août|aout|ago|aug",
    "septiembre|septembre|september|settembre|setembro|sept|sep|set",
    "oktober|octobre|octubre|october|outubro|ottobre|okt|oct|out|ott",
    "november|noviembre|novembre|novembro|nov",
    "dezember|dezembro|décembre|decembre|december|diciembre|dicembre|déc|dez|dec|dic",
)
_SHORT = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = (
    "monday|tuesday|wednesday|thursday|friday|saturday|sunday|montag|dienstag|mittwoch|donnerstag"
    "|freitag|samstag|sonntag|lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche|lunes|martes"
    "|miércoles|jueves|viernes|sábado|domingo"
)
_REPLACED: tuple[tuple[str, str], ...] = (
    (r"^/date\(([0-9]+)([+-][0-9]{4})?\)/$", r"\1"),  # as .NET writes JSON
    *((rf"\b({names})\b\.?", short) for names, short in zip(_MONTHS, _SHORT, strict=True)),
    (rf"^({_WEEKDAYS}),? ", ""),
    (r"([0-9]{4})[年년] *([0-9]{1,2})[月월] *([0-9]{1,2})[日일]", r"\1-\2-\3"),
    (r"([0-9]{1,2})[時时시] *([0-9]{1,2})[分분] *([0-9]{1,2})[秒초]", r"\1:\2:\3"),
    (r"([0-9]{1,2})[時时시] *([0-9]{1,2})[分분]", r"\1:\2"),
    (r"^([0-9]{4})\. ?([0-9]{1,2})\. ?([0-9]{1,2})\.? ?", r"\1-\2-\3 "),
    (r"([0-9]{1,2})(st|nd|rd|th|er|º)\b", r"\1"),
    (r"^([0-9]{1,2})\. ?([a-z]{3})\b", r"\1 \2"),
    (r",? (à|at|um|om|às|alle|kl\.?|a las|de|del|of) ", " "),
    (r",? (à|at|um|om|às|alle|kl\.?|a las|de|del|of) ", " "),
    (r"([0-9]{1,2}) ?h ?([0-9]{2})", r"\1:\2"),
    (r" ?(uhr|hs|hrs)$", ""),
    (r"([ap])\. ?m\.?$", r"\1m"),
    (r"^([0-9]{5}),([0-9]+)$", r"\1.\2"),  # days as Excel counts them, in much of Europe
    (r"^ +| +$", ""),
)


def spoken(text: str) -> str:
    """This text as a machine writes it, in small letters.

    >>> spoken("5. März 2024 um 8:30 Uhr"), spoken("March 3rd, 2024 at 8:30 a.m.")
    ('5 mar 2024 8:30', 'mar 3, 2024 8:30 am')
    """
    text = text.lower()
    for pattern, replacement in _REPLACED:
        text = re.sub(pattern, replacement, text)
    return text


def spoken_sql(text: str) -> str:
    """SQL for the same of a text."""
    found = f"lower({text})"
    for pattern, replacement in _REPLACED:
        found = f"regexp_replace({found}, {literal(pattern)}, {literal(replacement)}, 'g')"
    return found
