"""What a cell is told of changes and of many people: what the commands say, as tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import recscope as api


def test_they_say_what_the_command_line_says(run, shop_is_home, recscope):
    items = run.recommend("u1", k=20)["item_id"].tolist()
    asked = (
        (run.counterfactual("u1", items[0], k=3), "--item", items[0], "-k", 3),
        (run.why_not("u1", items[9], k=3), "--item", items[9], "--add", "-k", 3),
    )
    for answer, *words in asked:
        code, said, err = recscope("counterfactual", run.id, "--user", "u1", *words)
        assert code == 0, err
        assert said.rstrip("\n") == str(answer)
    code, said, _ = recscope("what-if", run.id, "--user", "u1", "--add", items[4], "-k", 3)
    assert (code, said.rstrip("\n")) == (0, str(run.what_if("u1", add=items[4], k=3)))
    code, said, _ = recscope("overview", run.id, "--people", 5)
    assert (code, said.rstrip("\n")) == (0, str(run.overview(people=5)))
    code, said, _ = recscope("faithfulness", run.id, "--people", 5)
    assert (code, said.rstrip("\n")) == (0, str(run.faithfulness(5)))


def test_a_removal_is_a_table_of_events(run, ws):
    item = run.recommend("u1", k=1)["item_id"][0]
    answer = run.counterfactual("u1", item, k=1)
    frame = answer.to_frame()
    assert frame.columns.tolist() == ["number", "item_id", "label", "timestamp"]
    history = ws.dataset("shop").history("u1")["item_id"].tolist()[::-1]
    assert frame["item_id"].tolist() == [history[number - 1] for number in frame["number"]]
    assert len(frame) == len(answer.answer.removed)


def test_additions_are_a_table(run):
    items = run.recommend("u1", k=20)["item_id"].tolist()
    answers = {item: run.why_not("u1", item, k=3) for item in items[3:8]}
    item = next(item for item, answer in answers.items() if answer.answer.additions)
    answer, frame = answers[item], answers[item].to_frame()
    first = frame[frame["addition"] == 1].sort_values("step")["item_id"].tolist()
    moved = run.what_if("u1", add=first, k=3).to_frame().set_index("item_id")
    assert moved.loc[item, "after"] == frame["rank_after"][0] <= 3
    assert moved.loc[item, "before"] == items.index(item) + 1
    assert answer.removed().columns.tolist() == ["number", "item_id", "label", "timestamp"]


def test_moves_are_those_of_the_lists(run):
    items = run.recommend("u1", k=5)["item_id"].tolist()
    frame = run.what_if("u1", add=items[0], k=5).to_frame()
    assert frame["before"].dtype == frame["after"].dtype == "Int64"
    gone = frame.set_index("item_id").loc[items[0]]
    assert gone["before"] == 1
    assert pd.isna(gone["after"])
    assert frame["after"].dropna().tolist()[:5] == [1, 2, 3, 4, 5]


def test_an_overview_has_tables(run):
    view = run.overview(people=10, k=2)
    for name in view.tables:
        frame = view.to_frame(name)
        assert isinstance(frame, pd.DataFrame)
        assert ("item_id" in frame) == (name in ("influences", "recommended", "idle", "cases"))
    assert view.to_frame("recommended")["users"].sum() == 20
    assert view.to_frame("recency")["share"].sum() == pytest.approx(1)
    cases = view.to_frame("cases")
    assert len(cases) == 20
    assert cases["rank"].tolist() == [1, 2] * 10
    first = cases.iloc[0]
    (told,) = run.explain(first["user_id"], item=first["item_id"]).items
    assert (first["rank"], first["verdict"]) == (told.rank, str(told.reasons.verdict))
    assert set(view.to_frame("dependences")["number"]) == {"age", "days", "item.price"}


def test_faithfulness_is_a_table_and_kept(run, ws):
    answer = run.faithfulness(6, seed=1)
    frame = answer.to_frame()
    assert not answer.older
    values = frame[frame["order"] == "values"].set_index("measure")
    assert values["ahead"].isna().all()
    other = frame[frame["order"] == "random"].set_index("measure")
    signs = np.where(values["more_is_better"], 1, -1)
    np.testing.assert_allclose(other["ahead"], signs * (values["mean"] - other["mean"]), atol=1e-12)
    assert ws.run(run.id).stored.faithfulness == answer.answer


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda r: r.counterfactual("u1"), "say which item is asked about"),
        (lambda r: r.counterfactual("u1", 777), "item '777' is not in dataset shop"),
        (lambda r: r.counterfactual("nobody", 10), "'nobody'"),
        (lambda r: r.counterfactual(item=10), "say whose recommendation"),
        (lambda r: r.counterfactual("u1", 10, k=0), "k must be a whole number of at least 1"),
        (lambda r: r.what_if("u1"), "nothing is dropped and nothing added"),
        (lambda r: r.what_if("u1", add={"a": 1}), "add must be an item's id or a list of ids"),
        (lambda r: r.what_if("u1", drop=1.5), "drop must be an item's id or a list of ids"),
        (lambda r: r.what_if("u1", drop="@77"), "there is no event @77"),
        (lambda r: r.why_not([], 10), "the history is empty"),
        (lambda r: r.overview(people=0), "people must be a whole number of at least 1"),
        (lambda r: r.overview(people=3).to_frame("x"), "there is no table 'x': choose one of inf"),
        (lambda r: r.faithfulness(1), "people must be a whole number of at least 2"),
        (lambda r: r.faithfulness(seed=-1), "seed must be a whole number of at least 0"),
    ],
)
def test_what_is_wrong_is_said(call, sentence, run):
    with pytest.raises(api.BadInput, match=sentence.replace("(", r"\(")):
        call(run)


def test_an_item_on_the_list_and_one_that_is_not(run):
    items = run.recommend("u1", k=20)["item_id"].tolist()
    with pytest.raises(api.BadInput, match="is not in the top 3, so nothing can take it out"):
        run.counterfactual("u1", items[10], k=3)
    with pytest.raises(api.BadInput, match="is in the top 3 already"):
        run.why_not("u1", items[0], k=3)
