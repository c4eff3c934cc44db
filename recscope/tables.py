"""DataFrames on their way in: written as Parquet, so that they are read like any file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from core.errors import BadInput

Table: TypeAlias = "str | os.PathLike[str] | pd.DataFrame"  # a file, or the table itself
Tables: TypeAlias = "Table | Sequence[Table]"


def as_files(tables: Tables | None, scratch: Path, name: str) -> list[Path]:
    """These tables as files; DataFrames are written to the scratch under this name.

    Raises:
        BadInput: something that is neither a path nor a DataFrame, or a DataFrame that would lose
            something on the way: an index or columns without names, a column of mixed types.
    """
    if tables is None:
        return []
    if isinstance(tables, str | os.PathLike | pd.DataFrame):
        tables = [tables]
    if not isinstance(tables, Iterable) or isinstance(tables, Mapping | pd.Series | bytes):
        raise _neither(tables, name)
    paths: list[Path] = []
    for place, table in enumerate(tables):
        if isinstance(table, str | os.PathLike):
            paths.append(Path(table).expanduser())
        elif isinstance(table, pd.DataFrame):
            number = f"_{place + 1}" if place else ""
            paths.append(scratch / f"{name}{number}.parquet")
            write(table, paths[-1], name)
        else:
            raise _neither(table, name)
    return paths


def _neither(table: object, name: str) -> BadInput:
    advice = "; a polars table gives one with .to_pandas()" * hasattr(table, "to_pandas")
    return BadInput(
        f"the {name} must be a path or a pandas DataFrame, or a list of them, not "
        f"{type(table).__name__} {str(table)[:40]!r}{advice}"
    )


def write(frame: pd.DataFrame, path: Path, name: str) -> None:
    """Writes the frame with its named index; see as_files for what is refused."""
    frame = _with_index(frame, name)
    if frame.columns.empty:
        raise BadInput(
            f"there are no columns in the {name}: it needs one for each thing that is known"
        )
    check_columns(frame, name)
    columns = {}
    for column in frame.columns:
        _check_times(frame[column], name)
        try:
            columns[column] = pa.array(frame[column], from_pandas=True)
        except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
            kinds = sorted({type(value).__name__ for value in frame[column].head(10_000)})
            raise BadInput(
                f"column {column!r} of the {name} cannot be written as one type (it holds "
                f"{', '.join(kinds)}): make it one, such as "
                f"frame[{column!r}] = frame[{column!r}].astype(str)"
            ) from error
    table = pa.table(columns)
    try:
        pq.write_table(table, path)
    except (pa.ArrowException, TypeError, ValueError) as error:  # Arrow has a type, Parquet none
        raise BadInput(
            f"the {name} has a column that no Parquet file can hold ({_odd(table)}): leave it "
            "out, or make it texts with .astype(str)"
        ) from error


def _with_index(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """The frame with its named index levels as columns; unnamed whole numbers only count rows."""
    names = list(frame.index.names)
    if names == [None] and pd.api.types.is_integer_dtype(frame.index.dtype):
        return frame
    if names == [None] and not len(frame):
        return frame
    if None in names:
        raise BadInput(
            f"the index of the {name} has no name, and values such as {frame.index[0]!r}: give it "
            "one to have it as a column (frame.index.name = …), or leave it out with "
            "frame.reset_index(drop=True)"
        )
    twice = [level for level in names if level in frame.columns]
    if twice:
        raise BadInput(
            f"the {name} has an index and a column that are both called {twice[0]!r}: rename one, "
            "or leave the index out with frame.reset_index(drop=True)"
        )
    return frame.reset_index()


def check_columns(frame: pd.DataFrame, name: str) -> None:
    """Raises BadInput where a column's name is no text, or stands there twice."""
    for column in frame.columns:
        if not isinstance(column, str) or not column.strip():
            raise BadInput(
                f"a column of the {name} is called {column!r}: names are texts, so give them with "
                "frame.columns = ['user_id', 'item_id', …]"
            )
    twice = frame.columns[frame.columns.duplicated()]
    if len(twice):
        raise BadInput(f"the {name} has two columns called {twice[0]!r}: rename one")


def _check_times(column: pd.Series[Any], name: str) -> None:
    """Refuses what would be numbers in the file: the number of a month, or of nanoseconds."""
    if isinstance(column.dtype, pd.PeriodDtype):
        how = f"frame[{column.name!r}].dt.to_timestamp() makes them times"
    elif pd.api.types.is_timedelta64_dtype(column.dtype):
        how = f"frame[{column.name!r}].dt.total_seconds() makes them numbers"
    else:
        return
    raise BadInput(f"column {column.name!r} of the {name} holds {column.dtype}, no times: {how}")


def _odd(table: pa.Table) -> str:
    odd = [field.name for field in table.schema if "extension" in str(field.type)]
    return ", ".join(odd or table.schema.names)


def whole_ids(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with ids that pandas made 1.0 for a gap elsewhere in the column as 1 again."""
    for role in ("user_id", "item_id"):
        if role in frame and pd.api.types.is_float_dtype(frame[role].dtype):
            column = frame[role]
            if (column.dropna() % 1 == 0).all():
                frame = frame.assign(**{role: column.astype("Int64")})
    return frame
