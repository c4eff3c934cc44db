"""Files → a dataset version: real logs unedited, exact counts, lines of rejected rows."""

import csv
import gzip
import io
import json
import os
import signal
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.data.durable import sha256_file
from core.data.ingest.ingest import ingest, preview
from core.data.roles.missing import MISSING
from core.data.store import DatasetInfo, Workspace
from core.errors import BadInput, NotFound

SAMPLE = Path(__file__).parents[2] / "sample_data"
MOVIELENS = SAMPLE / "movielens-latest-small"
RETAIL = SAMPLE / "online-retail" / "online_retail.parquet"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.open(tmp_path / "home")


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


def table(info: DatasetInfo, name: str, columns: str = "*", order: str = "ALL") -> list[tuple]:
    path = info.path(name)
    assert path is not None
    return duckdb.sql(f"SELECT {columns} FROM '{path}' ORDER BY {order}").fetchall()


def check_sums(info: DatasetInfo) -> None:
    """What every version must satisfy."""
    counts = info.counts
    assert counts["rows_read"] == counts["rows_kept"] + counts["rows_rejected"]
    assert sum(counts["rejected"].values()) == counts["rows_rejected"]
    events = duckdb.from_parquet(str(info.path("events")))
    found = events.aggregate("count(*), count(DISTINCT user_id), count(DISTINCT item_id)")
    assert found.fetchall() == [(counts["rows_kept"], counts["users"], counts["items"])]
    assert info.meta["sha256"] == {p.name: sha256_file(p) for p in info.folder.glob("*.parquet")}


def test_movielens_unedited_in_one_list(workspace):
    names = ["links.csv", "tags.csv", "movies.csv", "ratings.csv"]
    info = ingest(workspace, [MOVIELENS / name for name in names])
    check_sums(info)
    assert info.counts == {
        "rows_read": 100_836, "rows_kept": 100_836, "rows_rejected": 0,
        "users": 610, "items": 9_724, "rejected": {},
    }  # fmt: skip
    assert info.meta["parts"] == {
        "ratings.csv": "events", "tags.csv": "items", "movies.csv": "items", "links.csv": "items",
    }  # fmt: skip
    assert (info.time_kind, info.value_kind) == ("clock", "rating")
    assert info.meta["first_time"] == "1996-03-29T18:36:55"
    assert set(info.meta["item_columns"]) == {"title", "genres", "tag", "imdbId", "tmdbId"}
    (toy_story,) = duckdb.sql(
        f"SELECT title, genres, tag, imdbId, tmdbId FROM '{info.path('items')}' WHERE item_id = 1"
    ).fetchall()
    genres = "Adventure|Animation|Children|Comedy|Fantasy"
    assert toy_story == ("Toy Story (1995)", genres, "pixar, fun", "0114709", 862)


def test_the_rows_of_movielens_come_back_as_they_were(workspace):
    info = ingest(workspace, MOVIELENS / "ratings.csv", items=MOVIELENS / "movies.csv")
    with (MOVIELENS / "ratings.csv").open() as file:
        expected = [
            (n, int(r["userId"]), int(r["movieId"]), float(r["rating"]), int(r["timestamp"]))
            for n, r in enumerate(csv.DictReader(file), 1)
        ]
    columns = "source_row, user_id, item_id, value, epoch(timestamp)::BIGINT"
    assert table(info, "events", columns, "source_row") == expected
    order = duckdb.sql(f"SELECT user_id, timestamp, source_row FROM '{info.path('events')}'")
    rows = order.fetchall()
    assert rows == sorted(rows)


def test_the_layout_of_ml_100k(workspace, tmp_path):
    lines = ["196\t242\t3\t881250949", "186\t302\t3\t891717742", "22\t377\t1\t878887116"]
    lines += [
        f"{u}\t{i}\t{1 + (u * i) % 5}\t{878887000 + u * i}" for u in range(9) for i in range(9)
    ]
    info = ingest(workspace, write(tmp_path / "u.data", "\n".join(lines) + "\n"))
    check_sums(info)
    assert info.counts["rows_kept"] == len(lines)
    assert (22, 377, 1.0, 878887116, 3) in table(
        info, "events", "user_id, item_id, value, epoch(timestamp)::BIGINT, source_row"
    )
    assert info.value_kind == "rating"


