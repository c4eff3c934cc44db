"""What a card says of an item: from columns whose values recur, never from a title or an id."""

from __future__ import annotations

import pandas as pd
import pytest

from core.data.item_cards import CardColumns, ItemFacts, card_columns, item_facts
from core.data.store import DatasetInfo, Workspace
from tests.conftest import MakeDataset

N = 40


def described(make_dataset: MakeDataset, **columns: object) -> DatasetInfo:
    events = pd.DataFrame({"user_id": [n % 7 for n in range(N)], "item_id": range(N)})
    return make_dataset(events, items=pd.DataFrame({"item_id": range(N), **columns}))


def test_films_are_known_by_their_genres(workspace: Workspace) -> None:
    info = workspace.dataset("movielens")
    columns = card_columns(info)
    assert (columns.category, columns.others) == ("genres", ())
    assert columns.frequent[:3] == ("Comedy", "Drama", "Action")
    assert len(columns.frequent) == 7
    facts = item_facts(info, columns, [1, 318, 114335, -1])
    assert facts["1"] == ItemFacts("Adventure", ("Adventure", "Animation", "Children"))
    assert facts["318"] == ItemFacts("Crime", ("Crime", "Drama"))
    assert facts["114335"] == ItemFacts()  # "(no genres listed)"
    assert set(facts) == {"1", "318", "114335"}


def test_a_gift_shop_has_a_price_and_no_category(workspace: Workspace) -> None:
    info = workspace.dataset("online-retail")
    columns = card_columns(info)
    assert (columns.category, columns.others) == (None, ("UnitPrice",))
    facts = item_facts(info, columns, ["10002"])
    assert facts == {"10002": ItemFacts("", ("UnitPrice 0.85",))}


def test_a_category_goes_before_other_kinds_and_says_what_it_is(make_dataset: MakeDataset) -> None:
    info = described(
        make_dataset,
        title=[f"Thing number {n}" for n in range(N)],
        brand=[f"b{n % 5}" for n in range(N)],
        **{"商品类别": ["茶|绿茶" if n % 2 else "茶杯" for n in range(N)]},
        sku=[f"sku-{n}" for n in range(N)],
        price=[1234.5 + n for n in range(N)],
        same=["x"] * N,
        long=[("long words " * 9) + str(n % 3) for n in range(N)],
    )
    columns = card_columns(info)
    assert columns == CardColumns("商品类别", ("brand", "price"), ("茶", "茶杯"))
    facts = item_facts(info, columns, [3, 4])
    assert facts["3"] == ItemFacts("茶", ("茶", "绿茶", "b3", "price 1237.5"))
    assert facts["4"] == ItemFacts("茶杯", ("茶杯", "b4", "price 1238.5"))


def test_lists_are_categories_too(make_dataset: MakeDataset) -> None:
    kinds = [["tea", "green", "loose", "sweet"] if n % 2 else ["cup"] for n in range(N - 1)]
    info = described(make_dataset, name=[f"n {n}" for n in range(N)], tags=[*kinds, None])
    columns = card_columns(info)
    assert (columns.category, columns.frequent) == ("tags", ("cup", "tea"))
    facts = item_facts(info, columns, [1, N - 1])
    assert facts["1"] == ItemFacts("tea", ("tea", "green", "loose"))
    assert facts[str(N - 1)] == ItemFacts()


@pytest.mark.parametrize("hostile", ['a"; DROP TABLE items; --', "<script>", "x'y"])
def test_a_column_with_any_name_is_only_a_name(make_dataset: MakeDataset, hostile: str) -> None:
    kind = [f"{hostile}|{n % 3}" for n in range(N)]
    info = described(make_dataset, title=[str(n) for n in range(N)], **{f"kind {hostile}": kind})
    columns = card_columns(info)
    assert columns.category == f"kind {hostile}"
    assert item_facts(info, columns, [4])["4"] == ItemFacts(hostile, (hostile, "1"))


def test_without_a_table_of_items_nothing_is_known(make_dataset: MakeDataset) -> None:
    info = make_dataset(pd.DataFrame({"user_id": [1, 2], "item_id": [1, 2]}))
    assert card_columns(info) == CardColumns()
    assert item_facts(info, CardColumns(), [1]) == {}
    assert item_facts(info, CardColumns("kind"), []) == {}
