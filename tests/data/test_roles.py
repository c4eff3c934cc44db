"""What a column says is read off all its cells: times, numbers, missing cells, ids, keys."""

import csv
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.data.ingest.ingest import ingest
from core.data.quality.report import quality_report
from core.data.roles.missing import MISSING
from core.data.roles.numbers import COMMA, POINT, Marks, value_sql
from core.data.roles.time_study import Cells, study
from core.data.roles.times import moment_sql
from core.data.store import DatasetInfo, Workspace
from core.errors import BadInput


def write(path: Path, header: Sequence[str], rows: Sequence[Sequence[object]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def take(tmp_path: Path, *paths: Path, **options: object) -> DatasetInfo:
    return ingest(Workspace.open(tmp_path / "home"), list(paths), **options)  # type: ignore[arg-type]


def table(info: DatasetInfo, name: str, columns: str = "*", order: str = "ALL") -> list[tuple]:
    return duckdb.sql(f"SELECT {columns} FROM '{info.path(name)}' ORDER BY {order}").fetchall()


def read(texts: Sequence[str], name: str = "when") -> tuple[str, list[datetime | None]]:
    """The way in which these cells are read, and the times."""
    con = duckdb.connect()
    con.execute("SET TimeZone = 'UTC'")
    con.execute("CREATE TABLE t (n INTEGER, x VARCHAR)")
    con.executemany("INSERT INTO t VALUES (?, ?)", list(enumerate(texts)))
    found = study([Cells("", con.table("t"), "x", "VARCHAR")], name, looks_ordered=False)
    assert found is not None, texts
    moment = moment_sql("x", "VARCHAR", found.way)
    return found.way, [m for _, m in con.table("t").project(f"n, {moment}").order("n").fetchall()]


EAST = timezone(timedelta(hours=1))
SECOND, MINUTE, DAY, MONTH = "second", "minute", "day", "month"
FORMS = {
    "offset after a blank": ("%Y-%m-%d %H:%M:%S +0100", SECOND, EAST),
    "offset with a colon": ("%Y-%m-%d %H:%M:%S +01:00", SECOND, EAST),
    "javascript": ("%a %b %d %Y %H:%M:%S GMT+0100 (CET)", SECOND, EAST),
    "http": ("%a, %d %b %Y %H:%M:%S GMT", SECOND, UTC),
    "us locale": ("%m/%d/%Y, %I:%M:%S %p", SECOND, UTC),
    "comma fraction": ("%Y-%m-%d %H:%M:%S,000", SECOND, UTC),
    "summer time": ("%Y-%m-%d %H:%M:%S CEST", SECOND, timezone(timedelta(hours=2))),
    "pacific": ("%m/%d/%Y %I:%M %p PDT", MINUTE, timezone(timedelta(hours=-7))),
    "eastern": ("%Y-%m-%d %H:%M EST", MINUTE, timezone(timedelta(hours=-5))),
    "two digits": ("%d-%m-%y", DAY, UTC),
    "months": ("%Y-%m", MONTH, UTC),
    "oracle": ("%d-%b-%y %I.%M.%S.000000 %p", SECOND, UTC),
    "sas": ("%d%b%Y:%H:%M:%S", SECOND, UTC),
    "german": ("%d.%m.%Y %H:%M", MINUTE, UTC),
    "iso": ("%Y-%m-%dT%H:%M:%S+01:00", SECOND, EAST),
    "compact": ("%Y%m%d%H%M%S", SECOND, UTC),
    "slashes": ("%Y/%m/%d %H:%M", MINUTE, UTC),
    "named": ("%B %d, %Y", DAY, UTC),
    "clock": ("%b %d, %Y %I:%M %p", MINUTE, UTC),
}
MOMENTS = st.lists(
    st.datetimes(datetime(2001, 1, 1), datetime(2030, 12, 31)), min_size=3, max_size=30
)


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=15, deadline=None)
@given(moments=MOMENTS)
def test_a_form_is_read_as_it_was_written(form, moments):
    spelling, grain, zone = FORMS[form]
    drop = {"microsecond": 0}
    drop |= {"second": 0} if grain != SECOND else {}
    drop |= {"minute": 0, "hour": 0} if grain in (DAY, MONTH) else {}
    drop |= {"day": 1} if grain == MONTH else {}
    moments = [m.replace(**drop) for m in moments] + [
        datetime(2011, 7, 1 if grain == MONTH else 25)
    ]
    way, found = read([m.strftime(spelling) for m in moments])
    expected = [m.replace(tzinfo=zone).astimezone(UTC).replace(tzinfo=None) for m in moments]
    assert found == expected, way


@settings(max_examples=25, deadline=None)
@given(moments=MOMENTS, data=st.data())
def test_units_and_forms_in_one_column_are_told_by_value(moments, data):
    writers = {
        "s": lambda m: str(int(m.timestamp())),
        "ms": lambda m: str(int(m.timestamp()) * 1000),
        "us": lambda m: str(int(m.timestamp()) * 1_000_000),
        "iso": lambda m: m.strftime("%Y-%m-%d %H:%M:%S"),
        "%d.%m.%Y": lambda m: m.strftime("%d.%m.%Y"),
    }
    moments = [m.replace(microsecond=0, tzinfo=UTC) for m in moments]
    chosen = [data.draw(st.sampled_from(sorted(writers))) for _ in moments]
    texts = [writers[kind](m) for kind, m in zip(chosen, moments, strict=True)] + ["25.12.2011"]
    _, found = read(texts)
    day = {"hour": 0, "minute": 0, "second": 0}
    expected = [
        m.replace(tzinfo=None, **(day if kind.startswith("%") else {}))
        for kind, m in zip(chosen, moments, strict=True)
    ]
    assert found[:-1] == expected


def test_what_cannot_be_read_is_rejected_and_never_1970(tmp_path):
    rows = [[f"u{n % 9}", f"i{n % 7}", 1_709_290_000 + n] for n in range(60)]
    rows[5][2], rows[6][2], rows[7][2], rows[8][2] = "0", "-1", "20", "soon"
    info = take(tmp_path, write(tmp_path / "a.csv", ["user_id", "item_id", "ts"], rows))
    assert info.counts["rejected"] == {"bad_time": 4}
    assert info.meta["first_time"].startswith("2024")
    kept = take(
        tmp_path,
        write(tmp_path / "b.csv", ["user_id", "item_id", "ts"], rows),
        mapping={"time_format": "s"},  # a person may say that it is so
    )
    assert kept.counts["rejected"] == {"bad_time": 1}


def test_a_zone_of_many_places_is_said_and_not_guessed(tmp_path):
    rows = [[n % 9, n % 7, f"2024-03-{1 + n % 28:02} 10:00:00 UTC"] for n in range(60)]
    rows[5][2] = "2024-03-05 10:00:00 IST"
    info = take(tmp_path, write(tmp_path / "a.csv", ["user_id", "item_id", "ts"], rows))
    assert info.counts["rejected"] == {"bad_time": 1}
    assert "IST is the name of several zones" in table(info, "rejected", "detail")[0][0]


def test_serial_numbers_of_spreadsheets_in_a_column_of_dates(tmp_path):
    rows = [[n % 9, n % 7, 45352.5 + n] for n in range(40)]
    info = take(tmp_path, write(tmp_path / "a.csv", ["user_id", "item_id", "order_date"], rows))
    assert info.meta["first_time"] == "2024-03-01T12:00:00"


PARTS = {
    "date+time": lambda m: [m.strftime("%Y-%m-%d"), str(int(m.strftime("%H%M")))],
    "date+clock": lambda m: [m.strftime("%d.%m.%Y"), m.strftime("%H:%M")],
    "year+month+day+hour+minute": lambda m: [m.year, m.month, m.day, m.hour, m.minute],
    "Date+hour+minute": lambda m: [m.strftime("%Y-%m-%d"), m.hour, m.minute],
    "year+month+day+time": lambda m: [m.year, m.strftime("%b"), m.day, m.strftime("%H:%M")],
}


@pytest.mark.parametrize("parts", PARTS)
@pytest.mark.parametrize("said", [False, True])
def test_the_parts_of_a_time_become_one(tmp_path, parts, said):
    moments = [datetime(2024, 1, 25) + timedelta(minutes=977 * n) for n in range(90)]
    rows = [[n % 9, n % 7, *PARTS[parts](m)] for n, m in enumerate(moments)]
    path = write(tmp_path / "a.csv", ["user_id", "item_id", *parts.split("+")], rows)
    info = take(tmp_path, path, mapping={"timestamp": parts} if said else None)
    assert info.mapping["timestamp"] == parts
    assert [m for (m,) in table(info, "events", "timestamp", "source_row")] == moments
    assert ("as you said" in info.meta["evidence"]["timestamp"]) == said


def test_a_mapping_that_makes_no_time_is_refused(tmp_path):
    rows = [[n % 9, n % 7, "2024-01-05", f"shop {n % 3}"] for n in range(30)]
    path = write(tmp_path / "a.csv", ["user_id", "item_id", "date", "place"], rows)
    with pytest.raises(BadInput, match=r"timestamp: 'date\+place' holds '2024-01-05 shop 0'"):
        take(tmp_path, path, mapping={"timestamp": "date+place"})


def test_day_and_month_that_nothing_tells_are_told(tmp_path):
    days = [(d, m) for d in range(1, 13) for m in range(1, 13)]
    rows = [[n % 9, n % 7, f"{d:02}/{m:02}/2024"] for n, (d, m) in enumerate(days)]
    info = take(tmp_path, write(tmp_path / "a.csv", ["user_id", "item_id", "date"], rows))
    assert "nothing in the log says which" in info.meta["evidence"]["timestamp"]
    found = {v.key: v for v in quality_report(info)}["ambiguous_dates"]
    assert (found.severity, found.numbers["doubtful"]) == ("warn", 132)
    sure = take(
        tmp_path,
        write(tmp_path / "b.csv", ["user_id", "item_id", "date"], [*rows, [1, 1, "25/12/2024"]]),
    )
    assert {v.key: v.severity for v in quality_report(sure)}["ambiguous_dates"] == "ok"


@pytest.mark.parametrize("order", [[0, 1], [1, 0]])
def test_each_file_by_its_own_format(tmp_path, order):
    moments = [datetime(2024, 1, 1) + timedelta(days=n) for n in range(60)]
    paths = [
        write(
            tmp_path / f"{name}.csv",
            ["user_id", "item_id", "date"],
            [[n % 9, n % 7, m.strftime(way)] for n, m in enumerate(moments)],
        )
        for name, way in (("eu", "%d/%m/%Y"), ("us", "%m/%d/%Y"))
    ]
    info = take(tmp_path, *(paths[n] for n in order))
    assert [m for (m,) in table(info, "events", "timestamp", "source_row")] == moments * 2


AMOUNTS = st.lists(st.integers(0, 99_999_999), min_size=2, max_size=20)


@settings(max_examples=60, deadline=None)
@given(
    cents=AMOUNTS,
    mark=st.sampled_from([POINT, COMMA]),
    thousands=st.sampled_from(["", "other", " ", "\u00a0", "'"]),
    around=st.sampled_from(["{}", "€{}", "{} €", "$ {}", "EUR {}", "-{}"]),
)
def test_an_amount_is_read_as_it_was_written(cents, mark, thousands, around):
    between = {"other": "." if mark == COMMA else ","}.get(thousands, thousands)
    amounts = [1234567, *cents]  # 12345.67 tells the mark
    texts = [
        around.format(f"{c // 100:,}".replace(",", between) + f"{mark}{c % 100:02}")
        for c in amounts
    ]
    con = duckdb.connect()
    con.execute("CREATE TABLE t (n INTEGER, x VARCHAR)")
    con.executemany("INSERT INTO t VALUES (?, ?)", list(enumerate(texts)))
    assert Marks.of([(con.table("t"), "x")]).mark() == mark
    found = con.table("t").project(f"n, {value_sql('x', 'VARCHAR', mark)}").order("n").fetchall()
    sign = -1 if around.startswith("-") else 1
    assert [x for _, x in found] == pytest.approx([sign * c / 100 for c in amounts])


def test_thousands_are_told_by_the_whole_column(tmp_path):
    def values(name: str, cells: Sequence[str]) -> list[float]:
        rows = [[n % 3, n, cell] for n, cell in enumerate(cells)]
        info = take(tmp_path, write(tmp_path / name, ["user_id", "item_id", "quantity"], rows))
        return [v for (v,) in table(info, "events", "value", "source_row")]

    assert values("a.csv", ["1", "12", "1,250"]) == [1, 12, 1250]
    assert values("b.csv", ["1,5", "12", "1,250"]) == [1.5, 12, 1.25]
    assert values("c.csv", ["1.299,99", "12", "1.250"]) == [1299.99, 12, 1250]
    assert values("d.csv", ["1.5", "12", "1.250"]) == [1.5, 12, 1.25]


def test_a_number_that_32_bits_do_not_hold_is_rejected(tmp_path):
    rows = [[n % 3, n, 1 + n % 5] for n in range(20)]
    rows[3][2], rows[4][2], rows[5][2] = "1e39", "-3.5e38", "nan"
    info = take(tmp_path, write(tmp_path / "a.csv", ["user_id", "item_id", "value"], rows),
                mapping={"value": "value"})  # fmt: skip
    assert info.counts["rejected"] == {"bad_value": 2}
    assert "32 bits" in table(info, "rejected", "detail")[0][0]


def test_attributes_are_numbers_where_all_of_a_column_are(tmp_path):
    log = write(tmp_path / "log.csv", ["user_id", "item_id"], [[n % 9, n % 5] for n in range(40)])
    rows = [
        [n, f"{n + 1}.299,{n}9", f"{n + 1},250", f"{n},{n + 10}5", f"1{n},2", ["NA", 5][n % 2]]
        for n in range(5)
    ]
    names = ["item_id", "price", "sold", "list", "genres", "age"]
    info = take(tmp_path, log, items=write(tmp_path / "items.csv", names, rows))
    types = {c: str(t) for c, t in zip(*(lambda r: (r.columns, r.types))(
        duckdb.from_parquet(str(info.path("items")))), strict=True)}  # fmt: skip
    assert types == {"item_id": "BIGINT", "price": "DOUBLE", "sold": "DOUBLE", "list": "VARCHAR",
                     "genres": "VARCHAR", "age": "BIGINT"}  # fmt: skip
    assert table(info, "items", "price, sold, age", "item_id")[1] == (2299.19, 2250.0, 5)


@pytest.mark.parametrize("token", [*sorted(MISSING), "NaN", "N/A", " NA ", "None", "NULL"])
def test_a_token_for_nothing_is_nothing_in_every_column(tmp_path, token):
    rows = [[n % 9, n % 7, 1_709_290_000 + n, 1 + n % 5, "red"] for n in range(40)]
    for place, n in enumerate((10, 11, 12, 13, 14)):
        rows[n][place] = token
    names = ["user_id", "item_id", "timestamp", "rating", "color"]
    info = take(tmp_path, write(tmp_path / "a.csv", names, rows))
    assert info.counts["rejected"] == {"no_user": 1, "no_item": 1, "no_time": 1}
    found = table(info, "events", "value, color", "source_row")
    assert (found[10], found[11]) == ((None, "red"), (5, None))


def test_words_for_nobody_stay_and_are_named(tmp_path):
    rows = [[5000 + n % 30, 100 + n % 20] for n in range(200)]
    for n, token in enumerate(["-", "unknown", "0", "-1", "anonymous", "Guest"]):
        rows[20 * n][0] = token
    info = take(tmp_path, write(tmp_path / "a.csv", ["user_id", "item_id"], rows))
    assert info.counts["users"] == 36
    found = {v.key: v for v in quality_report(info)}["placeholder_ids"]
    assert set(found.evidence["id"]) == {"-", "unknown", "0", "-1", "anonymous", "Guest"}
    from_zero = write(
        tmp_path / "b.csv", ["user_id", "item_id"], [[n % 9, n % 7] for n in range(60)]
    )
    assert {v.key: v.severity for v in quality_report(take(tmp_path, from_zero))}[
        "placeholder_ids"
    ] == "ok"


def test_one_id_with_much_of_a_log_is_named(tmp_path):
    rows = [[f"u{n % 100}" if n % 3 else "u0", f"i{n % 50}"] for n in range(900)]
    info = take(tmp_path, write(tmp_path / "a.csv", ["user_id", "item_id"], rows))
    found = {v.key: v for v in quality_report(info)}["dominant_ids"]
    assert (found.severity, list(found.evidence["id"])) == ("warn", ["u0"])


def test_ids_that_look_alike_stay_apart_and_are_named(tmp_path):
    ids = ["anna", "Anna", "anna\u200b", "café", "cafe\u0301", "1", "01", "1.0", "９", "9", "bob"]
    rows = [[id, f"i{n % 4}"] for n, id in enumerate(ids * 4)]
    info = take(tmp_path, write(tmp_path / "a.csv", ["user_id", "item_id"], rows))
    assert info.counts["users"] == len(ids)
    found = {v.key: v for v in quality_report(info)}["alike_ids"]
    assert found.numbers["ids"] == 10
    assert set(found.evidence["meant"]) == {"anna", "café", "1", "9"}


def parquet(path: Path, sql: str) -> Path:
    duckdb.sql(sql).write_parquet(str(path))
    return path


@pytest.mark.parametrize("order", [[0, 1], [1, 0]])
def test_ids_of_two_types_are_the_same_in_either_order(tmp_path, order):
    paths = [
        parquet(
            tmp_path / "a.parquet",
            "SELECT lpad(CAST(i % 15 AS VARCHAR), 4, '0') AS user_id, i % 7 AS item_id, i AS n"
            " FROM range(90) t(i)",
        ),
        parquet(
            tmp_path / "b.parquet",
            "SELECT i % 15 AS user_id, (i % 7)::DOUBLE AS item_id, 'x' || i AS n"
            " FROM range(60) t(i)",
        ),
    ]
    info = take(tmp_path, *(paths[n] for n in order))
    assert (info.counts["users"], info.counts["items"]) == (30, 7)
    ids = {u for (u,) in table(info, "events", "DISTINCT user_id")}
    assert {"0001", "1"} <= ids


def test_bytes_are_text(tmp_path):
    path = parquet(
        tmp_path / "a.parquet",
        "SELECT encode('Zoë ' || i % 9) AS user_id, encode('i' || i % 7) AS item_id"
        " FROM range(40) t(i)",
    )
    assert ("Zoë 1",) in table(take(tmp_path, path), "events", "user_id")


@pytest.mark.parametrize(("ours", "theirs"), [("{}.0", "{}"), ("{}", "{}.0"), ("{}", "{}")])
@pytest.mark.parametrize("other", [[], ["GIFT"]])
def test_a_file_beside_the_log_meets_it_whatever_the_form_of_its_numbers(
    tmp_path, ours, theirs, other
):
    items = [*range(100, 110)]
    rows = [[n % 9, x] for n, x in enumerate([ours.format(i) for i in items * 4] + other)]
    sides = [[x, f"Title {x}"] for x in [theirs.format(i) for i in items] + other]
    info = take(
        tmp_path,
        write(tmp_path / "log.csv", ["user_id", "item_id"], rows),
        items=write(tmp_path / "items.csv", ["item_id", "title"], sides),
    )
    assert info.meta["matched"] == {"items": {"items.csv": 1.0}, "users": {}}
    assert len(table(info, "items")) == 10 + len(other)


def test_the_key_that_meets_most_is_chosen_and_a_better_one_proposed(tmp_path):
    rows = [[f"u{n % 9}", f"p{n % 20}", f"v{n % 40}"] for n in range(120)]
    log = write(tmp_path / "log.csv", ["user_id", "product_id", "variant"], rows)
    names = ["item_id", "sku", "title"]
    good = [[f"x{n}", f"p{n}", f"Title {n}"] for n in range(20)]
    info = take(tmp_path, log, items=write(tmp_path / "items.csv", names, good))
    assert info.meta["matched"]["items"] == {"items.csv": 1.0}
    assert ("p3", "x3", "Title 3") in table(info, "items", "item_id, item_id_2, title")
    assert info.meta["advice"] == []
    variants = [[f"v{n}", f"Title {n}"] for n in range(40)]
    better = "100% of the log's column 'variant': say item_id=variant"
    with pytest.raises(BadInput, match=f"describes no item .* and {better}"):
        take(tmp_path, log, items=write(tmp_path / "v.csv", ["item_id", "title"], variants))
    variants += [["p3", "Title p3"]]
    info = take(tmp_path, log, items=write(tmp_path / "v.csv", ["item_id", "title"], variants))
    assert info.meta["matched"]["items"] == {"v.csv": 0.05}
    assert info.meta["advice"] == [
        f"v.csv meets 5% of the log's items by its column 'item_id', and {better}"
    ]
    found = {v.key: v for v in quality_report(info)}["side_match"]
    assert (found.severity, found.numbers) == ("bad", {"files": 1, "share": 0.05})


def mixed(n: int) -> list[object]:
    """A row of a log in which nearly every column is written in several ways."""
    day, month = f"{1 + n % 28:02}", f"{1 + n % 12:02}"
    return [
        ["007", f"u{n % 9}"][n % 2],
        f"{n % 7}.0",
        [f"{day}/{month}/2024", f"2024-03-{day}", 1_709_290_000 + n][n % 3],
        ["3,50", "4", "1.250,00", "NA"][n % 4],
        ["view", "buy"][n % 2],
        ["1", "x", "2.5"][n % 3],
    ]


LOGS = {
    "mixed": mixed,
    "order": lambda n: [n // 10, n % 17, n % 10, 1 + n % 5, "play", n],
}


@pytest.mark.parametrize("kind", LOGS)
@settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 1000))
def test_the_order_of_files_and_rows_says_nothing(tmp_path_factory, kind, seed):
    rows = [[*LOGS[kind](n), f"row {n}"] for n in range(120)]
    third = "position" if kind == "order" else "date"
    names = ["user_id", "item_id", third, "rating", "event", "note", "mark"]
    shuffled = rows[:]
    random.Random(seed).shuffle(shuffled)
    results = []
    for parts in ([rows[:70], rows[70:]], [shuffled[:30], shuffled[30:]]):
        folder = tmp_path_factory.mktemp("shuffled")
        paths = [write(folder / f"{n}.csv", names, part) for n, part in enumerate(parts)]
        random.Random(seed + 1).shuffle(paths)
        info = take(folder, *paths)
        columns = duckdb.from_parquet(str(info.path("events"))).columns
        listed = ", ".join(f'"{c}"' for c in columns if c != "source_row")
        facts = [info.meta[key] for key in ("mapping", "counts", "time_kind", "time_format")]
        results.append([*facts, info.value_kind, listed, table(info, "events", listed)])
    assert results[0] == results[1]