def test_online_retail_unedited(workspace):
    info = ingest(workspace, [RETAIL])
    check_sums(info)
    assert info.counts["rows_read"] == 541_909
    assert info.counts["rejected"] == {"no_user": 135_080}
    assert info.counts["users"] == 4_372
    assert info.weights == {"purchase": 5.0, "return": 0.0}
    facts = duckdb.sql(
        f"SELECT min(user_id), any_value(typeof(user_id)), count(*) FILTER (value < 0),"
        f" count(*) FILTER (event = 'return'), max(timestamp)::VARCHAR FROM '{info.path('events')}'"
    ).fetchall()
    assert facts == [(12346, "BIGINT", 8905, 8905, "2011-12-09 12:50:00")]
    assert info.meta["item_columns"] == ["Description", "UnitPrice"]
    assert info.meta["user_columns"] == ["Country"]
    first = table(info, "rejected", "file, line, reason, detail, record", "line LIMIT 1")[0]
    assert first[:4] == ("online_retail.parquet", 623, "no_user", "CustomerID is empty")
    assert json.loads(first[4])["InvoiceNo"] == "536414"


EVENTS = """event_time,event_type,product_id,brand,price,user_id,user_session
2019-10-01 00:00:00 UTC,view,44600062,shiseido,35.79,541312140,a
2019-10-01 00:00:01 UTC,cart,3900821,aqua,33.20,554748717,b
2019-10-01 00:00:01 UTC,purchase,3900821,aqua,33.20,554748717,b
2019-10-01 02:00:01+02:00,view,17200506,,543.10,519107250,c
2019-10-01 00:00:05 UTC,view,44600062,shiseido,35.79,519107250,c
"""


def test_a_log_of_events_in_the_layout_of_rees46(workspace, tmp_path):
    info = ingest(workspace, write(tmp_path / "2019-Oct.csv", EVENTS))
    check_sums(info)
    assert info.weights == {"cart": 3.0, "purchase": 5.0, "view": 1.0}
    assert info.value_kind == "price"
    columns = "user_id, item_id, timestamp::VARCHAR, event"
    assert table(info, "events", columns, "source_row")[3] == (
        519107250, 17200506, "2019-10-01 00:00:01", "view",
    )  # fmt: skip
    assert table(info, "items") == [
        (3900821, "aqua", 33.2), (17200506, None, 543.1), (44600062, "shiseido", 35.79),
    ]  # fmt: skip


OPEN_BANDIT = """,timestamp,item_id,position,click,propensity_score,user_feature_0,user_feature_1
0,2019-11-24 00:01:03.979311+00:00,2,2,0,0.045525,ce,2d
1,2019-11-24 00:01:45.406608+00:00,9,3,0,0.059345,ce,f1
2,2019-11-24 00:02:45.406608+00:00,9,1,1,0.059345,ce,f1
"""


def test_the_layout_of_open_bandit_without_user_ids(workspace, tmp_path):
    paths = []
    for policy in ("random", "bts"):
        (tmp_path / policy).mkdir()
        paths.append(write(tmp_path / policy / "men.csv", OPEN_BANDIT))
    info = ingest(workspace, paths)
    check_sums(info)
    assert info.meta["parts"] == {"random/men.csv": "events", "bts/men.csv": "events"}
    assert info.mapping["user_id"] == "user_feature_0+user_feature_1"
    assert "no user id" in info.meta["evidence"]["user_id"]
    assert info.time_kind == "clock"  # position is a slot on the page here
    assert table(info, "events", "user_id, item_id, event, source_row", "source_row")[:3] == [
        ("ce+2d", 2, "impression", 1), ("ce+f1", 9, "impression", 2), ("ce+f1", 9, "click", 3),
    ]  # fmt: skip
    assert info.weights == {"click": 1.0, "impression": 0.1}


def parquet(path: Path, sql: str) -> Path:
    duckdb.sql(sql).write_parquet(str(path))
    return path


