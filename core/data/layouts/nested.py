"""JSON with objects inside of objects: a column for each key path, an event for each element.

`{"user": {"id": 7}, "items": [{"item_id": 1}, {"item_id": 2}]}` has the columns `user.id` and
`items[].item_id`, and is two events.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
from duckdb import DuckDBPyConnection, DuckDBPyRelation

from core.data.files.encodings import Plain
from core.data.files.records import (
    JsonColumn,
    escaped,
    json_objects,
    json_source,
    keys_at,
    top_columns,
)
from core.data.files.sources import LayoutNote, Source, check_width
from core.data.layouts.lines_of_items import with_line_counts
from core.data.roles.names import NAMES
from core.data.roles.names import plain as plain_name
from core.data.store import literal

NAME = "nested"
DEPTH = 5
MAX_KEYS = 40  # of one object; with more of them the keys are data, and it stays one text
LOOK = 1_000  # objects whose values are looked at
ELEMENT = "element"  # the column with an element of the array that is exploded
# Who it is where nobody is signed in, as analytics tools say it.
VISITORS = ("userpseudoid", "distinctid", "anonymousid", "visitorid", "clientid")
ROLES = ("user_id", "item_id", "timestamp", "event", "rating", "quantity", "duration")


@dataclass(frozen=True)
class Tree:
    """The columns that objects give by their paths, and the arrays of objects among them."""

    columns: tuple[JsonColumn, ...]
    arrays: Mapping[str, tuple[str, tuple[JsonColumn, ...]]]  # name → pointer, columns inside


def open_nested(
    con: DuckDBPyConnection,
    plain: Plain,
    scratch: Path,
    limit: int | None,
    mapped: Mapping[str, str | None],
) -> Source:
    """The records of a JSON file by key path; its plain keys where nothing in it is nested.

    Args:
        con: The connection that reads.
        plain: The file.
        scratch: Where converted files go.
        limit: Convert only so many objects, for a preview.
        mapped: What a person says of the roles: a path that is named is a column.

    Raises:
        BadInput: it is damaged, or holds no objects.
    """
    target = scratch / f"{plain.path.name}-records"
    with json_objects(con, plain, scratch, limit) as (objects, texts):
        tops = top_columns(con, plain.name, objects)
        wanted = [path for column in mapped.values() if column for path in column.split("+")]
        tree = _tree(objects, tops, wanted)
        columns = list(tree.columns)
        exploded = _to_explode(objects, tree, wanted)
        if exploded:
            pointer, inner = tree.arrays[exploded]
            columns = [c for c in columns if c.pointer != pointer]
            columns += [replace(c, base=ELEMENT) for c in inner]
            elements = f"from_json(json_extract(text, {literal(pointer)}), '[\"JSON\"]')"
            # An object without an element stays one event without an item: rejected and counted.
            unnested = f"unnest(coalesce(nullif({elements}, []), [NULL])) AS {ELEMENT}"
            objects = objects.project(f"line, text, {unnested}")
        check_width(plain.name, len(columns))
        fills = _filled(objects, columns)
        source = json_source(con, plain, objects, columns, target)
    evidence = texts.evidence
    if texts.in_lines and not exploded:
        source = with_line_counts(con, plain, source, limit)
    roles = _roles(columns, fills, exploded)
    if not evidence and not exploded and not roles and len(columns) == len(tops):
        return source
    return replace(source, layout=_note(columns, tops, exploded, roles, evidence, fills))


def has_structs(con: DuckDBPyConnection, plain: Plain) -> bool:
    """Whether a Parquet file has objects inside of its cells; False also where it is damaged."""
    try:
        types = con.from_parquet(str(plain.path)).types
    except duckdb.Error:
        return False
    return any(str(type).startswith("STRUCT") for type in types)


def _tree(objects: DuckDBPyRelation, tops: Sequence[JsonColumn], wanted: Sequence[str]) -> Tree:
    arrays: dict[str, tuple[str, tuple[JsonColumn, ...]]] = {}
    columns: list[JsonColumn] = []
    for top in tops:
        columns += _branches(objects, top, wanted, arrays, 1)
    return Tree(tuple(columns), arrays)


def _branches(
    objects: DuckDBPyRelation,
    column: JsonColumn,
    wanted: Sequence[str],
    arrays: dict[str, tuple[str, tuple[JsonColumn, ...]]],
    depth: int,
) -> list[JsonColumn]:
    """The columns that one value gives: itself, or those of the keys in it."""
    kind = _kind(objects, column)
    if kind == "ARRAY OF OBJECT" and column.base == "text":
        element = f"json_extract(text, {literal(column.pointer)})"
        inside = objects.project(f"line, unnest(from_json({element}, '[\"JSON\"]')) AS {ELEMENT}")
        name = f"{column.name}[]"
        keys = keys_at(inside, base=ELEMENT)[: MAX_KEYS + 1]
        inner: list[JsonColumn] = []
        for key in keys if len(keys) <= MAX_KEYS else []:
            part = JsonColumn(f"{name}.{key}", f"/{escaped(key)}", base=ELEMENT)
            inner += _branches(inside, part, wanted, {}, depth + 1)
        arrays[name] = (column.pointer, tuple(inner))
        return [replace(column, is_list=True)]
    if kind != "OBJECT" or depth > DEPTH:
        return [replace(column, is_list=kind.startswith("ARRAY"))]
    keys = keys_at(objects, column.pointer, column.base)
    if len(keys) > MAX_KEYS:
        said = [path for path in wanted if path.startswith(f"{column.name}.")]
        keys = [key for key in keys if f"{column.name}.{key}" in said]
        return [column, *(_child(column, key) for key in keys)]
    found = []
    for key in keys:
        # {"$oid": …} is how MongoDB writes a value that is no text: it is that value.
        child = _child(column, key)
        only = replace(child, name=column.name) if len(keys) == 1 and key[0:1] == "$" else child
        found += _branches(objects, only, wanted, arrays, depth + 1)
    return found or [column]


def _child(column: JsonColumn, key: str) -> JsonColumn:
    pointer = f"{column.pointer}/{escaped(key)}"
    return JsonColumn(f"{column.name}.{key}", pointer, base=column.base)


def _kind(objects: DuckDBPyRelation, column: JsonColumn) -> str:
    """What most of the values that are there are: OBJECT, ARRAY, ARRAY OF OBJECT, or VALUE."""
    base, pointer = column.base, literal(column.pointer)
    first = f"json_type({base}, {literal(column.pointer + '/0')})"
    kinds = objects.limit(LOOK).project(
        f"CASE json_type({base}, {pointer}) WHEN 'OBJECT' THEN 'OBJECT' WHEN 'NULL' THEN NULL"
        f" WHEN 'ARRAY' THEN CASE {first} WHEN 'OBJECT' THEN 'ARRAY OF OBJECT'"
        f" ELSE CASE WHEN {first} IS NULL THEN 'EMPTY' ELSE 'ARRAY' END END"
        f" ELSE CASE WHEN json_type({base}, {pointer}) IS NULL THEN NULL ELSE 'VALUE' END END"
        " AS kind"
    )
    counted = kinds.filter("kind IS NOT NULL").aggregate("kind, count(*) AS n", "kind")
    counts = dict(counted.fetchall())
    empty = counts.pop("EMPTY", 0)
    if not counts:
        return "ARRAY" if empty else "VALUE"
    kind, n = max(counts.items(), key=lambda pair: (pair[1], pair[0]))
    return str(kind) if 2 * n > sum(counts.values()) else "VALUE"


def _filled(objects: DuckDBPyRelation, columns: Sequence[JsonColumn]) -> dict[str, int]:
    """How many of the first objects say something at each column's place."""
    cells = ", ".join(
        f"count(nullif(json_extract_string({c.base}, {literal(c.pointer)}), ''))" for c in columns
    )
    row = objects.limit(LOOK).aggregate(cells).fetchall()[0]
    return {c.name: n for c, n in zip(columns, row, strict=True)}