def test_a_name_of_two_words_and_its_types(tmp_path):
    rows = [[n % 9, f"b{n % 7}", 1 + n % 10] for n in range(40)]
    for names in (
        ["User-ID", "ISBN", "Book-Rating"],
        ["user_id:token", "isbn:token", "rating:float"],
    ):
        info = take(tmp_path, write(tmp_path / "a.csv", names, rows))
        found = [str(info.mapping[role]) for role in ("user_id", "item_id", "value")]
        assert found == [name.split(":")[0] for name in names]  # RecBole's types are none of it
        assert info.value_kind == "rating"


def test_a_score_without_an_end_is_no_rating(tmp_path):
    rows = [[n % 9, f"b{n % 7}", 37 * n] for n in range(400)]
    info = take(tmp_path, write(tmp_path / "a.csv", ["user_id", "item_id", "score"], rows))
    assert (info.mapping["value"], info.value_kind) == ("score", "quantity")


def test_a_filled_column_beats_one_with_gaps(tmp_path):
    rows = [["NA" if n % 20 else n, f"v{n % 9}", n % 7] for n in range(100)]
    path = write(tmp_path / "a.csv", ["user_id", "visitor_id", "item_id"], rows)
    assert take(tmp_path, path).mapping["user_id"] == "visitor_id"