def test_an_order_number_lists_and_a_table_of_users(workspace, tmp_path):
    events = parquet(
        tmp_path / "events.parquet",
        "SELECT (i // 10)::INT AS user_id, (i % 7)::INT AS item_id, (i % 10)::INT AS position"
        " FROM range(100) t(i)",
    )
    items = parquet(
        tmp_path / "items.parquet",
        "SELECT i AS item_id, ['a', 'b' || i] AS attributes FROM range(7) t(i)",
    )
    users = parquet(
        tmp_path / "users.parquet", "SELECT i AS user_id, '0' || i AS zip FROM range(10) t(i)"
    )
    info = ingest(workspace, [users, items, events])
    check_sums(info)
    assert info.time_kind == "order"
    assert "count up" in info.meta["evidence"]["timestamp"]
    assert table(info, "items")[3] == (3, ["a", "b3"])
    assert table(info, "users")[3] == (3, "03")
    assert table(info, "events", "typeof(timestamp)", "1 LIMIT 1") == [("BIGINT",)]


def test_sets_without_any_time_and_a_platform(workspace, tmp_path):
    path = parquet(
        tmp_path / "train.parquet",
        "SELECT i % 50 AS user_id, 'sport-' || i AS item_id, 'sport' AS platform"
        " FROM range(500) t(i)",
    )
    info = ingest(workspace, path)
    check_sums(info)
    assert info.time_kind == "none"
    assert "timestamp" not in duckdb.from_parquet(str(info.path("events"))).columns
    assert info.mapping["platform"] == "platform"


def test_ids_keep_their_own_form(workspace, tmp_path):
    text = "user,item\n007,1.0\n7,2.0\n,3.0\n1e3,4.0\n"
    info = ingest(workspace, write(tmp_path / "a.csv", text))
    assert table(info, "events", "user_id, item_id", "source_row") == [
        ("007", 1),
        ("7", 2),
        ("1e3", 4),
    ]
    assert info.counts["rejected"] == {"no_user": 1}


def test_an_id_that_is_no_number_far_down_turns_the_column_to_text(workspace, tmp_path):
    rows = "".join(f"{n},{n % 9}\n" for n in range(30_000)) + "abc,1\n"
    info = ingest(workspace, write(tmp_path / "a.csv", "user_id,item_id\n" + rows))
    check_sums(info)
    assert info.counts["users"] == 30_001
    assert ("abc",) in table(info, "events", "user_id")


MESSY = (
    'user_id,item_id,note,timestamp\r\n'      # line 1
    '1,10,plain,100\r\n'                       # 2
    '\r\n'                                     # 3: blank
    '2,20,"two\r\n\r\nlines, with ""quotes""",200\r\n'  # 4-6, one of them blank
    ',30,no user,300\r\n'                      # 7
    '3,40\r\n'                                 # 8: too short
    '\r\n\r\n'                                 # 9, 10: blank
    '4,50,x,soon\r\n'                          # 11: bad time
    '5,,"a\r\nb",500\r\n'                      # 12-13: no item
    '6,60,too,long,600\r\n'                    # 14: too long
    '7,70,last,\r\n'                           # 15: no time
    '8,80,good,800\r\n'                        # 16
)  # fmt: skip


@pytest.mark.parametrize("newline", ["\r\n", "\n"])
def test_rejected_rows_name_their_line_as_an_editor_shows_it(workspace, tmp_path, newline):
    path = write(tmp_path / "messy.csv", MESSY.replace("\r\n", newline))
    info = ingest(workspace, path, mapping={"time_format": "order"})
    check_sums(info)
    assert table(info, "rejected", "line, reason", "line") == [
        (7, "no_user"), (8, "malformed"), (11, "bad_time"), (12, "no_item"), (14, "malformed"),
        (15, "no_time"),
    ]  # fmt: skip
    assert table(info, "events", "user_id", "1") == [(1,), (2,), (8,)]
    details = dict(table(info, "rejected", "line, detail", "line"))
    assert details[11].startswith("soon in timestamp is no time")
    assert "4 are expected" in details[14]
    records = dict(table(info, "rejected", "line, record", "line"))
    assert records[8] == "3,40"
    assert json.loads(records[7])["note"] == "no user"


