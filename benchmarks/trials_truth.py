"""What is in each file of the trials, derived a second time: one dumb reading a file, by hand.

Nothing of the product is used here. A truth is the list of events (user, item, seconds since 1970
or an order or None, value or None); where a user would be served as well by another reading, or by
one sentence, both are named.
"""

from __future__ import annotations

import ast
import csv
import gzip
import json
from calendar import timegm
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import python_calamine

Event = tuple[str, str, float | None, float | None]
Truth = Callable[[Path], Iterable[Event]]
MISSING = {"", "NA", "N/A", "#N/A", "(not set)", "undefined", "NULL"}


@dataclass(frozen=True)
class Trial:
    """Files given together, and what is right."""

    folder: str
    files: tuple[str, ...]
    truths: tuple[Truth, ...]  # any of them
    rejected: int | None = 0  # None: not said
    refused: bool = False  # one sentence is right as well
    options: tuple[str, ...] = ()
    met: dict[str, float] = field(default_factory=dict)  # side table → share of ids at least
    step: float = 0.001  # seconds to which times must agree; values are compared where known

    @property
    def name(self) -> str:
        return " ".join([f"{self.folder}/{'+'.join(self.files)}", *self.options])


def seconds(text: str, form: str, zone: str = "UTC") -> float:
    return datetime.strptime(text, form).replace(tzinfo=ZoneInfo(zone)).timestamp()


def iso(text: str) -> float:
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def parquet(path: Path) -> Iterator[Any]:
    frame: Any = pd.read_parquet(path)
    return iter(frame.itertuples())


def rows(
    path: Path, delimiter: str = ",", encoding: str = "utf-8-sig", **how: Any
) -> list[list[str]]:
    with path.open(encoding=encoding, newline="") as file:
        return [row for row in csv.reader(file, delimiter=delimiter, **how) if row]


def unquoted(path: Path, delimiter: str) -> list[list[str]]:
    return [x.split(delimiter) for x in path.read_text(encoding="utf-8-sig").splitlines() if x]


def table(
    name: str, user: int, item: int, time: Any = None, value: Any = None, **how: Any
) -> Truth:
    """A headed CSV: the columns by number; `time` and `value` as functions of the row."""

    def read(folder: Path) -> Iterator[Event]:
        for row in rows(folder / name, **how)[1:]:
            yield row[user], row[item], time and time(row), value and value(row)

    return read


def number(text: str) -> float:
    return float(text)


def german(text: str) -> float:
    return float(text.replace(".", "").replace(",", "."))


def unix(place: int) -> Callable[[list[str]], float]:
    return lambda row: float(row[place])


def of(place: int, read: Callable[[str], float] = number) -> Callable[[list[str]], float]:
    return lambda row: read(row[place])


def sales_de(value: int) -> Truth:
    when = of(2, lambda x: seconds(x, "%d.%m.%Y %H:%M"))
    return table("umsatz.csv", 0, 1, when, of(value, german), delimiter=";")


def ratings_or_one_short(folder: Path, name: str) -> Iterator[Event]:
    for row in rows(folder / name)[1:]:
        if len(row) == 5 and row[0] and row[4].isdigit():
            yield row[0], row[1], float(row[4]), float(row[2])


def lastfm(name: str) -> Truth:
    def read(folder: Path) -> Iterator[Event]:
        for user, item, _, plays in unquoted(folder / name, "\t"):
            yield user, item, None, float(plays)

    return read


def headed_stray(name: str, kept: bool) -> Truth:
    def read(folder: Path) -> Iterator[Event]:
        for row in unquoted(folder / name, ",")[1:]:
            if kept or '"' not in row[3]:
                yield row[0], row[1], float(row[4]), float(row[2])

    return read


def amazon(key: str) -> Truth:
    def read(folder: Path) -> Iterator[Event]:
        for line in (folder / "reviews.jsonl").read_text().splitlines():
            one = json.loads(line)
            yield one["user_id"], one[key], one["timestamp"] / 1000, one["rating"]

    return read


