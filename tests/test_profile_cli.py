"""What people do in a dataset, by command: profile, and a version of what a filter leaves."""

from __future__ import annotations

import pytest

from core.data.profile.filters import DAY_S, parse_terms
from core.data.quality.cleaning import clean
from core.data.store import Workspace
from core.errors import BadInput

pytestmark = pytest.mark.usefixtures("shop_is_home")


def test_a_profile_is_said_and_written(recscope, shop):
    code, said, err = recscope("profile", "shop", "--filter", "item.kind=tea")
    assert code == 0, err
    assert said.startswith("item.kind=tea: ")
    assert "* tea" in said
    assert "events" in said
    code, found, err = recscope("profile", "shop", "--filter", "item.kind=tea", "--json")
    assert code == 0, err
    assert found["dataset"] == "5" * 12
    assert found["filter"] == ["item.kind=tea"]
    counts = {row["value"]: row["events"] for row in found["facets"]["item.kind"]}
    assert found["events"] == counts["tea"]
    assert sum(counts.values()) == shop.dataset("shop").counts["rows_kept"]
    assert [column["column"] for column in found["tables"]["items"]["columns"]][1:] == [
        "kind",
        "price",
    ]


def test_a_term_that_means_nothing_is_a_mistake(recscope):
    code, _, err = recscope("profile", "shop", "--filter", "item.kind=milk")
    assert code == 2
    assert err.endswith("recscope: no event has item.kind=milk: there are cup, pot, tea\n")


def test_a_version_of_a_filter_says_where_it_comes_from(recscope, shop):
    words = ("clean", "shop", "--filter", "item.kind=tea", "--filter", "time=2021..")
    code, made, err = recscope(*words, "--name", "tea", "--json")
    assert code == 0, err
    version = shop.dataset("tea")
    line = "filter time=2021-01-01..,item.kind=tea"
    assert (made["dataset"], made["parent"], made["cleaning"]) == (version.id, "5" * 12, [line])
    before = shop.dataset("shop").counts
    assert made["rows_read"] == made["rows_kept"] + made["rows_rejected"] == before["rows_read"]
    assert made["rejected"]["cleaned:filter"] == before["rows_kept"] - made["rows_kept"]
    _, found, _ = recscope("profile", "shop", *words[2:], "--json")
    assert (made["rows_kept"], made["users"], made["items"]) == (
        found["events"], found["users"], found["items"],
    )  # fmt: skip
    _, again, _ = recscope(*reversed_filters(words), "--json")
    assert again["dataset"] == made["dataset"]  # the same filter, the same version
    code, _, err = recscope("train", "tea", "--model", "popularity", "--device", "cpu")
    assert code == 0, err


def reversed_filters(words: tuple[str, ...]) -> tuple[str, ...]:
    return (*words[:2], *words[4:], *words[2:4])


def test_what_is_left_is_cleaned_as_a_whole_log_would_be(shop):
    """Steps that look at neighbours in the file see those of the filter."""
    info = shop.dataset("shop")
    both = clean(shop, info, "cap=2", terms=["item.kind=tea"])
    one_by_one = clean(shop, clean(shop, info, (), terms=["item.kind=tea"]), "cap=2")
    tables = [(version.folder / "events.parquet").read_bytes() for version in (both, one_by_one)]
    assert tables[0] == tables[1]
    assert both.meta["cleaning"] == ["filter item.kind=tea", "cap=2"]
    assert both.counts == one_by_one.counts


def test_a_version_of_a_version_can_be_filtered_again(shop):
    tea = clean(shop, shop.dataset("shop"), (), terms=["item.kind=tea"], name="tea")
    wanted = parse_terms(["time=2021"], (), "clock")
    assert wanted.until - wanted.since == 365 * DAY_S
    late = clean(shop, tea, (), terms=["time=2021"])
    assert late.meta["cleaning"] == ["filter item.kind=tea", "filter time=2021-01-01..2021-12-31"]
    assert late.parent == tea.id


@pytest.mark.parametrize(
    ("terms", "sentence"),
    [
        ([], "no cleaning was given, and no filter"),
        (["time=1999"], "the filter leaves nothing of the "),
        (["item.price=1"], "is no filter of this log"),
    ],
)
def test_no_version_is_made_of_nothing(shop: Workspace, terms, sentence):
    with pytest.raises(BadInput, match=sentence):
        clean(shop, shop.dataset("shop"), (), terms=terms)
    assert len(shop.datasets()) == 1


def test_a_report_makes_a_filtered_version_again(recscope, shop, tmp_path):
    recscope("clean", "shop", "dedupe", "--filter", "item.kind=tea", "--name", "tea")
    recscope(
        "train", "tea", "--model", "popularity", "--name", "p", "--evaluate", "--device", "cpu"
    )
    out = tmp_path / "report.html"
    code, _, err = recscope("report", "p", "--out", out)
    assert code == 0, err
    page = out.read_text("utf-8")
    assert "recscope clean tea dedupe --filter item.kind=tea --name tea" in page
