"""Roles are guessed from names, types and content; each guess has its evidence."""

from pathlib import Path

import duckdb
import pytest

from core.data.ingest.preview import preview
from core.data.roles import mapping as roles
from core.data.roles.names import WEIGHTS, plain, weight_of
from core.data.roles.profiles import profiles
from core.data.roles.time_study import guess_time, settle_format
from core.data.roles.times import FORMATS, TimeFormat, time_sql, unix_unit
from core.errors import BadInput


def guess(sql: str, **given: str | None) -> roles.Guess:
    con = duckdb.connect()
    con.execute("SET TimeZone = 'UTC'")
    con.sql(sql).to_table("sample")
    sample = con.table("sample")
    return roles.guess(sample, profiles(sample), given)


NUMBERS = "FROM range(200) t(i)"


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ("i % 9 AS userId, i % 7 AS movieId, i % 5 AS rating, 15e8::BIGINT + i AS timestamp",
         ("userId", "movieId", "timestamp", None, "rating", None)),
        ("i % 9 AS CustomerID, 'S' || i % 7 AS StockCode, i % 5 AS Quantity, 2.5 AS UnitPrice",
         ("CustomerID", "StockCode", None, None, "Quantity", None)),
        ("i % 9 AS visitorid, i % 7 AS itemid, 15e11::BIGINT + i AS timestamp,"
         " ['view', 'addtocart', 'transaction'][1 + i % 3] AS event",
         ("visitorid", "itemid", "timestamp", "event", None, None)),
        ("'u' || i % 9 AS reviewerID, 'b' || i % 7 AS asin, i % 5 AS overall, 'web' AS channel",
         ("reviewerID", "asin", None, None, "overall", "channel")),
        ("i % 9 AS 用户, i % 7 AS 商品, i % 5 AS 评分", ("用户", "商品", None, None, "评分", None)),
        ("i % 9 AS column0, i % 7 AS column1, i % 5 AS column2, 15e8::BIGINT + i AS column3",
         ("column0", "column1", "column3", None, "column2", None)),
        ("i % 9 AS uid, i % 7 AS iid, ['pv', 'buy', 'cart', 'fav'][1 + i % 4] AS what",
         ("uid", "iid", None, "what", None, None)),
    ],
)  # fmt: skip
def test_roles_of_known_layouts(columns, expected):
    found = guess(f"SELECT {columns} {NUMBERS}")
    assert tuple(found.mapping[role] for role in roles.ROLES) == expected
    assert set(found.evidence) >= {role for role in roles.ROLES if found.mapping[role]}


def test_a_name_beats_another_name_that_is_empty():
    found = guess(f"SELECT NULL::VARCHAR AS user_id, i % 9 AS customer_id, i AS item_id {NUMBERS}")
    assert found.mapping["user_id"] == "customer_id"


def test_what_a_person_says_wins():
    sql = f"SELECT i % 9 AS user_id, i % 7 AS item_id, i % 3 AS other, 'x' AS event {NUMBERS}"
    found = guess(sql, user_id="other", event=None)
    assert found.mapping["user_id"] == "other"
    assert found.mapping["event"] is None
    assert found.evidence["user_id"] == "'other': as you said"


def test_a_position_is_an_order_only_if_it_counts_up_within_each_user():
    order = guess(
        "SELECT i // 10 AS user_id, i AS item_id, i % 10 AS position FROM range(100) t(i)"
    )
    assert (order.mapping["timestamp"], order.time_kind) == ("position", "order")
    slot = guess(
        "SELECT i // 10 AS user_id, i AS item_id, hash(i) % 9 AS position FROM range(100) t(i)"
    )
    assert (slot.mapping["timestamp"], slot.time_kind) == (None, "none")


def test_a_click_of_0_and_1_is_an_event_and_other_numbers_are_not():
    found = guess(f"SELECT i AS user_id, i AS item_id, i % 2 AS click {NUMBERS}")
    assert (found.mapping["event"], found.binary_click) == ("click", True)
    found = guess(f"SELECT i AS user_id, i AS item_id, i AS click {NUMBERS}")
    assert found.mapping["event"] is None


def test_a_session_is_a_user_only_without_a_user():
    sql = f"SELECT i % 9 AS session_id, i % 7 AS item_id {NUMBERS}"
    assert guess(sql).mapping["user_id"] == "session_id"
    assert guess(sql.replace("SELECT", "SELECT i AS user_id,")).mapping["user_id"] == "user_id"


@pytest.mark.parametrize("name", ["User ID", "user-id", "USER_ID", "userId", "user.id"])
def test_names_are_compared_without_case_and_punctuation(name):
    assert plain(name) == "userid"


