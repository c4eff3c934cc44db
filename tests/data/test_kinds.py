"""Kinds of files that strangers have: each is read right, in more than one spelling of it."""

import csv
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.data.ingest.ingest import ingest
from core.data.roles.numbers import COMMA, POINT, number_sql, value_sql
from core.data.roles.spellings import ways_of
from core.data.roles.spoken import SPOKEN, spoken, spoken_sql
from core.data.roles.time_study import Cells, study
from core.data.roles.times import moment_sql
from core.data.roles.worded import scale_sql, worded_sql
from core.data.store import DatasetInfo, Workspace
from core.errors import BadInput
from tests.data.workbooks import workbook


def write(path: Path, header: Sequence[object], rows: Sequence[Sequence[object]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def take(tmp_path: Path, *paths: Path, **options: object) -> DatasetInfo:
    return ingest(Workspace.open(tmp_path / "home"), list(paths), **options)  # type: ignore[arg-type]


def events(info: DatasetInfo, columns: str = "user_id, item_id") -> list[tuple]:
    return duckdb.sql(f"SELECT {columns} FROM '{info.path('events')}' ORDER BY ALL").fetchall()


def rejected(info: DatasetInfo) -> list[tuple]:
    rows = duckdb.sql(f"SELECT file, line, reason, detail FROM '{info.path('rejected')}'")
    return rows.order("file, line").fetchall()


def calculated(sql: str, texts: Sequence[str]) -> list[float | None]:
    con = duckdb.connect()
    con.execute("CREATE TABLE t (n INTEGER, x VARCHAR)")
    con.executemany("INSERT INTO t VALUES (?, ?)", list(enumerate(texts)))
    return [value for _, value in con.table("t").project(f"n, {sql}").order("n").fetchall()]


# ---- values

RATINGS = {
    **{"4/5": 4, "4 / 5": 4, "4,5/5": 4.5, "3.5 out of 5": 3.5, "4.0 out of 5 stars": 4},
    **{"4 von 5": 4, "2 sur 5": 2, "★★★★☆": 4, "★★★": 3, "★★½": 2.5, "⭐️⭐️": 2, "***": 3},
    **{"four stars": 4, "Five": 5, "1 star": 1, "3 Sterne": 3, "4 estrellas": 4, "vier": 4},
    **{"三星": 3, "5星": 5, "deux étoiles": 2, "True": 1, "false": 0},
}
NO_RATINGS = ["4/3", "good", "☆☆☆", "2024-01-05", "4/5/2024", "", "stars", "fourth", "5 cats"]


def test_ratings_in_words_and_signs():
    assert calculated(worded_sql("x"), list(RATINGS)) == list(RATINGS.values())
    assert calculated(worded_sql("x"), NO_RATINGS) == [None] * len(NO_RATINGS)


@settings(max_examples=40, deadline=None)
@given(st.data(), st.sampled_from([3, 5, 7, 10, 20, 100]))
def test_ratings_of_several_scales_come_to_the_highest(data, most):
    given_ = data.draw(st.integers(0, most))
    text = data.draw(st.sampled_from(["{}/{}", "{} / {}", "{} out of {}", "{} von {} Sternen"]))
    written = text.format(given_, most)
    assert calculated(scale_sql("x"), [written]) == [most]
    (value,) = calculated(worded_sql("x", 100.0), [written])
    assert value == pytest.approx(100 * given_ / most)


def indian(number: int) -> str:
    head, tail = str(number)[:-3], str(number)[-3:]
    groups = [head[max(0, n - 2) : n] for n in range(len(head), 0, -2)][::-1]
    return ",".join([*groups, tail])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**11), st.sampled_from(["{}", "₹{}", "Rs. {}", "{} INR", "{}.00"]))
def test_lakhs_and_crores_are_read(number, form):
    assert calculated(number_sql("x", POINT), [form.format(indian(number))]) == [number]


def test_losses_shares_and_digits_of_other_scripts():
    texts = ["(1,250.50)", "3.50-", "-3.50", "−3.50", "80%", "80 %", "３.５", "٣٫٥"]
    expected = [-1250.5, -3.5, -3.5, -3.5, 80, 80, 3.5, 3.5]
    assert calculated(value_sql("x", "VARCHAR", POINT), texts) == expected
    assert calculated(value_sql("x", "VARCHAR", COMMA), ["(1.250,50)", "3,50-"]) == [-1250.5, -3.5]


def test_scales_are_one_in_a_log_and_that_is_told(tmp_path):
    rows = [[n % 7, n % 5, f"{n % 5 + 1}/5" if n % 2 else f"{n % 10}/10"] for n in range(40)]
    info = take(tmp_path, write(tmp_path / "a.csv", ["user_id", "item_id", "rating"], rows))
    expected = sorted((n % 7, n % 5, 2.0 * (n % 5 + 1) if n % 2 else n % 10) for n in range(40))
    assert events(info, "user_id, item_id, value") == expected
    assert (
        "out of 5 and 10, all brought to the scale that ends at 10"
        in (info.meta["evidence"]["value"])
    )