def test_lines_stay_right_when_many_threads_read(workspace, tmp_path):
    expected, lines = {}, ["user_id,item_id,note"]
    for n in range(300_000):
        line = len(lines) + 1
        if n % 9_973 == 0:
            lines.append("too,short")
            expected[line] = "malformed"
        elif n % 7_919 == 0:
            lines.append(f',{n},"a\n\nb"')
            lines.extend(["", ""])  # the cell's own lines, already in the text
            lines[-3:] = lines[-3].split("\n")
            expected[line] = "no_user"
        elif n % 13 == 0:
            lines.extend(f'{n},{n},"x ""{n}""\n{"y" * (n % 50)}"'.split("\n"))
        else:
            lines.append(f"{n},{n % 977},{'z' * (n % 100)}")
    info = ingest(workspace, write(tmp_path / "big.csv", "\n".join(lines) + "\n"))
    check_sums(info)
    assert dict(table(info, "rejected", "line, reason")) == expected


def test_the_same_input_is_ingested_once_and_renamed(workspace, tmp_path):
    path = write(tmp_path / "a.csv", EVENTS)
    first = ingest(workspace, path)
    assert first.name == "a"
    again = ingest(workspace, path, name="shop")
    assert (again.id, again.name, again.created) == (first.id, "shop", first.created)
    other = ingest(workspace, path, weights={"view": 0.5})
    assert other.id != first.id
    assert other.weights["view"] == 0.5
    assert len(workspace.datasets()) == 2
    assert list(workspace.tmp_folder.iterdir()) == []


def test_the_input_is_left_as_it_was(workspace, tmp_path):
    path = write(tmp_path / "a.csv", EVENTS)
    before = path.stat(), path.read_bytes()
    ingest(workspace, path)
    assert (path.stat().st_mtime_ns, path.read_bytes()) == (before[0].st_mtime_ns, before[1])


def test_cleaning_at_once_gives_the_cleaned_version(workspace, tmp_path):
    path = write(tmp_path / "a.csv", EVENTS + EVENTS.splitlines()[1] + "\n")
    info = ingest(workspace, path, clean=["dedupe"], name="tidy")
    assert info.name == "tidy"
    assert info.counts["rejected"] == {"cleaned:dedupe": 1}
    assert info.parent is not None


def test_weights_are_checked(workspace, tmp_path):
    path = write(tmp_path / "a.csv", EVENTS)
    with pytest.raises(BadInput, match="no event 'vew' to weigh; there are cart, purchase, view"):
        ingest(workspace, path, weights={"vew": 1})
    with pytest.raises(BadInput, match="must be 0 or more"):
        ingest(workspace, path, weights={"view": float("nan")})


def test_mapping_mistakes_list_what_there_is(workspace, tmp_path):
    path = write(tmp_path / "a.csv", EVENTS)
    with pytest.raises(
        BadInput, match=r"a.csv has no column 'Customer'; its columns are event_time, "
    ):
        ingest(workspace, path, mapping={"user_id": "Customer"})
    with pytest.raises(BadInput, match="no role 'usr'"):
        ingest(workspace, path, mapping={"usr": "user_id"})
    with pytest.raises(NotFound, match="does not exist"):
        ingest(workspace, tmp_path / "absent.csv")


def test_a_mapping_of_several_columns_and_of_none(workspace, tmp_path):
    path = write(tmp_path / "a.csv", EVENTS)
    info = ingest(
        workspace, path, mapping={"user_id": "brand+user_session", "value": None, "event": ""}
    )
    check_sums(info)
    assert ("shiseido+a",) in table(info, "events", "user_id")
    assert info.value_kind is None
    assert info.weights == {}


def test_duplicate_items_are_set_aside_with_their_reason(workspace, tmp_path):
    log = write(tmp_path / "log.csv", "user_id,item_id\n1,1\n2,2\n")
    items = write(tmp_path / "items.csv", "item_id,title\n1,A\n1,B\n,C\nx,D\n2,E\n")
    info = ingest(workspace, log, items=items)
    check_sums(info)
    assert table(info, "items") == [(1, "A"), (2, "E")]
    assert table(info, "rejected", "file, line, reason", "line") == [
        ("items.csv", 3, "duplicate_item"),
        ("items.csv", 4, "no_item"),
        ("items.csv", 5, "no_item"),
    ]  # fmt: skip


