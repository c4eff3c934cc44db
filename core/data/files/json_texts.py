"""The objects of a JSON file, a text each, wherever they stand: lines, an array, inside a wrapper.

Also what Python's repr writes for dicts, `{'a': None}`, which is read as data and never run.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from duckdb import DuckDBPyConnection, DuckDBPyRelation

from core.data.files.encodings import Plain
from core.data.files.sources import raw_lines
from core.data.roles.names import NAMES
from core.data.roles.names import plain as plain_name
from core.data.store import literal
from core.errors import BadInput, TooLarge

MAX_DOCUMENT = 512 << 20  # bytes of a file that is one JSON value over many lines
MAX_OBJECT = 16 << 20
MAX_LITERAL = 1 << 20  # characters of a Python literal; deep ones take a parser's memory
DEPTH = 4  # of a wrapper in which the log is looked for
_LOOK = 50  # lines that tell how a file is written
TABLE = "json_lines"


@dataclass(frozen=True)
class JsonTexts:
    """How the objects lie in a file: in lines, one each, or as the sentence says."""

    in_lines: bool = False
    evidence: str = ""


def is_json(start: str) -> bool:
    """Whether a text that begins like this, without blanks before, holds JSON objects.

    >>> is_json('{"a": 1}'), is_json('["u7", 2]'), is_json("[a],b"), is_json("a,b")
    (True, True, False, False)
    """
    if start.startswith("["):
        return start[1:].lstrip()[:1] in ("{", "]", "") or _is_array(start)
    return start.startswith("{")


def read_objects(
    con: DuckDBPyConnection, plain: Plain, scratch: Path, limit: int | None
) -> JsonTexts:
    """Fills TABLE (`text`, `line`) with what may be an object: a line, or an element of an array.

    Raises:
        BadInput: it is JSON in another shape, which the sentence names.
        duckdb.Error: it is no JSON that can be read.
    """
    con.execute(f"DROP TABLE IF EXISTS {TABLE}")
    if plain.kind == "parquet":
        rows = con.from_parquet(str(plain.path)).set_alias("rows")
        texts = rows.project("CAST(to_json(rows) AS VARCHAR) AS text, row_number() OVER () AS line")
        (texts.limit(limit) if limit else texts).to_table(TABLE)
        return JsonTexts()
    lines, start = _start(plain)
    if _is_array(start) and not start[1:].lstrip().startswith(("{", "]")):
        raise BadInput(
            f"{plain.name} holds JSON arrays such as {start[:60]!r}, in which nothing has a name: "
            'save each event as an object, such as {"user_id": "u7", "item_id": 2}'
        )
    evidence, in_lines = "", True
    if start.startswith("["):
        in_lines = False
        found = _elements(con, plain)
    elif _are_literals(lines):
        plain = _as_json(plain, scratch, limit)
        found, evidence = _lines(con, plain), "each line is a Python dict, read as data"
    elif _are_objects(lines):
        found = _lines(con, plain)
    else:
        found = _documents(con, plain)
        evidence, in_lines = "JSON objects over several lines each", False
    (found.limit(limit) if limit else found).to_table(TABLE)
    if con.table(TABLE).limit(2).aggregate("count(*)").fetchall()[0][0] == 1:
        wrapped = _unwrap(con, plain, limit)
        evidence, in_lines = wrapped or evidence, in_lines and not wrapped
    return JsonTexts(in_lines, evidence)


def _start(plain: Plain) -> tuple[list[str], str]:
    """The first lines that are not blank, the first few thousand characters of each."""
    lines: list[str] = []
    with plain.path.open(encoding="utf-8-sig", errors="replace") as file:
        while len(lines) < _LOOK and (line := file.readline(MAX_LITERAL)):
            if line.strip():
                lines.append(line.strip())
    return lines, lines[0] if lines else ""


def _are_objects(lines: list[str]) -> bool:
    good = sum(_is_object(line) for line in lines)
    return good >= 0.5 * len(lines) or (good > 0 and len(lines) > _LOOK // 2)


def _is_object(line: str) -> bool:
    if len(line) >= MAX_LITERAL:
        return line.startswith("{")
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _is_array(line: str) -> bool:
    try:
        return line.startswith("[") and isinstance(json.loads(line), list)
    except (ValueError, RecursionError):
        return False


def _are_literals(lines: list[str]) -> bool:
    dicts = [line for line in lines if _literal(line) is not None]
    return len(dicts) > 0.5 * len(lines) and not all(map(_is_object, dicts))


def _literal(line: str) -> dict[object, object] | None:
    if not line.startswith("{") or len(line) > MAX_LITERAL:
        return None
    try:
        value = ast.literal_eval(line)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return None
    return value if isinstance(value, dict) else None


def _as_json(plain: Plain, scratch: Path, limit: int | None) -> Plain:
    """A copy in which each line that is a Python dict is a JSON object; others stay as they are."""
    target = scratch / f"{plain.path.name}-json"
    with (
        plain.path.open(encoding="utf-8-sig", errors="replace", newline="\n") as file,
        target.open("w", encoding="utf-8", newline="\n") as out,
    ):
        for line in islice(file, limit):
            value = _literal(line.strip())
            try:
                text = line if value is None else json.dumps(value, default=str) + "\n"
            except (TypeError, ValueError):
                text = line
            out.write(text)
    return replace(plain, path=target)


def _lines(con: DuckDBPyConnection, plain: Plain) -> DuckDBPyRelation:
    bom = literal(chr(0xFEFF))
    return (
        raw_lines(con, plain.path)
        .filter("trim(text) <> ''")
        .project(f"CASE WHEN line = 1 THEN ltrim(text, {bom}) ELSE text END AS text, line")
    )


def _elements(con: DuckDBPyConnection, plain: Plain) -> DuckDBPyRelation:
    return con.sql(
        f"FROM read_json_objects({literal(str(plain.path))}, format = 'array',"
        f" maximum_object_size = {MAX_OBJECT})"
    ).project("CAST(json AS VARCHAR) AS text, row_number() OVER () AS line")


def _documents(con: DuckDBPyConnection, plain: Plain) -> DuckDBPyRelation:
    size = plain.path.stat().st_size
    if size > MAX_DOCUMENT:
        raise TooLarge(
            f"{plain.name} is one JSON value of {size:,} bytes over many lines, at most "
            f"{MAX_DOCUMENT:,} are read: save it as one object a line"
        )
    return con.sql(
        f"FROM read_json_objects({literal(str(plain.path))}, format = 'unstructured',"
        f" maximum_object_size = {max(MAX_OBJECT, size + 1024)})"
    ).project("CAST(json AS VARCHAR) AS text, row_number() OVER () AS line")


def _unwrap(con: DuckDBPyConnection, plain: Plain, limit: int | None) -> str:
    """Puts the elements of the longest array of objects in place of the only object, if any."""
    whole = con.table(TABLE)
    if _facts(con, [""])[0][0] != "OBJECT":
        return ""
    arrays: dict[str, int] = {}
    level = [""]
    tops: dict[str, str] = {}
    for depth in range(DEPTH):
        paths = [p for path in level for p in _inner(con, path)]
        kinds = _facts(con, paths)
        level = []
        for path, (kind, length, first) in zip(paths, kinds, strict=True):
            if depth == 0:
                tops[path] = kind
            if kind == "ARRAY" and first == "OBJECT":
                arrays[path] = length
            elif kind == "OBJECT":
                level.append(path)
    scalars = [path for path, kind in tops.items() if kind not in ("OBJECT", "ARRAY", "NULL")]
    if any(plain_name(path) in NAMES["user_id"] for path in scalars):
        return ""  # it is an event itself
    if not arrays:
        _refuse_columns(plain, tops)
        return _by_key(con, tops, limit) or _by_person(con, tops, limit)
    path = max(arrays, key=lambda p: (_names_both(con, f"{p}/0"), arrays[p]))
    elements = f"unnest(from_json(json_extract(text, {literal(path)}), '[\"JSON\"]'))"
    _replace(con, whole.project(f"CAST({elements} AS VARCHAR) AS text"), limit)
    others = ", ".join(f"{_said(p)}[] ({n:,})" for p, n in arrays.items() if p != path)
    told = f"the log is an array of objects inside one JSON object, {_said(path)}[]"
    return f"{told}; beside it {others} is left out" if others else told


def _said(path: str) -> str:
    """A JSON pointer as a key path."""
    return path.removeprefix("/").replace("/", ".").replace("~1", "/").replace("~0", "~")


def _names_both(con: DuckDBPyConnection, path: str) -> bool:
    """Whether the keys of the object at this path name both who and what."""
    keys = {plain_name(p.rpartition("/")[2]) for p in _inner(con, path)}
    return all(keys & {*NAMES[role]} for role in ("user_id", "item_id"))


def _by_key(con: DuckDBPyConnection, tops: Mapping[str, str], limit: int | None) -> str:
    """Puts the values of an object in its place, where each names who and what: pandas' index."""
    path = ""
    if len(tops) == 1 and {*tops.values()} == {"OBJECT"}:
        (path,) = tops
        tops = dict.fromkeys(_inner(con, path), "OBJECT")
        tops = {p: kind for p, (kind, *_) in zip(tops, _facts(con, list(tops)), strict=True)}
    if len(tops) < 2 or {*tops.values()} != {"OBJECT"}:
        return ""
    if not all(_names_both(con, top) for top in tops):
        return ""
    value = f"json_extract(text, {literal(path)})"
    entries = f"unnest(map_entries(from_json({value}, '\"MAP(VARCHAR, JSON)\"'))) AS e"
    texts = con.table(TABLE).project(entries).project("CAST(e.value AS VARCHAR) AS text")
    _replace(con, texts, limit)
    return "one JSON object that has an event under each key"