@pytest.mark.parametrize(
    ("event", "weight"),
    [("Add To Cart", 3), ("remove_from_cart", 0), ("PURCHASE", 5), ("impression", 0.1), ("xyz", 1)],
)
def test_weights_of_known_words(event, weight):
    assert weight_of(event) == weight


def test_an_impression_counts_less_than_any_act():
    assert all(w == 0 or w >= WEIGHTS["impression"] for w in WEIGHTS.values())


def test_a_mapping_is_checked_against_the_columns():
    roles.check({"user_id": "a+b", "value": None}, ["a", "b"], "x.csv")
    roles.check({"user_id": "a+b"}, ["a+b"], "x.csv")
    with pytest.raises(BadInput, match=r"user_id: x.csv has no column 'c'; its columns are a, b"):
        roles.check({"user_id": "a+c"}, ["a", "b"], "x.csv")
    with pytest.raises(BadInput, match="no role 'item'"):
        roles.check({"item": "a"}, ["a"], "x.csv")
    with pytest.raises(BadInput, match="time_format is 'soon'"):
        roles.check({"time_format": "soon"}, ["a"], "x.csv")


@pytest.mark.parametrize(
    ("number", "unit"),
    [(1.5e9, "s"), (1.5e12, "ms"), (1.5e15, "us"), (1.5e18, "ns"), (17, None), (1e7, None)],
)
def test_the_unit_of_unix_time_by_its_size(number, unit):
    assert unix_unit(number) == unit


def read(text: str | int, way: str) -> str | None:
    con = duckdb.connect()
    con.execute("SET TimeZone = 'UTC'")
    con.execute("CREATE TABLE t AS SELECT ? AS x", [text])
    return con.table("t").project(f"CAST({time_sql('x', way)} AS VARCHAR)").fetchall()[0][0]


@pytest.mark.parametrize(
    ("text", "way", "expected"),
    [
        ("964982703", "s", "2000-07-30 18:45:03"),
        ("964982703.5", "s", "2000-07-30 18:45:03.5"),
        (964982703000, "ms", "2000-07-30 18:45:03"),
        (1569888000123456789, "ns", "2019-10-01 00:00:00.123456"),
        ("-86400", "s", "1969-12-31 00:00:00"),
        ("99999999999999999999", "s", None),
        ("9e300", "s", None),
        ("2019-10-01T00:00:00+05:30", "iso", "2019-09-30 18:30:00"),
        ("2019-10-01 00:00:00 UTC", "iso", "2019-10-01 00:00:00"),
        ("infinity", "iso", None),
        ("12/31/2010", "%d/%m/%Y", None),
        ("10/Oct/2000:13:55:36 -0700", "%d/%b/%Y:%H:%M:%S %z", "2000-10-10 20:55:36"),
        ("12", "order", "12"),
        ("x", "order", None),
    ],
)
def test_times_in_utc(text, way, expected):
    assert read(text, way) == expected


@pytest.mark.slow
def test_every_format_reads_what_it_writes():
    for way in FORMATS:
        written = duckdb.execute("SELECT strftime(TIMESTAMP '2011-02-13 14:26:05', ?)", [way])
        text = written.fetchall()[0][0]
        found = read(text.replace("+00", "+0000") if "%z" in way else text, way)
        assert found is not None, way
        assert found.startswith("2011-02-13"), way


def test_day_and_month_are_settled_over_the_whole_log():
    sample = duckdb.sql("SELECT '01/02/2011' AS d UNION ALL SELECT '03/04/2011'")
    time = guess_time(sample, "d", type="VARCHAR", looks_ordered=False)
    assert time is not None
    assert (time.way, time.rival) == ("%d/%m/%Y", "%m/%d/%Y")
    whole = duckdb.sql("SELECT unnest(['01/02/2011', '12/31/2011']) AS d")
    assert settle_format([whole], "d", time).way == "%m/%d/%Y"
    assert "nothing in the log" in settle_format([sample], "d", time).evidence
    assert settle_format([sample], "d", TimeFormat("s", 1, "", said=True)).way == "s"


def test_times_written_out_are_times_whatever_their_column_is_called(tmp_path: Path) -> None:
    rows = "user,item,when,birthday\n" + "".join(
        f"u{n % 3},i{n % 4},2024-01-{n + 1:02} 10:00:00,1990-02-{n + 1:02}\n" for n in range(12)
    )
    path = tmp_path / "log.csv"
    path.write_text(rows)
    assert preview([path]).mapping["timestamp"] == "when"