def baskets(folder: Path) -> Iterator[Event]:
    for n, line in enumerate((folder / "groceries.csv").read_text().splitlines()):
        for item in line.split(","):
            yield str(n), item, None, None


def crossing(folder: Path) -> Iterator[Event]:
    for row in rows(folder / "BX-Book-Ratings.csv", ";", "latin-1")[1:]:
        yield row[0], row[1], None, float(row[2])


def pos_log(folder: Path) -> Iterator[Event]:
    for user, item, day, clock in rows(folder / "pos_log.csv")[1:]:
        clock = clock.zfill(4)
        yield user, item, seconds(f"{day} {clock}", "%Y-%m-%d %H%M"), None


def headless(
    name: str,
    delimiter: str,
    user: int,
    item: int,
    time: Any = None,
    value: Any = None,
    encoding: str = "utf-8",
) -> Truth:
    def read(folder: Path) -> Iterator[Event]:
        for line in (folder / name).read_text(encoding=encoding).splitlines():
            row = line.split(delimiter)
            yield row[user], row[item], time and time(row), value and value(row)

    return read


def dot_zero(folder: Path) -> Iterator[Event]:
    for user, item, ts in rows(folder / "log.csv")[1:]:
        if user:
            yield user.removesuffix(".0"), item.removesuffix(".0"), float(ts), None


def dot_zero_as_it_is(folder: Path) -> Iterator[Event]:
    for user, item, ts in rows(folder / "log.csv")[1:]:
        if user:
            yield user.removesuffix(".0"), item, float(ts), None


def dst(folder: Path) -> Iterator[Event]:
    for user, item, text in rows(folder / "log.csv")[1:]:
        clock, zone = text.rsplit(" ", 1)
        yield user, item, seconds(clock, "%Y-%m-%d %H:%M:%S", zone), None


def excel_serial(value: float) -> float:
    day = datetime(1899, 12, 30, tzinfo=UTC) + timedelta(days=value)
    return day.timestamp()


def sheet(name: str, which: str, skip: int, total: bool) -> Truth:
    def read(folder: Path) -> Iterator[Event]:
        book = python_calamine.CalamineWorkbook.from_path(str(folder / name))
        found: list[Any] = book.get_sheet_by_name(which).to_python()[skip:]
        for row in found[:-1] if total else found:
            when = row[2]
            if not isinstance(when, float):  # a day without a time of day is no datetime
                stamp = float(timegm(when.timetuple()))
            else:
                stamp = excel_serial(when)
            yield str(int(row[0])), row[1], stamp, float(row[3])

    return read


def ga4(one_an_item: bool) -> Truth:
    def read(folder: Path) -> Iterator[Event]:
        for line in (folder / "events_20240301.json").read_text().splitlines():
            one = json.loads(line)
            for item in one["items"]:
                yield (
                    one["user_pseudo_id"],
                    item["item_id"],
                    int(one["event_timestamp"]) / 1e6,
                    None,
                )

    return read


def gzipped(folder: Path) -> Iterator[Event]:
    with gzip.open(folder / "log.csv.gz", "rt") as file:
        for row in list(csv.reader(file))[1:]:
            yield row[0], row[1], float(row[2]), None


def instacart(folder: Path) -> Iterator[Event]:
    person = {row[0]: row[1] for row in rows(folder / "orders.csv")[1:]}
    for row in rows(folder / "order_products__prior.csv")[1:]:
        yield person[row[0]], row[1], None, None


def stripped(folder: Path) -> Iterator[Event]:
    for user, item, ts in rows(folder / "log.csv")[1:]:
        yield user.strip(" \t\xa0\u3000\ufeff"), item.strip(" \t\xa0\u3000\ufeff"), float(ts), None


def plays(folder: Path) -> Iterator[Event]:
    for line in (folder / "plays.jsonl").read_text().splitlines():
        one = json.loads(line)
        yield str(one["user_id"]), str(one["item_id"]), one["ts"], None


def wrapped(folder: Path) -> Iterator[Event]:
    for one in json.loads((folder / "export.json").read_text())["events"]:
        yield str(one["user_id"]), str(one["item_id"]), iso(one["created_at"]), None


