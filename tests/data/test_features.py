from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from core.data.features import blocks, encode
from core.data.features.encode import features, texts

N = 40


def one(values: list, name: str = "x"):
    """The features and what was left out, of a table with this column alone."""
    return features(pd.DataFrame({"item_id": range(len(values)), name: values}), "item_id")


def hot(block) -> list[set[str]]:
    """The names that are on, row by row."""
    dense = block.matrix.toarray()
    assert set(np.unique(dense)) <= {0.0, 1.0}
    assert dense.dtype == np.float32
    return [{block.names[f] for f in np.flatnonzero(row)} for row in dense]


@pytest.mark.parametrize(
    "values",
    [
        ["Action|Comedy", None, "Comedy", "(no genres listed)"],
        ['["Action", "Comedy"]', None, '["Comedy"]', "[]"],
        ["['Action', 'Comedy']", "", "['Comedy']", "[]"],
        [["Action", "Comedy"], None, ["Comedy"], []],
        [np.array(["Action", " Comedy "]), None, np.array(["Comedy"]), np.array([""])],
        ["Comedy | Action | Action", None, "Comedy|", "|"],
    ],
)
def test_lists_however_they_are_written(values):
    found, left_out = one(values, "genres")
    assert hot(found.multi_hot) == [
        {"genres=Action", "genres=Comedy"},
        set(),
        {"genres=Comedy"},
        set(),
    ]
    assert left_out == {}
    assert [name for name, _ in found.blocks()] == ["multi_hot"]


def test_commas_make_a_list_only_where_the_labels_recur():
    genres = ["Action, Comedy", "Comedy, Drama", "Drama, Action", "Drama"] * 10
    assert one(genres)[0].multi_hot.names == ("x=Action", "x=Comedy", "x=Drama")
    titles = [f"Matrix, The part {n} of many words" for n in range(N)]
    assert one(titles, "title")[0].text is not None


def test_categories_numbers_and_dates():
    table = pd.DataFrame(
        {
            "item_id": [1, 2, 3, 4],
            "brand": ["b", "a", None, "b"],
            "in_stock": [True, False, None, True],
            "price": [1.5, np.nan, np.inf, 3],
            "made": pd.to_datetime(["1970-01-02 00:00", "1970-01-03 12:00", None, None]),
        }
    )
    found, left_out = features(table, "item_id")
    assert hot(found.categorical) == [
        {"brand=b", "in_stock=True"},
        {"brand=a", "in_stock=False"},
        set(),
        {"brand=b", "in_stock=True"},
    ]
    assert found.numeric.names == ("price", "made")
    np.testing.assert_array_equal(
        found.numeric.matrix,
        np.float32([[1.5, 1], [np.nan, 2.5], [np.nan, np.nan], [3, np.nan]]),
    )
    assert found.numeric.matrix.dtype == np.float32
    assert left_out == {}


def test_texts_become_unit_vectors_of_terms():
    found, _ = one(["Red wooden toy box", "Blue wooden toy box", None, "A tin of red paint"])
    block = found.text
    assert set(block.names) == {
        f"x: {term}" for term in ["red", "wooden", "toy", "box", "blue", "tin", "of", "paint"]
    }
    norms = np.sqrt(block.matrix.multiply(block.matrix).sum(axis=1)).A1.tolist()
    assert norms == pytest.approx([1, 1, 0, 1])
    likeness = (block.matrix @ block.matrix.T).toarray()
    assert likeness[0, 1] > likeness[0, 3] > 0
    assert likeness[1, 3] == 0


def test_chinese_texts_are_alike_where_they_share_characters():
    found, _ = one(["红色木制玩具", "蓝色木制玩具", "铁罐油漆"], "标题")
    likeness = (found.text.matrix @ found.text.matrix.T).toarray()
    assert likeness[0, 1] > 0.5
    assert likeness[0, 2] == 0
    assert "标题: 玩具" in found.text.names


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([None] * N, "no values"),
        ([""] * N, "no values"),
        (["same"] * N, "the same value everywhere"),
        ([7.0] * N, "the same number everywhere"),
        (list(range(N)), "a number of its own in each row"),
        ([f"B00{n}" for n in range(N)], "a value of its own in each row"),
    ],
)
def test_columns_that_say_nothing_are_left_out_and_said(values, reason):
    found, left_out = one(values)
    assert list(found.blocks()) == []
    assert left_out["x"].startswith(reason)


def test_numbers_that_are_called_ids_are_categories():
    found, _ = one(pd.array([2053013555631882655, 7, 7, None], "Int64"), "category_id")
    assert found.categorical.names == ("category_id=2053013555631882655", "category_id=7")
    assert one([1, 2, 2], "paid")[0].numeric is not None


def test_a_price_of_its_own_in_each_row_is_no_identifier():
    found, left_out = one([n + 0.5 for n in range(N)], "price")
    assert found.numeric.matrix.shape == (N, 1)
    assert left_out == {}


