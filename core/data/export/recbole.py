"""RecBole's atomic files: NAME.inter, NAME.item, NAME.user, tables with a typed header.

https://recbole.io/docs/user_guide/data/atomic_files.html. A value with a tab, a line end or a quote
stands in quotes, as the reader of RecBole (pandas) takes it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from duckdb import DuckDBPyRelation

from core.data.export.folder import Export, event_columns, tell_what_is_lost
from core.data.files.sources import unique_names
from core.data.layouts.recbole import TEXT_NAME
from core.data.store import literal, quoted

_NUMBERS = ("DOUBLE", "FLOAT", "BIGINT", "INTEGER", "HUGEINT", "SMALLINT", "TINYINT")


def write_recbole(export: Export) -> None:
    """Writes the atomic files of a dataset, named after it."""
    name = re.sub(r"[^\w.-]+", "_", export.info.name).strip("._") or "dataset"
    events = export.table("events")
    assert events is not None
    columns = event_columns(export)
    _write_atomic(export, events, columns, f"{name}.inter")
    for attributes, suffix in (("items", "item"), ("users", "user")):
        if (described := export.table(attributes)) is not None:
            own = [(column, quoted(column)) for column in described.columns]
            _write_atomic(export, described, own, f"{name}.{suffix}")
    if export.out.name != name:
        export.notes.append(f"RecBole looks for these files in a folder called {name}")
    tell_what_is_lost(export)


def _write_atomic(
    export: Export, table: DuckDBPyRelation, columns: Sequence[tuple[str, str]], file: str
) -> None:
    types = dict(zip(table.columns, map(str, table.types), strict=True))
    by_sql = {quoted(column): kind for column, kind in types.items()}
    heads, cells = [], []
    for name, sql in columns:
        kind, cell = _atomic(export, table, name, sql, by_sql[sql], file)
        heads.append((re.sub(r"[:\t\r\n\"]+", "_", name), kind))
        cells.append(cell)
    names = unique_names(name for name, _ in heads)
    changed = [old for (old, _), new in zip(columns, names, strict=True) if old != new]
    if changed:
        export.notes.append(
            f"{file}: a header cannot hold a colon, so {', '.join(changed)} is written with _"
        )
    typed = [f"{n}:{kind}" for n, (_, kind) in zip(names, heads, strict=True)]
    rows = table.project(
        ", ".join(f"{c} AS {quoted(t)}" for c, t in zip(cells, typed, strict=True))
    )
    rows.create_view("atomic", replace=True)
    target = literal(str(export.folder / file))
    export.con.execute(
        f"COPY atomic TO {target} (FORMAT csv, DELIMITER '\t', HEADER, QUOTE '\"', NULLSTR '')"
    )
    export.add(file, table)


def _atomic(
    export: Export, table: DuckDBPyRelation, name: str, sql: str, type: str, file: str
) -> tuple[str, str]:
    """The RecBole type of a column and SQL for its cells; what is quoted or altered is counted."""
    if name in ("user_id", "item_id"):
        _count_quoted(export, table, file, name, f"CAST({sql} AS VARCHAR)")
        return "token", sql
    if type.startswith("TIMESTAMP"):
        moment = f"epoch_us({sql})"
        return "float", (
            f"CASE WHEN {moment} % 1000000 = 0 THEN CAST({moment} // 1000000 AS VARCHAR)"
            f" ELSE CAST(CAST({moment} / 1000000 AS DECIMAL(20, 6)) AS VARCHAR) END"
        )
    if type.removesuffix("[]") in _NUMBERS and type.endswith("[]"):
        return "float_seq", f"array_to_string({sql}, ' ')"
    if type.endswith("[]"):
        return "token_seq", _token_seq(export, table, file, name, f"CAST({sql} AS VARCHAR[])")
    if type in _NUMBERS:
        return "float", sql
    text = f"CAST({sql} AS VARCHAR)"
    if file.endswith((".item", ".user")) and type == "VARCHAR":
        if _has_bars(table, sql):
            export.notes.append(f"{file}: {name} is cut at | into a token_seq")
            return "token_seq", _token_seq(export, table, file, name, f"string_split({text}, '|')")
        if TEXT_NAME.search(name):
            _count_quoted(export, table, file, name, text)
            return "token_seq", text
    _count_quoted(export, table, file, name, text)
    return "token", text


def _has_bars(table: DuckDBPyRelation, sql: str) -> bool:
    """Whether values are lists as MovieLens writes them, A|B|C."""
    with_bar = f"count(DISTINCT CASE WHEN contains({sql}, '|') THEN {sql} END)"
    bars, different = table.aggregate(f"{with_bar}, count(DISTINCT {sql})").fetchall()[0]
    return bool(bars >= max(1, 0.05 * different))


def _token_seq(export: Export, table: DuckDBPyRelation, file: str, name: str, values: str) -> str:
    """SQL for a list's values between blanks; a blank within one becomes "_", and is counted."""
    count = table.aggregate(
        f"sum(len(list_filter({values}, lambda x: regexp_matches(trim(x), '\\s'))))"
    ).fetchall()[0][0]
    if count:
        export.altered_values[f"{file} {name}"] = int(count)
        export.notes.append(
            f"{file}: {count:,} values of {name} hold blanks, which part the values of a "
            "token_seq: they are written as _"
        )
    word = "regexp_replace(trim(x), '\\s+', '_', 'g')"
    joined = f"array_to_string(list_transform({values}, lambda x: {word}), ' ')"
    _count_quoted(export, table, file, name, joined)
    return joined


def _count_quoted(export: Export, table: DuckDBPyRelation, file: str, name: str, text: str) -> None:
    count = table.aggregate(
        f"count(CASE WHEN regexp_matches({text}, '[\t\r\n\"]') THEN 1 END)"
    ).fetchall()[0][0]
    if count:
        export.quoted_values[f"{file} {name}"] = int(count)
