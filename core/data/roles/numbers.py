"""Numbers as people write them: 3.5, 3,50, 1.299,99, 1,250, 1 250,00, ₹1,10,030, €3.50, (3.50)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from duckdb import DuckDBPyRelation

from core.data.roles.missing import missing_sql, trimmed
from core.data.roles.worded import worded_sql
from core.data.store import literal

MOST = 3.4e38  # what 32 bits hold, in which models calculate
POINT, COMMA = ".", ","
_CURRENCY = (
    r"(?:[$€£¥₹₽₩₺₫฿₴₪元円]|US\$|R\$|USD|EUR|GBP|CHF|JPY|CNY|RMB|SEK|NOK|DKK|PLN|CZK|HUF|BRL|AUD|CAD"
    r"|INR|RUB|Rs\.?|kr\.?|zł|Kč|Ft)"
)
_AROUND = rf"(?i)^([+-]?)\s*{_CURRENCY}\s*|\s*{_CURRENCY}$"
_LIKELY = r"^[^A-Za-z]|^[A-Z]{2,3}[0-9]|^[A-Za-z]{1,3}[ .$]"  # words and times are told at once
# What other scripts and typesetters write for a digit, a sign or a mark.
_SCRIPTS = (
    "−–０１２３４５６７８９．，٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹٫٬",
    "--0123456789.,01234567890123456789.,",
)
# Accountants put a loss in brackets or its sign behind; a share has its sign behind.
_BEHIND = r"^\s*\(([^-+()]+)\)\s*$|^([^-+()]*[0-9])\s*-\s*$|^([^%()]*[0-9])\s*%\s*$"
_LOSS = r"^\s*\([^-+()]+\)\s*$|^[^-+()]*[0-9]\s*-\s*$"
_BLANKS = "[ \u00a0\u202f\u2009'’]"  # what may stand between thousands besides the other mark


@dataclass(frozen=True)
class Marks:
    """How many cells of a column can be read only so."""

    point: int  # 3.50
    comma: int  # 3,50
    either_point: int  # 1.250: a number with decimals, or thousands
    either_comma: int  # 1,250: the same

    @classmethod
    def of(cls, columns: Sequence[tuple[DuckDBPyRelation, str]]) -> Marks:
        """How all cells are written, given rows and SQL for the text of a cell, file by file."""
        point, comma = number_sql("x", POINT), number_sql("x", COMMA)
        counts = [0, 0, 0, 0]
        for rows, text in columns:
            cells = rows.project(f"{text} AS x").filter("regexp_matches(x, '[.,]')")
            found = cells.project(f"x, {point} AS a, {comma} AS b").aggregate(
                "count_if(a IS NOT NULL AND b IS NULL), count_if(a IS NULL AND b IS NOT NULL),"
                " count_if(a < b), count_if(a > b)"
            )
            counts = [
                old + int(new or 0) for old, new in zip(counts, found.fetchall()[0], strict=True)
            ]
        return cls(*counts)

    def mark(self, *, semicolons: bool = False) -> str:
        """The decimal mark: what more cells need.

        Args:
            semicolons: Whether the files put semicolons between cells, as a spreadsheet does where
                commas mark decimals; that says it where no cell does.
        """
        if self.point == self.comma:
            return COMMA if semicolons and self.either_comma else POINT
        return COMMA if self.comma > self.point else POINT

    def evidence(self, *, semicolons: bool = False) -> str:
        """One sentence on a mark that is not plain to see; "" where there is nothing to say."""
        mark = self.mark(semicolons=semicolons)
        word = {POINT: "a point", COMMA: "a comma"}[mark]
        if self.point == self.comma and (self.either_point or self.either_comma):
            read = "1,250 is 1250 and 1.250 is 1.25" if mark == POINT else "1,250 is 1.25"
            return f"taken with {word} before decimals ({read}), which no value says for certain"
        if self.point and self.comma:
            return (
                f"some values have a point before decimals, some a comma: 1,250 is read with {word}"
            )
        return "a comma marks decimals" if mark == COMMA else ""


def number_sql(text: str, mark: str) -> str:
    """SQL for a DOUBLE: this text as a number with this decimal mark, NULL if it is none."""
    written = f"translate({trimmed(text)}, {literal(_SCRIPTS[0])}, {literal(_SCRIPTS[1])})"
    amount = rf"regexp_replace({written}, {literal(_AROUND)}, '\1', 'g')"
    bare = rf"regexp_replace({amount}, '\s+$', '')"
    sign, other = ("\\.", ",") if mark == POINT else (",", "\\.")
    groups = rf"[1-9][0-9]{{0,2}}((?:{other}[0-9]{{3}})+|(?:{_BLANKS}[0-9]{{3}})+)({sign}[0-9]*)?"
    if mark == POINT:  # lakhs and crores: two digits a group above the thousands
        groups = rf"[1-9][0-9]?(?:,[0-9]{{2}})+,[0-9]{{3}}(\.[0-9]*)?|{groups}"
    plain = rf"(?:[0-9]+({sign}[0-9]*)?|{sign}[0-9]+)(?:[eE][+-]?[0-9]{{1,3}})?"
    pattern = literal(f"[+-]?(?:{groups}|{plain})")
    thousands = literal(f"{_BLANKS}|{other}")
    number = f"replace(regexp_replace({bare}, {thousands}, '', 'g'), ',', '.')"
    return f"CASE WHEN regexp_full_match({bare}, {pattern}) THEN TRY_CAST({number} AS DOUBLE) END"


def signed_sql(text: str, mark: str) -> str:
    """The same, also of (3.50) and 3.50-, which are losses, and of 80 %, which is 80."""
    inner = rf"regexp_replace({text}, {literal(_BEHIND)}, '\1\2\3')"
    sign = f"CASE WHEN regexp_matches({text}, {literal(_LOSS)}) THEN -1 ELSE 1 END"
    return f"({sign}) * {number_sql(inner, mark)}"


def either_sql(text: str, mark: str) -> str:
    """The same, but a cell that can be read only with the other mark is read so."""
    other = COMMA if mark == POINT else POINT
    quick = f"TRY_CAST({text} AS DOUBLE), " if mark == POINT else ""
    likely = f"regexp_matches({text}, {literal(_LIKELY)}) AND NOT contains({text}, ':')"
    slow = f"coalesce({signed_sql(text, mark)}, {signed_sql(text, other)})"
    return f"coalesce({quick}CASE WHEN {likely} THEN {slow} END)"


def value_sql(
    cell: str, type: str, mark: str, *, said: bool = False, scale: float | None = None
) -> str:
    """SQL that gives a DOUBLE: NULL where the cell is missing, NaN where it is no number to use.

    Args:
        cell: SQL for the cell.
        type: Its DuckDB type.
        mark: The decimal mark.
        said: Whether a person says so; else a cell that fits only the other mark is read with it.
        scale: The highest rating, where cells such as 4/5 and 8/10 are to be on one scale.
    """
    text = cell if type == "VARCHAR" else f"CAST({cell} AS VARCHAR)"
    if type != "VARCHAR":
        number = f"TRY_CAST({cell} AS DOUBLE)"
    else:
        number = signed_sql(text, mark) if said else either_sql(text, mark)
        number = f"coalesce({number}, {worded_sql(text, scale)})"
    return (
        f"CASE WHEN abs({number}) <= {MOST} THEN {number} WHEN {missing_sql(text)} THEN NULL"
        " ELSE 'nan'::DOUBLE END"
    )
