from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from core.data.dataset import histories
from core.errors import BadInput, NotFound
from core.types import Vocab

ITEMS = Vocab(np.array([10, 20, 30]))


@pytest.fixture
def table(tmp_path):
    def write(text: str, name: str = "people.csv"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def told(path, items=ITEMS, **options):
    """{person: the items of the history}, and the count of unknown rows."""
    people, queries, unknown = histories(path, items, **options)
    return {
        person: items.decode(queries[b : b + 1].items).tolist()
        for b, person in enumerate(people.tolist())
    }, unknown


def test_people_in_order_of_appearance_rows_in_order_of_time(table):
    path = table(
        "user_id,item_id,timestamp\n9,10,300\n7,20,100\n9,30,100\n9,20,100\n7,99,50\n5,98,1\n"
    )
    assert told(path) == ({9: [30, 20, 10], 7: [20], 5: []}, 2)


def test_without_times_the_file_is_the_order(table):
    path = table("item_id\tuser_id\tnote\n30\tann\tx\n10\tbob\ty\n20\tann\tz\n", "a [1] *.tsv")
    assert told(path) == ({"ann": [30, 20], "bob": [10]}, 0)
    _, queries, _ = histories(path, ITEMS)
    assert queries.times is None
    assert queries.values is None
    assert queries.users.tolist() == [-1, -1]
    assert queries.weights.tolist() == [1, 1, 1]


def test_times_values_and_weights(table):
    path = table(
        "User_ID,Item_ID,Timestamp,Value,Event\n"
        "1,10,2024-01-01 00:00:01,4.5,view\n"
        "1,20,2024-01-01T00:00:00Z,,buy\n"
        "1,30,2024-01-02,2,back\n"
    )
    _, queries, _ = histories(path, ITEMS, {"buy": 5.0, "back": 0.0})
    assert queries.items.tolist() == [1, 0]
    assert queries.times.tolist() == [1_704_067_200, 1_704_067_201]
    np.testing.assert_array_equal(queries.values, np.float32([np.nan, 4.5]))
    assert queries.weights.tolist() == [5, 1]


def test_kinds_of_events_and_platforms_get_the_codes_of_the_dataset(table):
    path = table(
        "user_id,item_id,event,platform\n1,10,view,web\n1,20,buy,\n1,30,gift,app\n1,10,,tv\n"
    )
    _, queries, _ = histories(path, ITEMS, {"buy": 5.0}, (["buy", "view"], ["app", "web"]))
    assert queries.events.tolist() == [1, 0, -1, -1]
    assert queries.platforms.tolist() == [1, -1, 0, -1]
    assert queries.weights.tolist() == [1, 5, 1, 1]
    _, queries, _ = histories(path, ITEMS, {"buy": 5.0})
    assert (queries.events, queries.platforms) == (None, None)


def test_parquet_and_ids_that_only_look_like_numbers(tmp_path):
    path = tmp_path / "people.parquet"
    pd.DataFrame({"user_id": ["007", "8"], "item_id": [10, 30]}).to_parquet(path)
    assert told(path) == ({"007": [10], "8": [30]}, 0)
    assert told(path, Vocab(np.array(["10", "x"], object))) == ({"007": ["10"], "8": []}, 1)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("user,item\n1,2\n", "needs the columns user_id and item_id .* it has user, item"),
        ("user_id,item_id\n1,10\n,20\n", "1 rows of people.csv .* record 2 has no user_id"),
        ("user_id,item_id,value\n1,10,good\n", "record 1 has 'good' as its value"),
        ("user_id,item_id,timestamp\n1,10,soon\n", "timestamps of people.csv .* 'soon'"),
        ("user_id,item_id,timestamp\n" + "1,10,5\n" * 30 + "1,10,x\n", "record 31 has 'x'"),
        ("", "empty"),
        (
            "user_id,item_id\n",
            r"^people.csv has no rows: it needs one for each thing that somebody",
        ),
        ("item_id,user_id,timestamp,value\n", "^people.csv has no rows: it needs one"),
        ("user_id,item_id\n1,10\n2,3,4,5\n", "cannot be read as a table"),
    ],
)
def test_what_cannot_be_read_is_refused(table, text, sentence):
    with pytest.raises(BadInput, match=sentence):
        histories(table(text), ITEMS)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(NotFound, match=r"nobody\.csv"):
        histories(tmp_path / "nobody.csv", ITEMS)
