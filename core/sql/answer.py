"""What a statement gave."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date
from typing import Any

import pyarrow as pa


@dataclass(frozen=True)
class Column:
    """A column of an answer; its type as DuckDB writes it."""

    name: str
    type: str


@dataclass(frozen=True, eq=False)
class Answer:
    """A statement's rows, all of them or the first ones.

    Cells are numbers, truth values, texts, dates and times (UTC), and lists of numbers and texts.
    DECIMAL comes as DOUBLE; what has no such form (a struct, an interval, a date beyond the year
    9999) as the text that DuckDB writes.
    """

    columns: tuple[Column, ...]  # names differ, also without regard to case
    table: pa.Table
    seconds: float  # from the start of its process
    cut: bool  # whether there are more rows than these

    @property
    def rows(self) -> int:
        """How many are here."""
        return int(self.table.num_rows)

    @property
    def sentence(self) -> str:
        """How many rows there are; where the answer was cut, that it was."""
        if self.cut:
            return f"the first {self.rows} rows: there are more, which were left out"
        return f"{self.rows} row{'' if self.rows == 1 else 's'}"

    def to_json(self) -> dict[str, Any]:
        """As `recscope sql --json` says it; each row is a list in the order of the columns."""
        cells = [map(_plain, column.to_pylist()) for column in self.table.columns]
        return {
            "columns": [{"name": column.name, "type": column.type} for column in self.columns],
            "rows": [list(row) for row in zip(*cells, strict=True)],
            "shown": self.rows,
            "cut": self.cut,
            "seconds": round(self.seconds, 3),
        }


def _plain(value: Any) -> Any:
    """The cell in what JSON knows: dates and times in ISO 8601, null for what is no number."""
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, date):  # a datetime too
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