def _to_explode(objects: DuckDBPyRelation, tree: Tree, wanted: Sequence[str]) -> str | None:
    """The array whose elements are the events: the one that is said, or that alone names items."""
    for path in wanted:
        name = next((a for a in tree.arrays if path.startswith(f"{a}.")), None)
        if name:
            return name
    naming = {
        name: inner
        for name, (_, inner) in tree.arrays.items()
        if any(_rank("item_id", c.name) is not None for c in inner)
    }
    if not naming:
        return None
    fills = _filled(objects, tree.columns)
    outside = [fills[c.name] for c in tree.columns if _rank("item_id", c.name) is not None]
    best = max(naming, key=lambda name: (_elements(objects, tree.arrays[name][0]), name))
    return best if _elements(objects, tree.arrays[best][0]) > max(outside, default=0) else None


def _elements(objects: DuckDBPyRelation, pointer: str) -> int:
    """How many of the first objects have something in this array."""
    some = f"json_array_length(text, {literal(pointer)}) > 0"
    return int(objects.limit(LOOK).filter(some).aggregate("count(*)").fetchall()[0][0])


def _rank(role: str, name: str) -> tuple[int, int] | None:
    """How well a path names a role: by all of it, by its last two keys, by its last; best first."""
    keys = [key for key in name.replace("[]", "").split(".") if key]
    names = (*NAMES[role], *(VISITORS if role == "user_id" else ()))
    forms = [keys, keys[-2:], keys[-1:]]
    if role == "event":
        forms = forms[:2]  # the last key alone, "type", says too little
    if len(keys) > 1 and role == "item_id" and plain_name(keys[-1]) == "id":
        forms.append([keys[-2].rstrip("s"), "id"])  # items[].id
    found = []
    for n, form in enumerate(forms):
        key = plain_name("".join(form))
        if key in names:
            found.append((names.index(key), n))
    return min(found, default=None)