@pytest.mark.parametrize("option", ["items", "users"])
def test_a_file_that_describes_nothing_of_the_log_is_refused(workspace, tmp_path, option):
    noun = option[:-1]
    log = write(tmp_path / "log.csv", "user_id,item_id\n1,1\n2,2\n")
    nameless = write(tmp_path / "about.csv", "title,number\nTea,71\nCup,82\n")
    with pytest.raises(BadInput, match=rf"about\.csv describes no {noun} of the log by its column"):
        ingest(workspace, log, **{option: nameless})
    others = write(tmp_path / "about.csv", f"{noun}_id,title\n7,Tea\n8,Cup\n")
    with pytest.raises(BadInput, match=rf"by its column '{noun}_id'; the log has {noun}s such as"):
        ingest(workspace, log, **{option: others})
    one = write(tmp_path / "about.csv", f"{noun}_id,title\n2,Tea\n8,Cup\n")
    assert table(ingest(workspace, log, **{option: one}), option) == [(2, "Tea"), (8, "Cup")]


def test_archives_of_several_files(workspace, tmp_path):
    path = tmp_path / "ml.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("README.txt", "ratings.csv", "movies.csv"):
            archive.write(MOVIELENS / name, f"ml-latest-small/{name}")
    info = ingest(workspace, path)
    assert info.counts["rows_kept"] == 100_836
    assert info.meta["item_columns"] == ["title", "genres"]
    packed = tmp_path / "ratings.csv.gz"
    packed.write_bytes(gzip.compress((MOVIELENS / "ratings.csv").read_bytes()))
    assert ingest(workspace, packed).name == "ratings"


def test_json_lines_and_arrays(workspace, tmp_path):
    rows = [
        {"reviewerID": f"A{n}", "asin": f"B{n % 3}", "overall": 1 + n % 5,
         "unixReviewTime": 1_400_000_000 + n, "tags": ["x", "y"], "style": {"Color:": "red"}}
        for n in range(20)
    ]  # fmt: skip
    lines = [json.dumps(r) for r in rows]
    lines[4:4] = ["{broken", "", "[1, 2]"]
    info = ingest(workspace, write(tmp_path / "reviews.json", "\n".join(lines)))
    check_sums(info)
    assert info.counts["rows_kept"] == 20
    assert table(info, "rejected", "line, reason, record", "line") == [
        (5, "malformed", "{broken"), (7, "malformed", "[1, 2]"),
    ]  # fmt: skip
    assert info.value_kind == "rating"
    array = ingest(workspace, write(tmp_path / "array.json", json.dumps(rows)))
    assert array.counts["rows_kept"] == 20
    assert table(array, "events", "user_id, tags", "source_row")[1] == ("A1", ["x", "y"])


@pytest.mark.parametrize(
    ("dates", "kind"),
    [
        (["1/2/2011 8:26", "13/2/2011 8:27"], ("2011-02-01 08:26:00", "day")),
        (["1/2/2011 8:26", "2/13/2011 8:27"], ("2011-01-02 08:26:00", "day")),
        (["1/2/2011 8:26", "2/3/2011 8:27"], ("2011-02-01 08:26:00", "nothing in the log")),
        (["1/12/2011", "2/1/2011"], ("2011-01-12 00:00:00", "order of time")),
        (["2011-02-01T08:26:00+02:00", "2011-02-01"], ("2011-02-01 06:26:00", "ISO")),
        (["1296541560", "1296541561"], ("2011-02-01 06:26:00", "seconds")),
        (["1296541560123", "1296541561123"], ("2011-02-01 06:26:00.123", "milliseconds")),
        (["1296541560123456", "1296541561123456"], ("2011-02-01 06:26:00.123456", "microsec")),
        (["20110201", "20110202"], ("2011-02-01 00:00:00", "digits")),
        (["1 Feb 2011", "2 Feb 2011"], ("2011-02-01 00:00:00", "%b")),
        (["01.02.2011 08:26:00", "14.02.2011 08:26:00"], ("2011-02-01 08:26:00", "day")),
        (["2/1/11 8:26 AM", "2/14/11 8:26 PM"], ("2011-02-01 08:26:00", "day")),
    ],
)
def test_times_are_read_as_they_are_written(workspace, tmp_path, dates, kind):
    text = "user_id,item_id,date\n" + "".join(f"1,{n},{d}\n" for n, d in enumerate(dates))
    info = ingest(workspace, write(tmp_path / "a.csv", text))
    check_sums(info)
    assert info.counts["rows_kept"] == len(dates)
    assert table(info, "events", "timestamp::VARCHAR", "source_row")[0][0] == kind[0]
    assert kind[1] in info.meta["evidence"]["timestamp"]