def test_a_rating_that_is_no_number_is_told(tmp_path):
    rows = [[n % 7, n % 5, ["good", "bad"][n % 2]] for n in range(40)]
    info = take(tmp_path, write(tmp_path / "a.csv", ["user_id", "item_id", "rating"], rows))
    assert info.meta["mapping"]["value"] is None
    assert info.meta["evidence"]["value"].startswith("none: 'rating' holds 'bad', 'good'")


def test_our_own_log_of_purchases_holds_amounts(tmp_path):
    rows = [[n % 7, n % 5, "purchase", n % 4 + 1] for n in range(40)]
    header = ["user_id", "item_id", "event", "quantity"]
    info = take(tmp_path, write(tmp_path / "a.csv", header, rows))
    again = take(tmp_path, Path(info.path("events")))
    assert (again.meta["mapping"]["value"], again.meta["value_kind"]) == ("value", "quantity")


# ---- times

START = datetime(2024, 1, 3, 8, 30, tzinfo=UTC)
MOMENTS = [START + timedelta(days=3 * n, minutes=7 * n) for n in range(30)]
FRENCH = (
    *("janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre"),
    *("octobre", "novembre", "décembre"),
)


def read_times(texts: Sequence[str]) -> list[datetime | None]:
    con = duckdb.connect()
    con.execute("SET TimeZone = 'UTC'")
    con.execute("CREATE TABLE t (n INTEGER, x VARCHAR)")
    con.executemany("INSERT INTO t VALUES (?, ?)", list(enumerate(texts)))
    found = study([Cells("", con.table("t"), "x", "VARCHAR")], "when", looks_ordered=False)
    assert found is not None, texts
    moment = moment_sql("x", "VARCHAR", found.way)
    return [m for _, m in con.table("t").project(f"n, {moment}").order("n").fetchall()]


@pytest.mark.parametrize(
    "spelling",
    [
        lambda m: f"{m.day} {FRENCH[m.month - 1]} {m.year} à {m.hour}h{m.minute:02}",
        lambda m: m.strftime("%d.%m.%Y %H:%M Uhr"),
        lambda m: m.strftime("%Y年%m月%d日 %H時%M分"),
        lambda m: m.strftime("%Y. %m. %d. %H:%M"),
        lambda m: m.strftime("%d/%m/%Y %I:%M ") + ("a.m." if m.hour < 12 else "p.m."),
        lambda m: f"/Date({int(m.timestamp()) * 1000})/",
        lambda m: m.strftime("%B %d, %Y at %H:%M"),
        lambda m: m.strftime("%y/%m/%d %H:%M"),
    ],
)
def test_times_in_the_words_of_a_language(spelling):
    expected = [m.replace(tzinfo=None) for m in MOMENTS]
    assert read_times([spelling(m) for m in MOMENTS]) == expected


@settings(max_examples=100, deadline=None)
@given(st.text("0123456789. :,/-年月日時分äéûhapmjnuoctdeUrà", max_size=30))
def test_python_and_sql_say_the_same_of_words(text):
    assert calculated(spoken_sql("x"), [text]) == [spoken(text)]


def test_what_needs_no_words_is_read_without():
    for text in ("2024-03-01", "1709290000", "March 3, 2024", "03/01/2024 10:00 PM"):
        assert not any(way.startswith(SPOKEN) for way in ways_of(text, dated=True))


@pytest.mark.parametrize(
    ("names", "forms"),
    [
        (("day", "hhmmss"), ("%Y%m%d", "%H%M%S")),
        (("fecha", "hora"), ("%d/%m/%Y", "%H:%M:%S")),
        (("date", "heure"), ("%d/%m/%Y", "%Hh%M")),
        (("Datum", "Uhrzeit"), ("%d.%m.%Y", "%H:%M")),
    ],
)
def test_a_day_and_its_clock_are_one_time_whatever_they_are_called(tmp_path, names, forms):
    rows = [[n % 7, n % 5, *(m.strftime(f) for f in forms)] for n, m in enumerate(MOMENTS)]
    info = take(tmp_path, write(tmp_path / "a.csv", ["user_id", "item_id", *names], rows))
    assert [t for (t,) in events(info, "timestamp")] == [m.replace(tzinfo=None) for m in MOMENTS]


