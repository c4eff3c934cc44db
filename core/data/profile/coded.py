"""A version's events as small numbers, with what is counted of them: made once, kept beside it.

A filter is answered from these files: `log` has a row per event in the order of events.parquet,
users and items as codes; `days`, `item_members` and `user_members` have the counts without any
filter; `item_facets` and `user_facets` say who has which value of which attribute. They follow from
the version alone, so that what is damaged or of another FORMAT is made again.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from duckdb import DuckDBPyRelation
from pyarrow import parquet

from core.data import store
from core.data.durable import (
    publish,
    read_object,
    sha256_file,
    verify_once,
    write_json_atomically,
)
from core.data.features.encode import labels_of_texts
from core.data.limits import writing
from core.data.log import Connection, open_log
from core.data.profile.filters import (
    BANDS,
    DAY_S,
    HISTORY,
    ITEM,
    OF_HISTORY,
    OF_LOG,
    USER,
    Facet,
    Filter,
    band_names,
    parse_terms,
)
from core.data.read_only import is_read_only
from core.data.store import DatasetInfo, quoted
from core.errors import BadInput, Corrupt
from core.types import Array, Ints, Progress, silent

FOLDER = "profile"  # in that of the version
FORMAT = 1  # of what is kept: another one is made again
TABLES = ("log", "days", "item_members", "user_members", "item_facets", "user_facets")
BLOCK = 1_000_000  # rows that are coded at a time, and of a row group
COLD = 5  # with fewer earlier events an item or a user is new to models
HOUR_S = 3600
PERIODS = 300  # at most so many hours, before days are counted instead; of an order, at most
MOST_VALUES = 1000  # of an attribute that is a facet
MOST_NUMBERS = 60  # the same where its values are whole numbers
MOST_TEXTS = 20_000  # that differ, in a column that is looked through for labels
NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True, eq=False)
class CodedLog:
    """What is kept of a version to answer filters."""

    info: DatasetInfo
    folder: Path
    origin: int  # where the first period begins: Unix seconds, or an order number
    width: int  # of a period, in the same unit
    periods: int  # from the first to the last
    facets: tuple[Facet, ...]
    kinds: tuple[tuple[str, ...], tuple[str, ...]]  # of events and of platforms; code 0 is none

    def connect(self) -> Connection:
        """A connection with a view for each of TABLES."""
        con = store.connect()
        for name in TABLES:
            numbered = name == "log"
            path = str(self.folder / f"{name}.parquet")
            con.from_parquet(path, file_row_number=numbered).create_view(name)
        return con

    def has_borders(self, wanted: Filter) -> bool:
        """Whether the filter's time begins and ends where periods do."""
        ends = (wanted.since, wanted.until)
        return all(end is None or (end - self.origin) % self.width == 0 for end in ends)

    def parse(self, terms: Sequence[str]) -> Filter:
        """The filter of these terms.

        Raises:
            BadInput: a term that cannot be read, or of a value that the log does not have.
        """
        wanted = parse_terms(terms, self.facets, self.info.time_kind)
        con = self.connect() if wanted.choices else None
        for choice in wanted.choices:
            known = set(self._values(con, choice.facet))
            for value in choice.values:
                if value not in known:
                    some = ", ".join(sorted(known)[:10])
                    raise BadInput(
                        f"no event has {choice.facet.term}={value}: there are {some}"
                        f"{', …' if len(known) > 10 else ''}"
                    )
        return wanted

    def _values(self, con: Connection | None, facet: Facet) -> list[str]:
        if facet in OF_LOG:
            return list(self.kinds[OF_LOG.index(facet)])
        if facet == OF_HISTORY:
            return band_names()
        assert con is not None, "there is a choice, and so a connection"
        rows = con.execute(
            f"SELECT DISTINCT value FROM {facet.side}_facets WHERE facet = $facet",  # noqa: S608 item or user
            {"facet": facet.column},
        ).fetchall()
        return [value for (value,) in rows]


