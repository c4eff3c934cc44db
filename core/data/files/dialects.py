"""How a delimited text is cut into cells, as it looks or as a person says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, Self

from core.errors import BadInput

DELIMITERS = (",", "\t", ";", "|", "::", "^", "~", "\x01", " ")
RUNS = "blanks"  # a delimiter: one blank or more, as in columns that were padded
GAPS = "gaps"  # two blanks or more, where cells have single ones in them
PADDED = {RUNS: re.compile(r"[ \t]+"), GAPS: re.compile(r" {2,}| *\t[ \t]*")}
LONG = "\x1f"  # stands for a delimiter of several characters while a line is cut


@dataclass(frozen=True)
class ReadAs:
    """How a person says that a delimited text is to be read; None leaves it to the text.

    Args:
        delimiter: What stands between cells; "tab", "blanks" (one or more) and "gaps" (two blanks
            or more) are words for it.
        quote: What stands around cells; "none" if quotes are part of the text.
        header_line: The line, from 1, that names the columns; 0 if none does. What stands before
            it is passed over.
        comment: Lines that begin so are passed over, wherever they stand.
        decimal: "." or ",": what stands before the decimals of a number.

    Raises:
        BadInput: a value is none of these.
    """

    delimiter: str | None = None
    quote: str | None = None
    header_line: int | None = None
    comment: str | None = None
    decimal: str | None = None

    def __post_init__(self) -> None:
        if self.delimiter is not None:
            mark = {"tab": "\t", "\\t": "\t"}.get(self.delimiter, self.delimiter)
            object.__setattr__(self, "delimiter", mark)
            if mark not in PADDED and (not 0 < len(mark) < 5 or set(mark) & set("\"'\r\n")):
                raise BadInput(
                    f"the delimiter is {mark!r}; it must be one to four characters and no quote or "
                    "line end, or tab, blanks or gaps"
                )
        if self.quote is not None:
            quote = "none" if self.quote == "" else self.quote
            object.__setattr__(self, "quote", quote)
            if quote != "none" and (len(quote) != 1 or not quote.isprintable() or quote.isalnum()):
                raise BadInput(
                    f"the quote is {quote!r}; it must be one character that is no letter or "
                    "number, or none"
                )
            if quote == self.delimiter:
                raise BadInput(f"the quote and the delimiter are both {quote!r}: they must differ")
        if self.header_line is not None and not isinstance(self.header_line, int):
            raise BadInput(f"the header line is {self.header_line!r}; it must be a whole number")
        if self.header_line is not None and not 0 <= self.header_line <= 1_000_000:
            raise BadInput(
                f"the header line is {self.header_line}; it must be a line's number from 1 to "
                "1,000,000, or 0 (none) where no line names the columns"
            )
        if self.comment is not None and (not self.comment.strip() or len(self.comment) > 10):
            raise BadInput(
                f"the comment sign is {self.comment!r}; it must be one to ten characters"
            )
        if self.decimal not in (None, ".", ","):
            raise BadInput(f"the decimal sign is {self.decimal!r}; it must be . or ,")

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Self:
        """What these options say, by their names; None stands for "as it looks"."""
        known = [field.name for field in fields(cls)]
        for name in given:
            if name not in known:
                raise BadInput(f"read_as has no {name!r}; it may have {', '.join(known)}")
        return cls(**given)

    @property
    def of_text(self) -> list[str]:
        """What is said that only a delimited text can obey, as the options' names."""
        return [n for n in ("delimiter", "quote", "comment") if getattr(self, n) is not None]

    def to_json(self) -> dict[str, str | int]:
        """What is said, and nothing of what is not."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True)
class Dialect:
    """How a delimited text is cut into cells."""

    delimiter: str  # or a word of PADDED
    quote: str = '"'  # "" if the text has no quoting
    escape: str = ""  # "\\" if it stands before a quote inside of quotes, which is else doubled

    @property
    def said(self) -> str:
        """As a sentence may say it."""
        words = {"\t": "tabs", " ": "blanks", RUNS: "blanks, one or more", GAPS: "several blanks"}
        between = words.get(self.delimiter, repr(self.delimiter))
        return (
            f"between {between}, {f'quoted by {self.quote}' if self.quote else 'without quoting'}"
        )


OPEN: Final = "a quote is left open"
BROKEN: Final = "a quote stands inside of a quoted cell, or text after it"


class Cutter:
    """Cuts records into their cells. Cells that do not begin with a quote hold it literally."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.quote = dialect.quote
        self._padded = PADDED.get(dialect.delimiter)
        self.mark = dialect.delimiter if len(dialect.delimiter) == 1 else LONG
        d, q = re.escape(self.mark), re.escape(dialect.quote or "\0")
        blanks = "" if self.mark == " " else " *+"
        # No possessive groups: before Python 3.11.5 re matches them wrongly (gh-106052).
        inner = rf"[^{q}]*+(?:{q}{q}[^{q}]*+)*"
        if dialect.escape:
            inner = rf"[^{q}\\]*+(?:(?:\\[\s\S]|{q}{q})[^{q}\\]*+)*"
        cell = rf"(?:{blanks}{q}({inner}){q}{blanks}(?={d}|\Z)|((?!{blanks}{q})[^{d}]*+))"
        bare = cell.replace("(" + inner + ")", inner).replace("((?!", "(?:(?!")
        self._cells = re.compile(d + cell)
        self._record = re.compile(rf"(?:{d}{bare})+\Z")
        self._open = re.compile(rf"(?:{d}{bare})*{d}{blanks}{q}{inner}\\?\Z")
        self._close = re.compile(rf"{inner}{q}(?!{q})")
        self._first = (self.quote, " ") if self.quote else " "
        self._after = (dialect.delimiter + self.quote, dialect.delimiter + " ")

    def split(self, line: str) -> list[str]:
        """The cells of a line in which no quote has a meaning."""
        if self._padded:
            return self._padded.split(line.strip())
        return line.split(self.dialect.delimiter)

    def quotes(self, line: str) -> bool:
        """Whether a cell of this line may begin with a quote."""
        if not self.quote or self.quote not in line:
            return False
        if self._padded:
            return f" {self.quote}" in f" {line}"
        quote, blank = self._after
        return line.startswith(self._first) or quote in line or blank in line

    def cut(self, text: str) -> list[str] | str:
        """The cells of a record, or why it is none: OPEN or BROKEN."""
        if not self.quotes(text):
            return self.split(text)
        text = self._marked(text)
        if self._record.match(text):
            return [self._plain(cell) or bare for cell, bare in self._cells.findall(text)]
        return OPEN if self._open.match(text) else BROKEN

    def closes(self, line: str) -> bool:
        """Whether a quote that is open before this line is closed in it."""
        return bool(self._close.match(line))

    def _marked(self, text: str) -> str:
        if self._padded:
            text = self._padded.sub(LONG, text.strip())
        elif self.mark == LONG:
            text = text.replace(self.dialect.delimiter, LONG)
        return self.mark + text

    def _plain(self, cell: str) -> str:
        if self.dialect.escape and "\\" in cell:
            cell = re.sub(r'\\(["\\\'])', r"\1", cell)
        return cell.replace(self.quote * 2, self.quote) if self.quote in cell else cell