def test_a_day_above_12_far_down_settles_the_format(workspace, tmp_path):
    rows = [f"1,{n},{1 + n % 12}/{1 + n % 11}/2011" for n in range(25_000)] + ["1,1,12/25/2011"]
    info = ingest(workspace, write(tmp_path / "a.csv", "user_id,item_id,date\n" + "\n".join(rows)))
    check_sums(info)
    assert info.meta["time_format"] == "%m/%d/%Y"


CELL = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufeff"), max_size=12
)
WHITE = " \t\r\n\v\f\xa0\u3000\ufeff"


@pytest.mark.slow
@settings(
    max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(
    rows=st.lists(st.tuples(CELL, CELL, CELL), min_size=2, max_size=12),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    newline=st.sampled_from(["\n", "\r\n"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_any_table_comes_back_with_its_ids(
    tmp_path_factory, rows, delimiter, quoting, newline, encoding
):
    folder = tmp_path_factory.mktemp("any")
    rows = [("first user", "first item", "x"), *rows]
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, quoting=quoting, lineterminator=newline)
    writer.writerow(["user_id", "item_id", "note"])
    writer.writerows(rows)
    path = folder / "any.csv"
    path.write_bytes(text.getvalue().encode(encoding))
    info = ingest(Workspace.open(folder / "home"), path)
    check_sums(info)
    assert info.counts["rows_read"] == len(rows)
    trimmed = [(n, u.strip(WHITE), i.strip(WHITE)) for n, (u, i, _) in enumerate(rows, 1)]
    kept = [
        row for row in trimmed if row[1].lower() not in MISSING and row[2].lower() not in MISSING
    ]
    assert table(info, "events", "source_row, user_id, item_id", "source_row") == kept


def test_preview_shows_what_ingest_will_do(tmp_path):
    seen = preview(write(tmp_path / "2019-Oct.csv", EVENTS))
    assert seen.files == {"2019-Oct.csv": "events"}
    assert seen.mapping == {
        "user_id": "user_id", "item_id": "product_id", "timestamp": "event_time",
        "event": "event_type", "value": "price", "platform": None,
    }  # fmt: skip
    assert seen.event_types == {"view": 1.0, "cart": 3.0, "purchase": 5.0}
    assert len(seen.rows) == 5
    assert seen.rows[0]["brand"] == "shiseido"
    assert [c.type for c in seen.columns][:4] == ["text", "text", "number", "text"]


def test_two_processes_ingest_the_same_file_at_once(workspace):
    code = (
        "import sys; from core.data.store import Workspace\n"
        "from core.data.ingest.ingest import ingest\n"
        "print(ingest(Workspace.open(sys.argv[1]), sys.argv[2]).id)"
    )
    command = [sys.executable, "-c", code, str(workspace.path), str(MOVIELENS / "ratings.csv")]
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    ids = {run.communicate(timeout=120)[0].strip() for run in runs}
    assert [run.returncode for run in runs] == [0, 0]
    assert ids == {d.id for d in workspace.datasets()}
    assert list(workspace.tmp_folder.iterdir()) == []


@pytest.mark.slow
def test_killed_at_any_moment_nothing_half_is_seen(workspace):
    code = (
        "import sys; from core.data.store import Workspace\n"
        "from core.data.ingest.ingest import ingest\n"
        "w = Workspace.open(sys.argv[1]); print('ready', flush=True); ingest(w, sys.argv[2])"
    )
    command = [sys.executable, "-c", code, str(workspace.path), str(MOVIELENS / "ratings.csv")]
    for delay in (0.0, 0.1, 0.3, 0.6, 1.0):
        run = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert run.stdout is not None
        run.stdout.readline()
        threading.Event().wait(delay)
        os.kill(run.pid, signal.SIGKILL)
        run.wait()
        run.stdout.close()
        for info in workspace.datasets():
            check_sums(info)
    ingest(workspace, MOVIELENS / "ratings.csv")
    assert list(workspace.tmp_folder.iterdir()) == []