@pytest.mark.parametrize("last", [False, True])
def test_what_stands_far_down_counts_as_much(tmp_path, last):
    usual = [[n % 900, n % 70, f"2024-03-{1 + n % 28:02}"] for n in range(20_500)]
    other = [[n % 9, n % 7, f"{1 + n % 28:02}.04.2024"] for n in range(30)]
    rows = usual + other if last else other + usual
    info = take(tmp_path, write(tmp_path / "a.csv", ["user_id", "item_id", "date"], rows))
    assert info.counts["rows_kept"] == 20_530
    assert info.meta["time_format"] == "iso|%d.%m.%Y"


def test_a_zone_of_several_places_is_named(tmp_path):
    rows = [[n % 9, n % 7, f"2024-07-{n % 28 + 1:02} 10:00:00 IST"] for n in range(60)]
    log = write(tmp_path / "log.csv", ["user_id", "item_id", "time"], rows)
    evidence = take(tmp_path, log).meta["evidence"]["timestamp"]
    assert "IST is a zone of several places; write its hours from UTC" in evidence
    with pytest.raises(BadInput, match="IST is a zone of several places"):
        take(tmp_path, log, mapping={"timestamp": "time"})


def test_a_damaged_name_costs_no_more_than_its_length():
    """Bytes of a broken archive came as one name of thousands of words."""
    from core.data.roles.names import endings

    assert endings("word " * 20_000 + "item id") == [
        "wordwordwordworditemid",
        "wordwordworditemid",
        "wordworditemid",
        "worditemid",
        "itemid",
        "id",
    ]
