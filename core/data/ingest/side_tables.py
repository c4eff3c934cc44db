"""What is known of each item and each user: from their own files, else from the log's columns.

One row an id. A file's second row for the same id, or a row without an id, goes to `rejected`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from duckdb import DuckDBPyConnection, DuckDBPyRelation

from core.data.files.sources import Source, unique_names
from core.data.ingest.attribute_types import column_types
from core.data.ingest.keys import Match, find_key, side_id_sql
from core.data.ingest.plan import K, Plan
from core.data.ingest.rejects import insert
from core.data.roles.names import VISITS
from core.data.roles.profiles import unpivoted
from core.data.store import literal, quoted
from core.errors import BadInput

LIKELY = 0.5  # how much better than chance a column must follow from the id, 0 … 1
SAMPLE_CELLS = 5_000_000  # of the log, when looking for what follows from what
FILES = {"item_id": "items.parquet", "user_id": "users.parquet"}


@dataclass(frozen=True)
class Side:
    """A file beside the log: the column with the id, and the columns that describe it."""

    source: Source
    key: str
    columns: tuple[str, ...]
    many: bool = False  # many rows an id, whose texts are put together (tags, reviews)

    def keyed(self, key: str) -> Side:
        """The same file by another column."""
        every = self.source.columns
        columns = [c for c in every if c in self.columns or (c == self.key and not self.many)]
        return (
            self
            if key == self.key
            else replace(self, key=key, columns=tuple(c for c in columns if c != key))
        )


@dataclass(frozen=True)
class Attributes:
    """What was written of items or users."""

    columns: list[str]
    matched: dict[str, float]  # file → the share of the log's items or users that it describes
    advice: list[str]  # a sentence for each file that meets less than half


def write_attributes(
    con: DuckDBPyConnection, sides: Mapping[str, Sequence[Side]], plan: Plan, folder: Path
) -> dict[str, Attributes]:
    """Writes items.parquet and users.parquet; what they hold of "item_id", "user_id".

    Args:
        con: The connection with the table `rejected`.
        sides: The files that describe "item_id" and "user_id".
        plan: How the log was read; ids are read alike.
        folder: Has events.parquet; the files are written here. A table without attributes is not.

    Raises:
        BadInput: a file describes none of the items or users of the log.
    """
    log = con.from_parquet(str(folder / "events.parquet"))
    follows = _following(log, [c for c in plan.context.values() if c in log.columns])
    if plan.value_kind == "price":
        follows["item_id"].append("value")
    return {
        role: _write(con, role, sides[role], plan, log, follows[role], folder / file)
        for role, file in FILES.items()
    }


def _write(
    con: DuckDBPyConnection,
    role: str,
    sides: Sequence[Side],
    plan: Plan,
    log: DuckDBPyRelation,
    follows: Sequence[str],
    path: Path,
) -> Attributes:
    found = [
        find_key(side.source.name, side.source.read(con), side.key, role, plan, log)
        for side in sides
    ]
    matched = {side.source.name: match.share for side, match in zip(sides, found, strict=True)}
    advice = [match.advice for match in found if match.advice]
    for side, match in zip(sides, found, strict=True):
        if not match.share and not side.many:
            raise BadInput(_nothing_met(side, match, log, role))
    sides = [side.keyed(match.key) for side, match in zip(sides, found, strict=True)]
    tables = [
        _from_file(con, side, role, plan, n, match.form)
        for n, (side, match) in enumerate(zip(sides, found, strict=True))
    ]
    if all(side.many for side in sides) and follows:
        tables.append(_from_log(log, role, plan, follows))
    if not tables:
        return Attributes([], matched, advice)
    joined, columns = tables[0], [c for c in tables[0].columns if c != role]
    for table in tables[1:]:
        old = [c for c in table.columns if c != role]
        new = unique_names(old, [role, *columns])
        cells = [f"{quoted(a)} AS {quoted(b)}" for a, b in zip(old, new, strict=True)]
        joined = _outer(joined, table.project(", ".join([role, *cells])), role)
        columns += new
    cells = [role, *map(quoted, columns)]
    joined.project(", ".join(cells)).order(role).write_parquet(str(path))
    return Attributes(columns, matched, advice)


def _nothing_met(side: Side, match: Match, log: DuckDBPyRelation, role: str) -> str:
    """Why a file that describes nothing in the log is refused: another column has the ids."""
    noun = role.removesuffix("_id")
    ids = log.project(role).distinct().order(role).limit(3).fetchall()
    examples = ", ".join(str(ident) for (ident,) in ids)
    return (
        f"{side.source.name} describes no {noun} of the log by its column {match.key!r}; the log "
        f"has {noun}s such as {examples}: call the column of their ids {role}, or leave the file "
        f"out ({match.advice})"
    )


def _outer(left: DuckDBPyRelation, right: DuckDBPyRelation, role: str) -> DuckDBPyRelation:
    return left.set_alias("a").join(right.set_alias("b"), role, how="outer")


def _from_file(
    con: DuckDBPyConnection, side: Side, role: str, plan: Plan, n: int, form: str
) -> DuckDBPyRelation:
    """One row an id; rows without an id, malformed and second ones go to `rejected`."""
    records = side.source.read(con)
    types = dict(zip(records.columns, map(str, records.types), strict=True))
    key = side_id_sql(side.key, types[side.key], role, plan, form)
    names = unique_names(side.columns, [role])
    cells = [f"{quoted(a)} AS {quoted(b)}" for a, b in zip(side.columns, names, strict=True)]
    table = quoted(f" side {role} {n}")  # no column or file of the person's has such a name
    said = f'CAST({quoted(side.key)} AS VARCHAR) AS " said"'
    columns = [f"{key} AS {role}", f"row_number() OVER () - 1 AS {K}", said, *cells]
    records.project(", ".join(columns)).to_table(table)
    rows = con.table(table)
    again = f"({role} IS NOT NULL AND row_number() OVER (PARTITION BY {role} ORDER BY {K}) > 1)"
    marked = rows.project(f'*, {"false" if side.many else again} AS " again"')
    _set_aside(con, side, marked, role, names)
    kept = marked.filter(f'NOT " again" AND {role} IS NOT NULL')
    if side.many:
        return _put_together(kept, role, names)
    casts = column_types(kept, names, plan.mark if plan.mark_said else None)
    return kept.project(", ".join([role, *(f"{casts[c]} AS {quoted(c)}" for c in names)]))


def _set_aside(
    con: DuckDBPyConnection, side: Side, marked: DuckDBPyRelation, role: str, names: Sequence[str]
) -> None:
    noun = role.removesuffix("_id")
    record = ", ".join(f"{literal(c)}: {quoted(c)}" for c in names)
    record = f'{{{literal(side.key)}: " said"{", " * bool(names)}{record}}}'
    key = literal(f"{side.key} ")
    what = f"{key} || coalesce(\" said\", 'nothing') || "
    marked.filter(f'" again" OR {role} IS NULL').project(
        f"{K}, CASE WHEN \" again\" THEN 'duplicate_{noun}' ELSE 'no_{noun}' END AS reason,"
        f" {what} CASE WHEN \" again\" THEN ' was there before'"
        f" ELSE ' is no id of the kind that the log has' END AS detail,"
        f" CAST(to_json({record}) AS VARCHAR) AS record"
    ).to_table("side_bad")
    insert(con, side.source, con.table("side_bad"))
    con.execute("DROP TABLE side_bad")


def _put_together(rows: DuckDBPyRelation, role: str, names: Sequence[str]) -> DuckDBPyRelation:
    """The different texts of each id in one, in the order in which they first appear."""
    found: DuckDBPyRelation | None = None
    for name in names:
        text = f"trim(CAST({quoted(name)} AS VARCHAR))"
        first = rows.filter(f"{role} IS NOT NULL AND {text} <> ''").aggregate(
            f"{role}, {text} AS text, min({K}) AS place", f"{role}, {text}"
        )
        texts = first.aggregate(
            f"{role}, string_agg(text, ', ' ORDER BY place) AS {quoted(name)}", role
        )
        found = texts if found is None else _outer(found, texts, role)
    return rows.project(role).distinct() if found is None else found


def _following(log: DuckDBPyRelation, columns: Sequence[str]) -> dict[str, list[str]]:
    """The columns of the log that follow from the item (brand) and from the user (country)."""
    item, user = (_agreement(log, role, columns) for role in ("item_id", "user_id"))
    return {
        "item_id": [c for c in columns if item[c] >= max(LIKELY, user[c])],
        "user_id": [
            c
            for c in columns
            if user[c] >= LIKELY and user[c] > item[c] and not VISITS.search(c.lower())
        ],
    }


def _agreement(log: DuckDBPyRelation, role: str, columns: Sequence[str]) -> dict[str, float]:
    """How far two events of one id agree in each column beyond any two events: 1 is always.

    The agreement within ids, averaged over them and corrected for chance as Cohen's kappa is.
    """
    if not columns:
        return {}
    pairs = (
        unpivoted(log.limit(SAMPLE_CELLS // len(columns)), columns, f"{role},")
        .project(f"{role} AS id, c, x")
        .filter("x IS NOT NULL")
        .aggregate("id, c, x, count(*) AS n", "id, c, x")
    )
    same = "sum(n * (n - 1)) / (sum(n) * (sum(n) - 1))"  # of pairs of one id's events
    within = pairs.aggregate(f"id, c, {same} AS agreement, sum(n) AS total", "id, c")
    means = within.filter("total > 1").aggregate("c, avg(agreement)", "c").fetchall()
    by_value = pairs.aggregate("c, x, sum(n) AS n", "c, x")
    chance = dict(by_value.aggregate("c, sum(n * n) / pow(sum(n), 2)", "c").fetchall())
    found = dict.fromkeys(columns, 0.0)
    for n, agreement in means:
        if chance[n] < 1:
            found[columns[n]] = (agreement - chance[n]) / (1 - chance[n])
    return found


def _from_log(
    log: DuckDBPyRelation, role: str, plan: Plan, follows: Sequence[str]
) -> DuckDBPyRelation:
    """The latest number of each id (prices change), its most frequent text (some have errors)."""
    titles = [str(plan.mapping["value"]) if c == "value" else c for c in follows]
    names = dict(zip(follows, unique_names(titles, [role]), strict=True))
    types = dict(zip(log.columns, map(str, log.types), strict=True))
    moment = "{'t': timestamp, 's': source_row}" if plan.time else "source_row"
    numbers = [c for c in follows if types[c] != "VARCHAR"]
    latest = [f"arg_max({quoted(c)}, {moment}) AS {quoted(names[c])}" for c in numbers]
    found = log.aggregate(", ".join([role, *latest]), role)
    for c in follows:
        if c not in numbers:
            found = _outer(found, _most_frequent(log, role, c, moment, names[c]), role)
    return found.project(", ".join([role, *(quoted(names[c]) for c in follows)]))


def _most_frequent(
    log: DuckDBPyRelation, role: str, column: str, moment: str, name: str
) -> DuckDBPyRelation:
    x = quoted(column)
    filled = log.filter(f"{x} IS NOT NULL").project(f"{role}, {x} AS x, {moment} AS moment")
    rank = "{'n': count(*), 'latest': max(moment)} AS rank"
    counted = filled.aggregate(f"{role}, x, {rank}", f"{role}, x")
    return counted.aggregate(f"{role}, arg_max(x, rank) AS {quoted(name)}", role)