def open_coded(info: DatasetInfo, progress: Progress = silent) -> CodedLog:
    """What is kept of the version; made where it is missing.

    Where the workspace may only be looked at, it lies in the system's folder for such.

    Args:
        info: The version.
        progress: Told the share done, 0 … 1.
    """
    final = info.folder / FOLDER
    if kept := _read(info, final):
        return kept
    if is_read_only(info.folder):
        elsewhere = Path(tempfile.mkdtemp(prefix="recscope-"))
        coded = _make(info, elsewhere, progress)
        weakref.finalize(coded, shutil.rmtree, elsewhere, ignore_errors=True)
        return coded
    temporary = info.folder / f".{FOLDER}.{os.getpid()}.{uuid4().hex[:8]}"
    with writing(final):
        temporary.mkdir()
    try:
        _make(info, temporary, progress)
        shutil.rmtree(final, ignore_errors=True)
        publish(temporary, final)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    made = _read(info, final)
    if made is None:
        raise Corrupt(f"{final} cannot be read again: check the disk")
    return made


def _read(info: DatasetInfo, folder: Path) -> CodedLog | None:
    """What is kept, if it is whole and of this FORMAT."""
    try:
        said = read_object(folder / "profile.json")
        if said is None or said.get("format") != FORMAT:
            return None
        for name in TABLES:
            path = folder / f"{name}.parquet"
            verify_once(path, said["sha256"][path.name], f"the profile of {info.name}", "")
    except (Corrupt, KeyError):
        return None
    return _coded(info, folder, said)


def _coded(info: DatasetInfo, folder: Path, said: dict[str, Any]) -> CodedLog:
    facets = tuple(Facet(*facet) for facet in said["facets"])
    events, platforms = said["kinds"]
    kinds = (tuple(events), tuple(platforms))
    span = (said["origin"], said["width"], said["periods"])
    return CodedLog(info, folder, *span, facets, kinds)


def _make(info: DatasetInfo, folder: Path, progress: Progress) -> CodedLog:
    """Fills the folder."""
    progress("count", 0.0)
    con = open_log(info, temp_directory=folder / "spill")
    with writing(folder):
        for side in (USER, ITEM):
            _count_members(con, side, folder)
        kinds = (_kinds(con, "event"), _kinds(con, "platform"))
        origin, width, periods = _periods(con, info.time_kind)
        _write_log(con, info, kinds, (origin, width), folder / "log.parquet", progress)
        facets = [facet for facet, names in zip(OF_LOG, kinds, strict=True) if len(names) > 1]
        for side in (ITEM, USER):
            facets += _write_facets(con, info, side, folder)
        days = count_days(con, con.from_parquet(str(folder / "log.parquet")))
        days.write_parquet(str(folder / "days.parquet"), compression="zstd")
        con.close()
        shutil.rmtree(folder / "spill", ignore_errors=True)
        said = {
            "format": FORMAT,
            "origin": origin,
            "width": width,
            "periods": periods,
            "facets": [[facet.side, facet.column] for facet in facets],
            "kinds": kinds,
            "sha256": {path.name: sha256_file(path) for path in sorted(folder.glob("*.parquet"))},
        }
        write_json_atomically(folder / "profile.json", said)
    return _coded(info, folder, said)


def _count_members(con: Connection, side: str, folder: Path) -> None:
    """Who there is in order of ids, code by code: id, events, the time of the COLD-th event."""
    con.execute(
        f"""
        CREATE TABLE {side}_members AS
        SELECT (row_number() OVER (ORDER BY id) - 1)::UINTEGER AS member, id, events, settled
        FROM (
            SELECT {side}_id AS id, count(*) AS events, min(time, {COLD})[{COLD}] AS settled
            FROM log GROUP BY {side}_id
        ) ORDER BY id
        """  # noqa: S608 user or item, and a number of ours
    )
    members = con.table(f"{side}_members").project("member, id, events")
    members.write_parquet(str(folder / f"{side}_members.parquet"), compression="zstd")