def _roles(
    columns: Sequence[JsonColumn], fills: Mapping[str, int], exploded: str | None
) -> dict[str, str]:
    """The roles that a path says better than a plain key: filled ones come before empty ones."""
    found: dict[str, str] = {}
    for role in ROLES:
        ranked = {c.name: _rank(role, c.name) for c in columns}
        likely = {name: rank for name, rank in ranked.items() if rank is not None and fills[name]}
        if exploded and role == "item_id":
            likely = {n: r for n, r in likely.items() if n.startswith(exploded)} or likely
        most = max((fills[name] for name in likely), default=0)
        likely = {name: rank for name, rank in likely.items() if 2 * fills[name] >= most}
        best = min(likely, key=lambda name: likely[name], default=None)
        key = "value" if role in ("rating", "quantity", "duration") else role
        if best and key not in found and best not in found.values():
            found[key] = best
    # What a plain name says is left to the guess, which knows more of the columns.
    plain_names = [name for names in NAMES.values() for name in names]
    return {
        role: name
        for role, name in found.items()
        if "." in name or plain_name(name) not in plain_names
    }


def _note(
    columns: Sequence[JsonColumn],
    tops: Sequence[JsonColumn],
    exploded: str | None,
    roles: Mapping[str, str],
    evidence: str,
    fills: Mapping[str, int],
) -> LayoutNote:
    said = [evidence] if evidence else []
    paths = [c.name for c in columns if c.name not in {top.name for top in tops}]
    if paths:
        more = f" … ({len(paths):,})" if len(paths) > 6 else ""
        said.append(f"nested keys are columns by their path: {', '.join(paths[:6])}{more}")
    if exploded:
        said.append(f"each element of {exploded} is one event")
    sentence = "; ".join(said) or "JSON objects"
    return LayoutNote(
        NAME,
        f"{sentence} (the plain keys instead: layout=table)",
        roles=dict(roles),
        role_evidence={
            role: f"by its path, filled in {fills[name]:,} of the first {max(fills.values()):,}"
            for role, name in roles.items()
        },
    )