def konect(folder: Path) -> Iterator[Event]:
    for line in (folder / "out.toy-ratings").read_text().splitlines():
        if not line.startswith("%"):
            user, item, weight, ts = line.split()
            yield user, item, float(ts), float(weight)


def matrix_market(user: int, item: int) -> Truth:
    def read(folder: Path) -> Iterator[Event]:
        lines = (folder / "ratings.mtx").read_text().splitlines()
        for line in [x for x in lines if not x.startswith("%")][1:]:
            cells = line.split()
            yield cells[user], cells[item], None, float(cells[2])

    return read


def adjacency(folder: Path) -> Iterator[Event]:
    for line in (folder / "train.txt").read_text().splitlines():
        user, *items = line.split()
        for item in items:
            yield user, item, None, None


def list_in_cell(folder: Path) -> Iterator[Event]:
    for user, items, ts in rows(folder / "sequences.csv")[1:]:
        for item in items.split():
            yield user, item, float(ts), None


def parquet_lists(folder: Path) -> Iterator[Event]:
    for one in parquet(folder / "sequences.parquet"):
        for item, ts in zip(one.item_ids, one.timestamps, strict=True):
            yield str(one.user_id), str(item), float(ts), None


def visits(folder: Path) -> Iterator[Event]:
    for user, item, ts in rows(folder / "visits.csv")[1:]:
        if user not in MISSING:
            yield user, item, float(ts), None


def mixed_epoch(name: str) -> Truth:
    def read(folder: Path) -> Iterator[Event]:
        for user, item, _, ts in rows(folder / name)[1:]:
            yield user, item, float(ts) / (1000 if len(ts) == 13 else 1), None

    return read


def netflix(folder: Path) -> Iterator[Event]:
    item = ""
    for line in (folder / "combined_data_1.txt").read_text().splitlines():
        if line.endswith(":"):
            item = line[:-1]
        elif line:
            user, rating, day = line.split(",")
            yield user, item, iso(day), float(rating)


def objects(folder: Path) -> Iterator[Event]:
    for one in json.loads((folder / "events.json").read_text()):
        yield str(one["user"]["id"]), str(one["item"]["id"]), one["time"], None


def odd_ids(folder: Path) -> Iterator[Event]:
    with (folder / "export.csv").open(encoding="utf-8-sig", newline="") as file:
        file.readline()
        for row in list(csv.reader(file, delimiter=";"))[1:]:
            yield row[0], row[1], float(row[2]), None


def padded(folder: Path) -> Iterator[Event]:
    for line in (folder / "log.txt").read_text().splitlines()[1:]:
        user, item, rating, ts = line.split()
        yield user, item, float(ts), float(rating)


def typed(folder: Path) -> Iterator[Event]:
    for one in parquet(folder / "events.parquet"):
        yield str(one.user_id), str(one.item_id), one.ts.tz_localize("UTC").timestamp(), None


def preamble(folder: Path) -> Iterator[Event]:
    for row in rows(folder / "export.csv"):
        if len(row) == 4 and row[0].isdigit():
            yield row[0], row[1], iso(row[2]), float(row[3])


def recbole(folder: Path) -> Iterator[Event]:
    for row in unquoted(folder / "toy.inter", "\t")[1:]:
        yield row[0], row[1], float(row[3]), float(row[2])


def repeated(folder: Path) -> Iterator[Event]:
    for row in rows(folder / "all_months.csv"):
        if row[0] != "user_id":
            yield row[0], row[1], None, None


def reordered(folder: Path) -> Iterator[Event]:
    names: list[str] = []
    for row in rows(folder / "reordered.csv"):
        if "user_id" in row:
            names = row
        else:
            one = dict(zip(names, row, strict=True))
            yield one["user_id"], one["item_id"], None, float(one["qty"])


def segment(folder: Path) -> Iterator[Event]:
    for line in (folder / "track.jsonl").read_text().splitlines():
        one = json.loads(line)
        yield one["userId"], one["properties"]["product_id"], iso(one["timestamp"]), None