def test_a_time_that_nothing_reads_is_told_with_its_cells(tmp_path):
    rows = [[n % 7, n % 5, f"{m:%Y-%m-%d %H:%M:%S} IST"] for n, m in enumerate(MOMENTS * 3)]
    info = take(tmp_path, write(tmp_path / "a.csv", ["user_id", "item_id", "ts"], rows))
    assert "IST is a zone of several places" in info.meta["evidence"]["timestamp"]


# ---- shapes


def test_lines_of_sequences_with_a_colon_and_a_count(tmp_path):
    lines = ["7: 2 30 41", "9: 1 5", "4: 3 1 2 3"]
    path = tmp_path / "a.txt"
    path.write_text("\n".join(lines))
    info = take(tmp_path, path)
    assert events(info) == [(4, 1), (4, 2), (4, 3), (7, 30), (7, 41), (9, 5)]


def test_lists_of_lists_are_refused_and_values_beside_items_are_values(tmp_path):
    pairs = tmp_path / "a.jsonl"
    pairs.write_text(
        "\n".join(json.dumps({"user_id": n, "history": [[n, 1], [n + 1, 2]]}) for n in range(9))
    )
    with pytest.raises(BadInput, match="the items in 'history' are no ids"):
        take(tmp_path, pairs)
    rated = tmp_path / "b.jsonl"
    rated.write_text(
        "\n".join(
            json.dumps({"user_id": n, "item_ids": [n, n + 1], "ratings": [1, 5]}) for n in range(9)
        )
    )
    expected = sorted(row for n in range(9) for row in ((n, n, 1.0), (n, n + 1, 5.0)))
    assert events(take(tmp_path, rated), "user_id, item_id, value") == expected


def test_a_matrix_with_what_is_known_of_people_beside_its_items(tmp_path):
    header = ["user_id", "cell", "gender", *(f"item{n}" for n in range(8))]
    rows = [
        [u, 20 + u, "mf"[u % 2], *((u + n) % 5 + 1 if (u + n) % 3 else "" for n in range(8))]
        for u in range(12)
    ]
    info = take(tmp_path, write(tmp_path / "a.csv", header, rows))
    expected = [
        (u, f"item{n}", float((u + n) % 5 + 1)) for u in range(12) for n in range(8) if (u + n) % 3
    ]
    assert events(info, "user_id, item_id, value") == sorted(expected)
    assert {"cell", "gender"} <= {*info.meta["user_columns"]}


def test_json_whose_keys_hold_the_events_and_json_without_names(tmp_path):
    by_key = tmp_path / "a.json"
    by_key.write_text(json.dumps({f"-M{n}": {"user": n % 7, "item": n % 5} for n in range(40)}))
    assert events(take(tmp_path, by_key)) == sorted((n % 7, n % 5) for n in range(40))
    arrays = tmp_path / "b.json"
    arrays.write_text("\n".join(json.dumps([f"u{n}", n % 5]) for n in range(40)))
    with pytest.raises(BadInput, match=r"holds JSON arrays .* in which nothing has a name"):
        take(tmp_path, arrays)


def test_the_array_that_names_who_and_what_is_the_log_and_others_are_told(tmp_path):
    path = tmp_path / "a.json"
    views = [{"user_id": n % 7, "item_id": n % 5} for n in range(20)]
    path.write_text(json.dumps({"users": [{"user_id": n} for n in range(99)], "views": views}))
    info = take(tmp_path, path)
    assert info.counts["rows_kept"] == 20
    assert "users[] (99) is left out" in info.meta["evidence"]["layout"]


def test_objects_are_no_ids(tmp_path):
    path = tmp_path / "a.jsonl"
    hits = [{"visitor_id": n % 7, "hits": [{"product": [{"sku": n}]}]} for n in range(30)]
    path.write_text("\n".join(map(json.dumps, hits)))
    with pytest.raises(BadInput, match="holds objects such as"):
        take(tmp_path, path)


def test_the_id_of_an_event_is_no_item(tmp_path):
    rows = [[f"e{n}", f"u{n % 7}", f"{START:%Y-%m-%d}"] for n in range(40)]
    with pytest.raises(BadInput, match="no column looks like the item"):
        take(tmp_path, write(tmp_path / "a.csv", ["event_id", "user_id", "date"], rows))