def _by_person(con: DuckDBPyConnection, tops: Mapping[str, str], limit: int | None) -> str:
    """Puts an object for each person in place of one whose keys are people, each with a list."""
    if len(tops) < 3 or {*tops.values()} != {"ARRAY"}:
        return ""
    entries = "unnest(map_entries(from_json(text, '\"MAP(VARCHAR, JSON)\"'))) AS e"
    people = (
        con.table(TABLE)
        .project(entries)
        .project("CAST(json_object('user', e.key, 'items', e.value) AS VARCHAR) AS text")
    )
    _replace(con, people, limit)
    return "one JSON object whose keys are people, each with a list of items"


def _replace(con: DuckDBPyConnection, texts: DuckDBPyRelation, limit: int | None) -> None:
    """Puts these texts, numbered from 1, in place of those of TABLE."""
    rows = texts.project("text, row_number() OVER () AS line")
    (rows.limit(limit) if limit else rows).to_table("unwrapped")
    con.execute(f"DROP TABLE {TABLE}")
    con.execute(f"ALTER TABLE unwrapped RENAME TO {TABLE}")


def _inner(con: DuckDBPyConnection, path: str) -> list[str]:
    """The paths one deeper, at most 50: more keys than that are no wrapper, but data."""
    keys = con.table(TABLE).project(f"json_keys(text, {literal(path)})").fetchall()[0][0]
    return [f"{path}/{key.replace('~', '~0').replace('/', '~1')}" for key in (keys or [])[:50]]


def _facts(con: DuckDBPyConnection, paths: list[str]) -> list[tuple[str, int, str]]:
    """Of the value at each path: its type, its length, and the type of its first element."""
    if not paths:
        return []
    cells = ", ".join(
        f"json_type(text, {literal(p)}), json_array_length(text, {literal(p)}),"
        f" json_type(text, {literal(p + '/0')})"
        for p in paths
    )
    row = con.table(TABLE).project(cells).fetchall()[0]
    return [(row[n], row[n + 1] or 0, row[n + 2]) for n in range(0, len(row), 3)]


def _refuse_columns(plain: Plain, tops: dict[str, str]) -> None:
    """Raises BadInput where the only object holds a table by columns, or rows without names."""
    named = [p[1:] for p in tops if any(plain_name(p) in names for names in NAMES.values())]
    whole = len(tops) > 1 and len({*tops.values()} - {"OBJECT", "ARRAY"}) == 0
    if whole and (len(named) > 1 or {"/columns", "/data"} <= {*tops}):
        raise BadInput(
            f"{plain.name} is JSON that holds a table by columns ({', '.join(list(tops)[:5])}): "
            "save it as one object a row, as pandas does with to_json(orient='records', lines=True)"
        )