def _kinds(con: Connection, column: str) -> list[str]:
    """The names of the kinds or platforms; [] if they are too many to be kinds of anything."""
    rows = con.table("log").project(column).distinct().order(column).fetchall()
    names = [str(name) for (name,) in rows if name is not None]
    return names if len(names) <= MOST_VALUES else []


def _periods(con: Connection, time_kind: str) -> tuple[int, int, int]:
    """Where the first period begins, how long each is, and how many there are."""
    first, last = con.execute("SELECT min(time), max(time) FROM log").fetchall()[0]
    if first is None:
        return 0, 1, 0
    if time_kind == "order":
        width, origin = -(-(last - first + 1) // PERIODS), first
    else:
        width = HOUR_S if last - first <= PERIODS * HOUR_S else DAY_S
        origin = first // width * width
    return origin, width, (last - origin) // width + 1


_SCHEMA = pa.schema(
    [
        ("user_code", pa.uint32()),
        ("item_code", pa.uint32()),
        ("time", pa.int64()),
        ("period", pa.uint32()),
        ("event", pa.uint16()),
        ("platform", pa.uint16()),
        ("cold_item", pa.bool_()),
        ("cold_user", pa.bool_()),
    ]
)
# Codes are read whole by each filter, which takes twice as long where they are compressed besides.
_COMPRESSION = {name: "zstd" if name == "time" else "none" for name in _SCHEMA.names}
_CODES = ["user_code", "item_code", "period", "event", "platform"]


def _write_log(
    con: Connection,
    info: DatasetInfo,
    kinds: tuple[list[str], list[str]],
    span: tuple[int, int],
    out: Path,
    progress: Progress,
) -> None:
    """The events in their order, block by block: as much memory for any log."""
    ids, settled = {}, {}
    for side in (USER, ITEM):
        table = con.table(f"{side}_members").order("member").to_arrow_table()
        ids[side] = table["id"].combine_chunks()
        settled[side] = table["settled"].fill_null(NEVER).to_numpy()
    names = [pa.array(each, pa.string()) for each in kinds]
    rows = con.sql("SELECT user_id, item_id, time, event, platform FROM log")
    done, total = 0, max(1, info.counts["rows_kept"])
    with parquet.ParquetWriter(
        out, _SCHEMA, compression=_COMPRESSION, use_dictionary=_CODES
    ) as writer:
        for block in rows.to_arrow_reader(BLOCK):
            users, items = _codes(block["user_id"], ids[USER]), _codes(block["item_id"], ids[ITEM])
            clock = block["time"].fill_null(NEVER).to_numpy()
            undated = block["time"].is_null().to_numpy(zero_copy_only=False)
            periods = np.where(undated, 0, (clock - span[0]) // span[1])
            columns = [
                pa.array(users.astype(np.uint32)),
                pa.array(items.astype(np.uint32)),
                block["time"],
                pa.array(periods.astype(np.uint32), mask=undated),
                pa.array((_codes(block["event"], names[0]) + 1).astype(np.uint16)),
                pa.array((_codes(block["platform"], names[1]) + 1).astype(np.uint16)),
                pa.array(clock <= settled[ITEM][items]),
                pa.array(clock <= settled[USER][users]),
            ]
            writer.write_batch(pa.record_batch(columns, schema=_SCHEMA), row_group_size=BLOCK)
            done += len(block)
            progress("count", done / total)


def _codes(values: Any, known: Any) -> Ints:
    """The code of each value (E,), -1 for none."""
    codes: Array = pc.index_in(values, value_set=known).fill_null(-1).to_numpy(zero_copy_only=False)
    return codes.astype(np.int64)


def _write_facets(con: Connection, info: DatasetInfo, side: str, folder: Path) -> list[Facet]:
    """The attributes by which items or users can be chosen; who has which value goes to a file."""
    con.execute(f"CREATE TABLE {side}_facets (facet VARCHAR, member UINTEGER, value VARCHAR)")
    facets = []
    if info.path(f"{side}s"):
        table = con.table(f"{side}s")
        for column, kind in zip(table.columns, map(str, table.types), strict=True):
            if column not in (f"{side}_id", HISTORY) and _may_be_facet(kind):
                facets += _add_facet(con, side, column, kind)
    if side == USER:
        _add_bands(con)
        facets.append(OF_HISTORY)
    rows = con.table(f"{side}_facets").order("facet, value, member")
    rows.write_parquet(str(folder / f"{side}_facets.parquet"), compression="zstd")
    return facets


def _may_be_facet(kind: str) -> bool:
    return kind in ("VARCHAR", "VARCHAR[]", "BOOLEAN") or kind.endswith("INT")  # also BIGINT


def cut_labels(con: Connection, view: str) -> bool:
    """Whether the texts `value` of a view are lists of labels ("Drama|War"), as models read them.

    Then `cut_labels` has a row for each of the labels, else as the view.
    """
    texts = con.table(view).filter("value IS NOT NULL").aggregate("value, count(*) AS n", "value")
    rows = texts.order("value").limit(MOST_TEXTS + 1).fetchall()
    if len(rows) > MOST_TEXTS:
        return False
    labels = labels_of_texts([text for text, _ in rows], sum(n for _, n in rows))
    if labels is None:
        return False
    pairs = [(text, label) for text, own in labels.items() for label in dict.fromkeys(own)]
    columns = {"text": [text for text, _ in pairs], "label": [label for _, label in pairs]}
    con.register("labels", pa.table(columns, schema=_LABELS))
    cut = (
        con.table(view)
        .set_alias("texts")
        .join(con.table("labels").set_alias("labels"), "texts.value = labels.text")
    )
    kept = cut.project("* EXCLUDE (value, text, label), label AS value")
    kept.create_view("cut_labels", replace=True)
    return True


_LABELS = pa.schema([("text", pa.string()), ("label", pa.string())])


def _add_facet(con: Connection, side: str, column: str, kind: str) -> list[Facet]:
    """The attribute as a facet, if its values are few and each is of several."""
    value = f"unnest({quoted(column)})" if kind.endswith("[]") else f"{quoted(column)}::VARCHAR"
    values = con.table(f"{side}s").project(f"{side}_id AS id, {value} AS value")
    values.create_view("attribute", replace=True)
    cut = kind == "VARCHAR" and cut_labels(con, "attribute")
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE candidate AS
        SELECT DISTINCT member, value
        FROM {"cut_labels" if cut else "attribute"} JOIN {side}_members USING (id)
        WHERE value IS NOT NULL AND value <> ''
        """  # noqa: S608 item or user, and views of ours
    )
    n_values, rows = con.execute(
        "SELECT count(DISTINCT value), count(*) FROM candidate"
    ).fetchall()[0]
    most = MOST_NUMBERS if kind.endswith("INT") else MOST_VALUES
    if not (2 <= n_values <= most and rows >= 2 * n_values):
        return []
    con.execute(
        f"INSERT INTO {side}_facets SELECT $facet, member, value FROM candidate",  # noqa: S608 item or user
        {"facet": column},
    )
    return [Facet(side, column)]


def _add_bands(con: Connection) -> None:
    """Each user's band of OF_HISTORY."""
    con.execute(
        """
        INSERT INTO user_facets
        SELECT $facet, member, $names[len(list_filter($bands, lambda b: b <= events))]
        FROM user_members
        """,
        {"facet": HISTORY, "names": band_names(), "bands": list(BANDS)},
    )


def count_days(con: Connection, rows: DuckDBPyRelation) -> DuckDBPyRelation:
    """Events by period, kind and platform, and how many are with new items and by new users."""
    rows.create_view("rows_of_days", replace=True)
    return con.sql(
        """
        SELECT period::BIGINT AS period, event, platform, count(*) AS events,
               count(*) FILTER (cold_item) AS cold_items, count(*) FILTER (cold_user) AS cold_users
        FROM rows_of_days GROUP BY ALL
        """
    )
