"""Ratings in words and signs, as shops and forms write them: 4/5, ★★★★☆, 4 out of 5, four stars."""

from __future__ import annotations

from core.data.roles.missing import trimmed
from core.data.store import literal

WORDS: dict[str, float] = {  # in small letters
    word: float(n)
    for words in (
        ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
        ("null", "eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun", "zehn"),
        ("zéro", "un", "deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf", "dix"),
        ("cero", "uno", "dos", "tres", "cuatro", "cinco", "seis", "siete", "ocho", "nueve", "diez"),
        ("零", "一", "二", "三", "四", "五", "六", "七", "八", "九", "十"),
    )
    for n, word in enumerate(words)
} | {
    **{"ein": 1.0, "une": 1.0, "una": 1.0, "um": 1.0, "uma": 1.0, "dois": 2.0, "duas": 2.0},
    **{"três": 3.0, "quatro": 4.0, "due": 2.0, "tre": 3.0, "quattro": 4.0, "cinque": 5.0},
    **{"两": 2.0, "true": 1.0, "false": 0.0},
}
del WORDS["null"]  # it says that there is none
MOST = 100  # of a scale
_STARS = (
    r"(?:[- ]?(?:stars?|sterne?|sternen|étoiles?|etoiles?|estrellas?|estrelas?|stell[ae]|points?"
    r"|ster(?:ren)?|punkte?n?|个星|颗星|星级?|分))"
)
_NUMBER = r"[0-9]{1,3}(?:[.,][0-9]+)?"
_OF = rf"^({_NUMBER}){_STARS}? *(?:/|out of|of|from|von|sur|de|su|из) *([0-9]{{1,3}}){_STARS}?$"
_SO_MANY = rf"^(?:({_NUMBER})|(\pL+?)){_STARS}?$"
_FILLED, _EMPTY = "★⭐🌟✭✮⋆*", "☆✩"
_SIGNS = rf"^[{_FILLED}]+½?[{_EMPTY}]*$"


def worded_sql(text: str, scale: float | None = None) -> str:
    """SQL for a DOUBLE: the rating that this text says in words or signs, NULL if it says none.

    Args:
        text: SQL for the text.
        scale: The highest rating: a rating out of another is brought to it, 4/5 to 8 out of 10.
            Not given, 4/5 is 4.
    """
    plain = _plain(text)
    named = ", ".join(f"{literal(word)}: {number}" for word, number in WORDS.items())
    given, most = _number(plain, _OF, 1), scale_sql(text)
    of = f"{given} * {scale} / {most}" if scale else given
    half = f"CASE WHEN contains({plain}, '½') THEN 0.5 ELSE 0 END"
    stars = f"length(regexp_replace({plain}, '[½{_EMPTY}]', '', 'g')) + {half}"
    word = f"MAP {{{named}}}[regexp_extract({plain}, {literal(_SO_MANY)}, 2)]"
    return (
        f"CASE WHEN strlen({text}) > 60 THEN NULL"
        f" WHEN regexp_matches({plain}, {literal(_SIGNS)}) THEN {stars}"
        f" WHEN regexp_matches({plain}, {literal(_OF)})"
        f" THEN CASE WHEN {given} <= {most} THEN {of} END"
        f" WHEN regexp_matches({plain}, {literal(_SO_MANY)})"
        f" THEN coalesce({_number(plain, _SO_MANY, 1)}, {word}) END"
    )


def scale_sql(text: str) -> str:
    """SQL for the highest rating that a text such as 4/5 names, NULL if it names none."""
    most = f"TRY_CAST(regexp_extract({_plain(text)}, {literal(_OF)}, 2) AS DOUBLE)"
    return f"CASE WHEN {most} BETWEEN 2 AND {MOST} THEN {most} END"


def _plain(text: str) -> str:
    """SQL for a text in small letters, its blanks single and without the signs of an emoji."""
    visible = f"replace({text}, chr(65039), '')"
    return rf"regexp_replace(lower({trimmed(visible)}), '\s+', ' ', 'g')"


def _number(plain: str, pattern: str, group: int) -> str:
    found = f"regexp_extract({plain}, {literal(pattern)}, {group})"
    return f"TRY_CAST(replace({found}, ',', '.') AS DOUBLE)"