def shopify(name: str) -> Truth:
    def read(folder: Path) -> Iterator[Event]:
        people: dict[str, tuple[str, str]] = {}
        for row in rows(folder / name)[1:]:
            if row[1]:
                people[row[0]] = row[1], row[3]
            person, when = people[row[0]]
            yield person, row[7], datetime.strptime(when, "%Y-%m-%d %H:%M:%S %z").timestamp(), None

    return read


def blocks(folder: Path) -> Iterator[Event]:
    one: dict[str, str] = {}
    for line in [*(folder / "movies.txt").read_text(encoding="latin-1").splitlines(), ""]:
        if ": " in line:
            key, value = line.split(": ", 1)
            one[key] = value
        elif not line and one:
            yield (
                *(one["review/userId"], one["product/productId"]),
                *(float(one["review/time"]), float(one["review/score"])),
            )
            one = {}


def binary(folder: Path) -> Iterator[Event]:
    for one in parquet(folder / "part-00000.snappy.parquet"):
        value = None if pd.isna(one.rating) else float(one.rating)
        yield one.user_id.decode(), one.item_id.decode(), one.ts.timestamp(), value


def steam(folder: Path) -> Iterator[Event]:
    for line in (folder / "steam_reviews.json").read_text(encoding="utf-8").splitlines():
        one = ast.literal_eval(line)
        yield one["username"], one["product_id"], iso(one["date"]), None


def two_dates(folder: Path) -> Iterator[Event]:
    for user, item, day in rows(folder / "old.csv")[1:]:
        yield user, item, seconds(day, "%d/%m/%Y"), None
    for user, item, day in rows(folder / "new.csv")[1:]:
        yield user, item, iso(day), None


def two_types(folder: Path) -> Iterator[Event]:
    for name in ("2023.parquet", "2024.parquet"):
        for one in parquet(folder / name):
            day = one.date.isoformat() if isinstance(one.date, date) else one.date
            yield str(one.user_id), str(one.item_id), iso(day), None


def wide(name: str, zeros: bool, prefix: str = "") -> Truth:
    def read(folder: Path) -> Iterator[Event]:
        head, *below = rows(folder / name)
        for row in below:
            for item, cell in zip(head[1:], row[1:], strict=True):
                if cell not in ("", "0") or (zeros and cell):
                    yield row[0], item.removeprefix(prefix), None, float(cell)

    return read


def plain_quotes(folder: Path) -> Iterator[Event]:
    return ratings_or_one_short(folder, "plain.csv")


def short_row(folder: Path) -> Iterator[Event]:
    return ratings_or_one_short(folder, "with_short_row.csv")


