"""A run is asked as by the command line: DataFrames out, what misleads refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import recscope as api
from core import pipeline


def test_recommendations_are_the_pipelines(run, ws):
    found = run.recommend()
    assert list(found) == ["user_id", "item_id", "rank", "score"]
    expected = pipeline.recommend(run._folders, run.stored)
    pd.testing.assert_frame_equal(found, expected)


def test_one_person_may_be_named_alone(run):
    alone = run.recommend("u1", k=3)
    assert alone["user_id"].unique().tolist() == ["u1"]
    pd.testing.assert_frame_equal(alone, run.recommend(["u1"], k=3))
    pd.testing.assert_frame_equal(alone, run.recommend(pd.Series(["u1", "u1"]), k=3))
    assert len(run.recommend([], k=3)) == 0


def test_ids_are_the_same_as_numbers_and_as_texts(ws):
    log = pd.DataFrame({"user_id": [1, 1, 2, 2, 3, 3] * 2, "item_id": [7, 8, 8, 9, 9, 7] * 2})
    run = ws.train(ws.ingest(log), "popularity", split="none")
    for same in (1, np.int64(1), "1", [1], ["1"], np.array([1]), pd.Series([1])):
        assert run.recommend(same, k=1, keep_seen=True)["user_id"].tolist() == [1]
    with pytest.raises(api.NotFound, match=r"'1\.0'.*ids such as 1, 2, 3"):
        run.recommend([1.0])
    gap = pd.DataFrame(
        {"user_id": ["x", "x"], "item_id": [7.0, 8.0]}
    )  # as pandas has ints with gaps
    assert run.recommend(histories=gap, k=3)["item_id"].tolist() == [9]


def test_labels_come_if_asked(run):
    found = run.recommend("u1", k=2, labels=True)
    assert list(found) == ["user_id", "item_id", "rank", "score", "label"]
    names = run.embed().set_index("item_id")["label"].to_dict()
    assert found["label"].tolist() == [names[item] for item in found["item_id"]]


def test_lists_keep_rules_and_what_they_cost_is_measured(run):
    rules = ["at-most kind=1", "boost kind=tea:0.5"]
    found = run.recommend(k=5, rules=rules)
    assert found["rank"].max() == 3  # there are three kinds
    assert found.attrs["rules"]["short"] == found["user_id"].nunique()
    assert list(found) == ["user_id", "item_id", "rank", "score", "model_rank"]
    own = run.evaluate(k=3)
    costs = run.evaluate(k=3, rules=["exclude kind=tea"])
    assert costs["own"].tolist() == own["mean"].tolist()
    np.testing.assert_allclose(costs["difference"], costs["mean"] - costs["own"])
    at = costs.set_index("metric").loc["ndcg@3"]
    assert at["difference_low"] <= at["difference"] <= at["difference_high"]
    assert run.stored.metrics.rules is None
    assert "auc" in set(costs["metric"])
    limited = run.evaluate(k=3, rules=rules)
    assert "auc" not in set(limited["metric"]), "nothing follows a list that a limit ends"
    assert limited["difference"].notna().all()


def test_histories_are_a_frame_or_a_file(run, tmp_path):
    frame = pd.DataFrame({"user_id": ["new", "new", "other"], "item_id": [10, 20, 30]})
    frame.to_csv(tmp_path / "h.csv", index=False)
    by_frame = run.recommend(histories=frame, k=4)
    assert by_frame["user_id"].unique().tolist() == ["new", "other"]
    pd.testing.assert_frame_equal(by_frame, run.recommend(histories=tmp_path / "h.csv", k=4))
    pd.testing.assert_frame_equal(by_frame, run.recommend(histories=str(tmp_path / "h.csv"), k=4))


def test_nobody_has_no_list_with_or_without_times(run):
    nobody = pd.DataFrame({"user_id": [], "item_id": [], "timestamp": []})
    assert len(run.recommend(histories=nobody)) == 0
    assert len(run.recommend(histories=nobody.drop(columns="timestamp"))) == 0


def test_what_is_said_of_unknown_items_names_no_scratch_file(run, caplog):
    run.recommend(histories=pd.DataFrame({"user_id": ["x", "x"], "item_id": [10, 999]}), k=1)
    assert "1 events of histories are of items" in caplog.text
    assert str(run._folders.path) not in caplog.text


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda r: r.recommend(["nobody"]), "1 of 1 users are not in dataset shop: 'nobody'"),
        (lambda r: r.recommend([float("nan")]), "'nan'"),
        (lambda r: r.recommend(["nobody"]), "whom it does not know come as histories"),
        (lambda r: r.recommend(1.0), "users must be one id or a list of ids, not float"),
        (lambda r: r.recommend(b"12"), "users must be one id or a list of ids, not bytes"),
        (lambda r: r.recommend({"u1": 1}), "users must be one id or a list of ids, not dict"),
        (lambda r: r.recommend(pd.DataFrame({"u1": [1]})), "a list of ids, not DataFrame"),
        (
            lambda r: r.recommend(
                histories=pd.DataFrame([["x", 1, 1]], columns=["user_id", "item_id", "item_id"])
            ),
            "the table of histories has two columns called 'item_id'",
        ),
        (lambda r: r.recommend(histories=pd.DataFrame()), "no columns in the table of histories"),
        (lambda r: r.evaluate(k=10**9), "only 25 items are ranked: ask for less"),
        (lambda r: r.evaluate(k=10**30), "only 25 items are ranked: ask for less"),
        (lambda r: r.explain("u1", seed="x"), "seed must be a whole number of at least 0, not 'x'"),
        (lambda r: r.embed(map=True, seed=-1), "seed must be a whole number of at least 0"),
        (lambda r: r.recommend("u1", k=0), "k must be a whole number of at least 1, not 0"),
        (lambda r: r.recommend("u1", k=2.0), "k must be a whole number of at least 1, not 2.0"),
        (lambda r: r.recommend("u1", k=True), "k must be a whole number of at least 1, not True"),
        (lambda r: r.recommend("u1", k=999), "knows 25 items: ask for less"),
        (lambda r: r.recommend("u1", "h.csv"), "give one of them"),
        (lambda r: r.recommend(histories=["u1"]), "histories are a DataFrame or a path"),
        (lambda r: r.recommend(histories="none.csv"), "there is no file 'none.csv'"),
        (lambda r: r.recommend(histories=pd.DataFrame({"u": [1]})), "needs the columns user_id"),
        (lambda r: r.evaluate(k="ten"), "k must be a whole number"),
        (lambda r: r.evaluate(k=0), "k must be a whole number of at least 1, not 0"),
        (lambda r: r.explain(), "a user, or a history"),
        (lambda r: r.explain("nobody"), "'nobody'"),
        (lambda r: r.explain("u1", item="tea"), "item 'tea' is not in dataset shop"),
        (lambda r: r.explain("u1", item=10, k=3), "give one of them"),
        (lambda r: r.explain("u1", item=10, against=10), "against itself"),
        (lambda r: r.explain("u1", k=1000), "ask for less"),
        (lambda r: r.explain("u1", method="lime"), "there is no method 'lime'"),
        (lambda r: r.explain([]), "the history is empty"),
        (lambda r: r.explain([10, 11]), "item '11' is not in dataset shop"),
        (lambda r: r.explain("u1", history=[10]), "a user, or a history"),
        (lambda r: r.explain([10], history=[10]), "two histories"),
        (lambda r: r.explain(history="u1"), "a history is a DataFrame, a pathlib.Path or a list"),
        (lambda r: r.explain(history=7), "a history is a DataFrame, a pathlib.Path or a list"),
        (
            lambda r: r.explain(pd.DataFrame({"user_id": [1, 2], "item_id": [10, 20]})),
            "the history is of 2 people",
        ),
        (lambda r: r.explain("u1", k=1).plot("tea"), "item 'tea' is not explained here"),
        (lambda r: r.neighbours("tea"), "item 'tea' is not in dataset shop"),
        (lambda r: r.neighbours(10, by="taste"), "neighbours are by vectors, content, together"),
        (lambda r: r.embed(of="shops"), "vectors are of items or of users, not of 'shops'"),
        (lambda r: r.embed(map=True, axes=4), "a map has 2 or 3 axes, not 4"),
    ],
)
def test_a_mistake_gets_one_sentence(run, call, sentence):
    with pytest.raises(api.BadInput) as refused:
        call(run)
    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_run_that_learnt_from_everything_is_not_measured(ws):
    with pytest.raises(api.BadInput, match="learnt from everything"):
        ws.train("shop", "popularity", split="none").evaluate()


def test_cutoffs_are_those_asked_for(run):
    metrics = run.evaluate(k=3)
    assert {"ndcg@3", "recall@3"} <= set(metrics["metric"])
    assert not metrics["metric"].str.contains("@10").any()
    row = metrics.set_index("metric").loc["ndcg@3"]
    assert row["low"] <= row["mean"] <= row["high"]


def test_simple_rules_beside_a_run(run):
    with pytest.raises(api.BadInput, match="not evaluated beside simple rules yet"):
        run.shortcuts()
    run.evaluate(k=5, keep_seen=True)
    beside = run.shortcuts().set_index(["rule", "metric"])
    assert set(beside.index) == {
        (rule, metric)
        for rule in ("transitions", "last_period", "repeats")
        for metric in ("ndcg@5", "recall@5")
    }
    apart = beside["run"] - beside["reached"]
    assert beside["difference"].to_numpy() == pytest.approx(apart.to_numpy())
    assert (beside["low"] <= beside["high"]).all()
    assert beside.loc["transitions", "se"].tolist() == [0.0, 0.0], "it is this very model"


def test_vectors_map_and_neighbours(run):
    plain, mapped = run.embed(), run.embed(map=True)
    assert list(plain)[:3] == ["item_id", "label", "v0"]
    assert {"x", "y", "cluster", "cluster_label"} <= set(mapped)
    near = run.neighbours(10, k=3)
    assert list(near) == ["item_id", "label", "cosine"]
    assert near["cosine"].is_monotonic_decreasing
    assert "both" in run.neighbours(10, by="together")
    drawn = run.map()
    assert sum(len(trace.x) for trace in drawn.data) == len(plain)
    assert run.map(axes=3).data[0].type == "scatter3d"


def test_what_has_no_vectors_says_so(ws):
    with pytest.raises(api.BadInput, match="no vectors"):
        ws.train("shop", "popularity").map()