def test_huge_catalogues_stay_bounded(monkeypatch):
    monkeypatch.setattr(blocks, "MAX_VALUES", 2)
    monkeypatch.setattr(encode, "MAX_NUMBERS", 1)
    monkeypatch.setattr(blocks, "MAX_TERMS", 3)
    table = pd.DataFrame(
        {
            "item_id": range(6),
            "brand": ["c", "b", "b", "a", "a", "a"],
            "p": [1, 2, 3, 4, 5, 5],
            "q": [1, 2, 3, 4, 5, 5],
            "title": [f"one two three four {n} {n}" for n in range(10, 16)],
        }
    )
    found, left_out = features(table, "item_id")
    assert found.categorical.names == ("brand=a", "brand=b")
    assert hot(found.categorical)[0] == set()  # a brand that was cut off is missing
    assert found.numeric.names == ("p",)
    assert len(found.text.names) == 3
    assert left_out == {
        "brand (1 rarer values)": "only 2 are kept",
        "q": "more than 1 columns of numbers",
    }


def test_rows_keep_their_places_and_ids_are_left_alone():
    table = pd.DataFrame({"item_id": [5, 6, 7], "a": [None, "x", "x"], "b": ["y", None, "z"]})
    found, _ = features(table, "item_id")
    assert hot(found.categorical) == [{"b=y"}, {"a=x"}, {"a=x", "b=z"}]


def test_an_empty_table_gives_no_features():
    assert list(features(pd.DataFrame({"item_id": []}), "item_id")[0].blocks()) == []
    assert list(features(pd.DataFrame({"item_id": [1, 2]}), "item_id")[0].blocks()) == []


def test_what_the_texts_say_in_lines():
    table = pd.DataFrame(
        {
            "item_id": [1, 2, 3],
            "title": ["Heat", " Heat", None],
            "tags": [["slow", "loud"], None, []],
            "description": ["Two men meet in a city of a hundred lights", "n/a", "-"],
            "title_id": ["a", "b", "c"],
            "year": [1995, 1995, 1986],
            "colour": ["red", "red", "blue"],
        }
    )
    heat = "title: Heat\ntags: slow, loud\ndescription: Two men meet in a city of a hundred lights"
    assert texts(table, "item_id") == [heat, "title: Heat", ""]


def test_later_rows_are_told_by_the_columns_of_the_first():
    titles = ["One red ball", "Two blue ships go", "A red ship is here", "Blue red sky now"]
    titles += ["One last green ball", "A tale of two skies", "One red yak", "？"]
    table = pd.DataFrame(
        {
            "item_id": range(8),
            "brand": ["a", "b", "b", "a", "a", "b", "c", None],
            "genres": ["x|y", "y|z", "x|y", "z", "x", "y|z", "z|new", "(no genres listed)"],
            "price": [1.0, 2.0, np.nan, 4.0, 5.0, 1.0, 1e6, np.inf],
            "said": ["['p','q']", "['q']", "['p']", "[]", "['q']", "['p']", "p", "['r','q']"],
            "born": pd.to_datetime(["2020-01-01", "2020-01-03"] * 4),
            "title": titles,
            "same": ["k"] * 6 + ["other", "k"],
        }
    )
    first, left_out = features(table.iloc[:6], "item_id")
    whole, others_left_out = features(table, "item_id", learnt=6)
    assert others_left_out == left_out == {"same": "the same value everywhere"}
    for (kind, own), (_, block) in zip(first.blocks(), whole.blocks(), strict=True):
        assert block.names == own.names
        dense = [m if kind == "numeric" else m.toarray() for m in (own.matrix, block.matrix)]
        np.testing.assert_array_equal(dense[1][:6], dense[0])
    names = [*whole.categorical.names, *whole.multi_hot.names, *whole.numeric.names]
    assert names == [
        *("brand=a", "brand=b", "genres=x", "genres=y", "genres=z", "said=p", "said=q"),
        *("price", "born"),
    ]
    assert not whole.categorical.matrix[6:].toarray().any()  # brand c is none of a and b
    tags = whole.multi_hot.matrix[6:].toarray()
    np.testing.assert_array_equal(tags, [[0, 0, 1, 0, 0], [0, 0, 0, 0, 1]])
    np.testing.assert_array_equal(whole.numeric.matrix[6:, 0], [1e6, np.nan])
    words = dict(zip(whole.text.names, whole.text.matrix[6].toarray()[0], strict=True))
    assert {name for name, weight in words.items() if weight} == {"title: one", "title: red"}


@pytest.mark.parametrize("kind", ["text", "categories", "lists", "numbers"])
def test_a_row_that_comes_once_more_is_told_the_same(kind):
    rng = np.random.default_rng(3)
    makers = {
        "text": lambda: " ".join(rng.choice(["red", "blue", "sky", "ship", "yak"], 5)),
        "categories": lambda: str(rng.choice(["a", "b", "c"])),
        "lists": lambda: list(rng.choice(["a", "b", "c"], 2)),
        "numbers": lambda: float(rng.normal()),
    }
    values = [makers[kind]() for _ in range(N)]
    table = pd.DataFrame({"item_id": range(2 * N), "column": values * 2})
    [(name, block)] = features(table, "item_id", learnt=N)[0].blocks()
    matrix = block.matrix if name == "numeric" else block.matrix.toarray()
    np.testing.assert_allclose(matrix[N:], matrix[:N], atol=1e-6)