def test_a_column_that_counts_the_rows_is_no_user(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(
        "".join(f"{n},{n * 3 % 7},{n % 5 + 100},{1_709_290_000 + n}\n" for n in range(40))
    )
    assert events(take(tmp_path, path)) == sorted((n * 3 % 7, n % 5 + 100) for n in range(40))


# ---- several files


def test_parts_of_a_log_without_names_are_one_log(tmp_path):
    paths = [tmp_path / "1.csv", tmp_path / "2.csv"]
    for k, path in enumerate(paths):
        rows = [(n % 7, n % 5 + 100, 1_709_290_000 + n) for n in range(40 * k, 40 * k + 40)]
        path.write_text("".join(",".join(map(str, row)) + "\n" for row in rows))
    expected = sorted((n % 7, n % 5 + 100) for n in range(80))
    assert events(take(tmp_path, *paths)) == events(take(tmp_path, *paths[::-1])) == expected


def test_a_log_with_other_columns_is_no_text_about_items(tmp_path):
    clicks = [[n % 7, n % 5, "S"] for n in range(40)]
    buys = [[n % 7, n % 5, 9, n % 3] for n in range(20)]
    a = write(tmp_path / "a.csv", ["user_id", "item_id", "category"], clicks)
    b = write(tmp_path / "b.csv", ["user_id", "item_id", "price", "quantity"], buys)
    with pytest.raises(BadInput, match="several logs need the same columns"):
        take(tmp_path, a, b)


def test_lines_without_their_order_have_no_user_and_may_have_a_column_line(tmp_path):
    header = ["order_id", "line", "product_id"]
    lines = write(
        tmp_path / "lines.csv", header, [[n, k, n % 5] for n in range(20) for k in (1, 2)]
    )
    whose = [[n, n % 7] for n in range(18)]
    info = take(tmp_path, lines, write(tmp_path / "orders.csv", ["order_id", "user_id"], whose))
    assert events(info) == sorted((n % 7, n % 5) for n in range(18) for _ in (1, 2))
    assert {row[2] for row in rejected(info)} == {"no_user"}
    assert [row[1] for row in rejected(info)] == [38, 39, 40, 41]


def test_a_session_is_of_the_person_that_another_file_names(tmp_path):
    rows = [[f"s{n % 9}", n % 5] for n in range(40)]
    log = write(tmp_path / "events.csv", ["session_id", "item_id"], rows)
    whose = write(
        tmp_path / "s.csv", ["session_id", "user_id"], [[f"s{n}", n % 3] for n in range(9)]
    )
    assert events(take(tmp_path, log, whose)) == sorted((n % 9 % 3, n % 5) for n in range(40))


def test_a_table_whose_key_is_called_id_is_joined_by_its_values(tmp_path):
    log = write(
        tmp_path / "l.csv", ["user_id", "movie_id"], [[n % 7, 500 + n % 5] for n in range(40)]
    )
    side = write(tmp_path / "m.csv", ["id", "title"], [[500 + n, f"T{n}"] for n in range(5)])
    assert take(tmp_path, log, side).meta["matched"]["items"] == {"m.csv": 1.0}


@pytest.mark.parametrize("swap", [False, True])
def test_sheets_of_one_table_and_headers_in_another_order(tmp_path, swap):
    head, other = ["user_id", "item_id", "qty"], ["qty", "user_id", "item_id"]
    first = [[n % 7, 100 + n % 5, n % 3 + 1] for n in range(20)]
    second = [[3, 5, 101], [2, 6, 102]]
    path = tmp_path / "a.xlsx"
    sheets = {"Jan": [head, *first], "Feb": [other, *second]}
    if swap:
        sheets = {"All": [head, *first, other, *second]}
    info = take(tmp_path, workbook(path, sheets))
    expected = [*((a, b, float(c)) for a, b, c in first), (5, 101, 3.0), (6, 102, 2.0)]
    assert events(info, "user_id, item_id, value") == sorted(expected)
    assert info.meta["lines"]["a.xlsx"]["physical"] == 24


def test_two_tables_in_one_text_are_refused(tmp_path):
    rows = [f"{n % 7},{n % 5}" for n in range(40)]
    wide = [f"{row},{n},ios" for n, row in enumerate(rows)]
    narrow = [f"{row},{n}" for n, row in enumerate(rows)]
    path = tmp_path / "a.csv"
    head = "user_id,item_id,ts"
    path.write_text("\n".join([head, *narrow, f"{head},device", *wide, *wide]))
    with pytest.raises(BadInput, match="holds two tables: its first 41 lines have 3 cells"):
        take(tmp_path, path)


def test_a_column_that_is_filled_only_far_below_is_seen(tmp_path):
    rows = [[n % 70, n % 50, "" if n < 20_500 else n % 5 + 1] for n in range(21_000)]
    info = take(tmp_path, write(tmp_path / "a.csv", ["user_id", "item_id", "rating"], rows))
    assert info.meta["mapping"]["value"] == "rating"


def test_orders_whose_name_is_blank_as_well_where_they_go_on(tmp_path):
    rows = [
        [f"B{n // 2}" * (n % 2 == 0), f"k{n // 2 % 5}" * (n % 2 == 0), n % 7] for n in range(40)
    ]
    info = take(tmp_path, write(tmp_path / "a.csv", ["Bestellnummer", "Kunde", "Artikel"], rows))
    assert events(info) == sorted((f"k{n // 2 % 5}", n % 7) for n in range(40))