LASTFM = (
    "at_1",
    "at_2",
    "at_3",
    "at_10",
    "first_line",
    "inner_quote",
    "rare_balanced",
    "rare_open_once",
    "rare_open_twice",
    "usersha1-artmbid-artname-plays",
)
BX = ("BX-Book-Ratings.csv", "BX-Books.csv", "BX-Users.csv")
GO = {"item_id": 0.5}
TRIALS: tuple[Trial, ...] = (
    Trial("quote_then_bad", ("plain.csv",), (plain_quotes,), 5),
    Trial("quote_then_bad", ("with_short_row.csv",), (short_row,), 6),
    *(Trial("lastfm_quotes", (f"{name}.tsv",), (lastfm(f"{name}.tsv"),)) for name in LASTFM),
    *(
        Trial("lastfm_quotes", (name,), (headed_stray(name, True), headed_stray(name, False)), None)
        for name in ("headed_stray.csv", "headed_stray_first.csv")
    ),
    Trial("date_and_time", ("pos_log.csv",), (pos_log,)),
    Trial("date_and_time", ("pos_log.csv",), (pos_log,), options=("--map", "timestamp=date+time")),
    Trial("mixed_epoch", ("events.csv",), (mixed_epoch("events.csv"),)),
    Trial(
        "mixed_epoch", ("events_mostly_seconds.csv",), (mixed_epoch("events_mostly_seconds.csv"),)
    ),
    Trial("two_files_types", ("2023.parquet", "2024.parquet"), (two_types,)),
    Trial("two_files_types", ("2024.parquet", "2023.parquet"), (two_types,)),
    Trial("two_files_dates", ("new.csv", "old.csv"), (two_dates,)),
    Trial("two_files_dates", ("old.csv", "new.csv"), (two_dates,)),
    Trial("missing_tokens", ("visits.csv",), (visits,), 16),
    Trial("lightgcn_lists", ("train.txt",), (adjacency,)),
    Trial("list_in_cell", ("sequences.csv",), (list_in_cell,), refused=True),
    Trial("parquet_lists", ("sequences.parquet",), (parquet_lists,), refused=True),
    Trial("basket_names", ("groceries.csv",), (baskets,), refused=True),
    Trial(
        "wide_matrix",
        ("ratings_wide.csv",),
        (wide("ratings_wide.csv", False), wide("ratings_wide.csv", False, "item_")),
        refused=True,
    ),
    Trial(
        "wide_matrix",
        ("ratings_wide_numbers.csv",),
        (wide("ratings_wide_numbers.csv", False), wide("ratings_wide_numbers.csv", True)),
        refused=True,
    ),
    Trial(
        "wide_matrix",
        ("ratings_wide_titles.csv",),
        (wide("ratings_wide_titles.csv", False),),
        refused=True,
    ),
    Trial("object_user_item", ("events.json",), (objects,)),
    Trial("segment_nested", ("track.jsonl",), (segment,)),
    Trial(
        "segment_nested",
        ("track.jsonl",),
        (segment,),
        options=("--map", "item_id=properties.product_id"),
    ),
    Trial("ga4_bigquery", ("events_20240301.json",), (ga4(True),)),
    Trial("recbole_inter", ("toy.inter", "toy.item"), (recbole,), met=GO),
    Trial(
        "german_excel",
        ("ratings_de.csv",),
        (
            table(
                "ratings_de.csv",
                0,
                1,
                of(3, lambda x: seconds(x, "%d.%m.%Y")),
                of(2, german),
                delimiter=";",
            ),
        ),
    ),
    Trial("german_excel", ("umsatz.csv",), (sales_de(3), sales_de(4)), refused=True),
    Trial(
        "german_excel",
        ("umsatz.csv",),
        (sales_de(4),),
        options=(
            "--map",
            "user_id=Kunde-Nr",
            "--map",
            "item_id=Artikel-Nr",
            "--map",
            "timestamp=Datum",
            "--map",
            "value=Preis",
        ),
    ),
    Trial(
        "thousands",
        ("bulk_orders.csv",),
        (
            table("bulk_orders.csv", 0, 1, of(2, iso), of(3, lambda x: float(x.replace(",", "")))),
            table("bulk_orders.csv", 0, 1, of(2, iso), of(4)),
        ),
    ),
    Trial(
        "thousands",
        ("bulk_orders.csv",),
        (table("bulk_orders.csv", 0, 1, of(2, iso), of(3, lambda x: float(x.replace(",", "")))),),
        options=("--map", "value=quantity"),
    ),
    Trial(
        "delimiter_tie",
        ("ratings_de_nohead.csv",),
        (headless("ratings_de_nohead.csv", ";", 0, 1, unix(3), of(2, german)),),
    ),
    Trial("delimiter_tie", ("venues.tsv",), (headless("venues.tsv", "\t", 0, 1, unix(3)),)),
    Trial(
        "delimiter_tie",
        ("venues_head.tsv",),
        (table("venues_head.tsv", 0, 1, unix(3), delimiter="\t"),),
    ),
    Trial("repeated_header", ("all_months.csv",), (repeated,)),
    Trial("repeated_header", ("reordered.csv",), (reordered,)),
    Trial("dot_zero", ("log.csv", "items.csv"), (dot_zero, dot_zero_as_it_is), 5, met=GO),
    Trial(
        "amazon_parent",
        ("reviews.jsonl", "meta.jsonl"),
        (amazon("asin"), amazon("parent_asin")),
        met=GO,
    ),
    Trial("spark_binary", ("part-00000.snappy.parquet",), (binary,)),
    Trial("book_crossing", BX, (crossing,), None, met={"item_id": 0.5, "user_id": 0.5}),
    Trial(
        "yoochoose",
        ("yoochoose-clicks.dat",),
        (headless("yoochoose-clicks.dat", ",", 0, 2, of(1, iso)),),
    ),
    Trial(
        "instacart",
        ("order_products__prior.csv", "orders.csv", "products.csv"),
        (instacart,),
        refused=True,
    ),
    Trial("snap_blocks", ("movies.txt",), (blocks,), refused=True),
    Trial("steam_literals", ("steam_reviews.json",), (steam,), refused=True),
    Trial("json_wrapped", ("export.json",), (wrapped,), refused=True),
    Trial("netflix_headers", ("combined_data_1.txt",), (netflix,), refused=True),
    Trial("preamble_total", ("export.csv",), (preamble,), None, refused=True),
    Trial(
        "excel_report",
        ("report.xlsx",),
        (sheet("report.xlsx", "Report", 4, True),),
        None,
        refused=True,
    ),
    Trial(
        "excel_report",
        ("two_sheets.xlsx",),
        (sheet("two_sheets.xlsx", "Data", 1, False),),
        refused=True,
    ),
    Trial(
        "excel_report",
        ("serial_dates.csv",),
        (table("serial_dates.csv", 0, 1, of(2, lambda x: excel_serial(float(x))), of(3)),),
        step=10.0,  # four decimals of a day are nine seconds
    ),
    Trial("konect", ("out.toy-ratings",), (konect,), refused=True),
    Trial("konect", ("ratings.mtx",), (matrix_market(0, 1), matrix_market(1, 0)), refused=True),
    Trial("padded_spaces", ("log.txt",), (padded,), refused=True),
    Trial("shopify_orders", ("orders_export.csv",), (shopify("orders_export.csv"),), refused=True),
    Trial(
        "shopify_orders",
        ("orders_export_blank.csv",),
        (shopify("orders_export_blank.csv"),),
        refused=True,
    ),
    Trial("anime_minus1", ("rating.csv",), (table("rating.csv", 0, 1, None, of(2)),), None),
    Trial("dst", ("log.csv",), (dst,)),
    Trial(
        "foursquare",
        ("dataset_TSMC2014_NYC.txt",),
        (
            headless(
                "dataset_TSMC2014_NYC.txt",
                "\t",
                0,
                1,
                of(7, lambda x: datetime.strptime(x, "%a %b %d %H:%M:%S %z %Y").timestamp()),
                encoding="latin-1",
            ),
        ),
    ),
    Trial(
        "gowalla", ("totalCheckins.txt",), (headless("totalCheckins.txt", "\t", 0, 4, of(1, iso)),)
    ),
    Trial("gz_members", ("log.csv.gz",), (gzipped,)),
    Trial("invisible_ids", ("log.csv",), (stripped,)),
    Trial("json_big_ids", ("plays.jsonl",), (plays,)),
    Trial(
        "ml1m_dat",
        ("ratings.dat", "movies.dat", "users.dat"),
        (headless("ratings.dat", "::", 0, 1, unix(3), of(2)),),
        met={"item_id": 0.5, "user_id": 0.5},
    ),
    Trial("odd_ids", ("export.csv",), (odd_ids,)),
    Trial("parquet_types", ("events.parquet",), (typed,)),
    Trial("taobao", ("UserBehavior.csv",), (headless("UserBehavior.csv", ",", 0, 1, unix(4)),)),
    Trial("trailing_delim", ("log.csv",), (table("log.csv", 0, 1, None, of(2)),)),
    Trial(
        "us_dates",
        ("orders.csv",),
        (table("orders.csv", 0, 1, of(2, lambda x: seconds(x, "%m/%d/%y %I:%M %p"))),),
    ),
)
