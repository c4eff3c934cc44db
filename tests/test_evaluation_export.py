"""An exported evaluation says all that it takes to measure the same with nothing but pandas."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core import pipeline
from core.errors import BadInput
from core.runs.request import RunRequest


def measured_again(folder: Path, k: int) -> dict[str, float]:
    """Recall and NDCG of the lists against the targets, from the files alone."""
    lists = pd.read_parquet(folder / "lists.parquet").query("rank <= @k")
    targets = pd.read_parquet(folder / "targets.parquet")
    queries = pd.read_parquet(folder / "queries.parquet")
    hits = lists.merge(targets, on=["query", "item_id"])
    recall, ndcg = [], []
    for query in queries["query"]:
        ranks = hits.loc[hits["query"] == query, "rank"].to_numpy()
        n = int((targets["query"] == query).sum())
        ideal = sum(1 / np.log2(place + 1) for place in range(1, min(n, k) + 1))
        recall.append(len(ranks) / n)
        ndcg.append((1 / np.log2(ranks + 1)).sum() / ideal)
    return {f"recall@{k}": float(np.mean(recall)), f"ndcg@{k}": float(np.mean(ndcg))}


@pytest.mark.parametrize("split", ["leave-last-out", "by-time"])
@pytest.mark.parametrize("hide_seen", [True, False])
def test_the_figures_follow_from_the_files(shop, tmp_path, split, hide_seen):
    cut = "0.3" if split == "by-time" else ""
    run = pipeline.train(shop, RunRequest("shop", "ease", ["l2=20"], split, device="cpu", cut=cut))
    out = tmp_path / "asked"
    metrics = pipeline.evaluate(shop, run, hide_seen=hide_seen, export=out)
    for k in (5, 10, 20):
        for name, value in measured_again(out, k).items():
            assert metrics.metrics[name].mean == pytest.approx(value, abs=1e-12)
    protocol = json.loads((out / "protocol.json").read_text())
    assert (protocol["split"], protocol["cut"]) == (split, cut)
    assert {path.name for path in out.iterdir()} == {*protocol["files"], "protocol.json"}


def test_what_may_be_seen_what_came_next_and_what_is_ranked(shop, tmp_path):
    run = pipeline.train(shop, RunRequest("shop", "popularity", device="cpu"))
    pipeline.evaluate(shop, run, export=tmp_path / "asked")
    log = pd.read_parquet(shop.dataset("shop").folder / "events.parquet")
    log = log.sort_values(["user_id", "timestamp", "source_row"])
    last = log.groupby("user_id").tail(1).set_index("user_id")["item_id"]
    queries = pd.read_parquet(tmp_path / "asked" / "queries.parquet").set_index("query")
    histories = pd.read_parquet(tmp_path / "asked" / "histories.parquet")
    targets = pd.read_parquet(tmp_path / "asked" / "targets.parquet").set_index("query")
    items = pd.read_parquet(tmp_path / "asked" / "items.parquet")["item_id"]
    assert set(items) == set(log["item_id"])
    for query, user in queries["user_id"].items():
        own = log[log["user_id"] == user]
        seen = histories[histories["query"] == query]
        assert seen["item_id"].tolist() == own["item_id"].tolist()[:-1]
        whole = own["timestamp"].dt.floor("s").tolist()[:-1]
        assert seen["timestamp"].tolist() == whole
        assert targets.loc[query, "item_id"] == last[user]
        hidden = last[user] in set(seen["item_id"])
        assert pd.isna(targets.loc[query, "place"]) == hidden
        assert queries.loc[query, "candidates"] == len(items) - seen["item_id"].nunique()


def test_a_folder_that_is_taken_is_left_alone(shop, tmp_path):
    run = pipeline.train(shop, RunRequest("shop", "popularity", device="cpu"))
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(BadInput, match="is not empty"):
        pipeline.evaluate(shop, run, export=tmp_path)


def test_by_command(shop_is_home, recscope, tmp_path):
    out = tmp_path / "asked"
    code, trained, _ = recscope(
        *("train", "shop", "--model", "popularity", "--split", "by-time"),
        *("--cut", "2023-01-01", "--json"),
    )
    assert (code, trained["cut"]) == (0, "2023-01-01T00:00:00+00:00")
    code, metrics, _ = recscope("evaluate", trained["run"], "--export", out, "--json")
    assert (code, metrics["cut"]) == (0, trained["cut"])
    seen = pd.read_parquet(out / "histories.parquet")["timestamp"]
    assert seen.max() < pd.Timestamp("2023-01-01")
    code, _, err = recscope("train", "shop", "--model", "popularity", "--cut", "0.2")
    assert code == 2
    assert "only by-time is cut" in err
    code, _, err = recscope(
        *("train", "shop", "--model", "popularity", "--split", "by-time", "--cut", "1066-10-14")
    )
    assert code == 2
    assert "outside of the log: 0 of its" in err


def test_what_weights_are_judged_by_is_chosen_by_command(shop_is_home, recscope):
    words = ("train", "shop", "--model", "fusion", "--split", "none", "--set")
    parts = [
        recscope("train", "shop", "--model", model, "--split", "none", "--json")[1]["run"]
        for model in ("popularity", "transitions")
    ]
    fused = (*words, f"components={','.join(parts)}")
    code, usual, _ = recscope(*fused, "--json")
    assert (code, usual["validate_on"]) == (0, "next-event")
    code, same, _ = recscope(*fused, "--validate-on", "next-event", "--json")
    assert (code, same["run"]) == (0, usual["run"])
    code, by_period, _ = recscope(*fused, "--validate-on", "next-period", "--json")
    assert (code, by_period["validate_on"]) == (0, "next-period")
    assert by_period["run"] != usual["run"]
    assert by_period["findings"]["validation"] != usual["findings"]["validation"]
    code, text, _ = recscope(*fused, "--validate-on", "next-period")
    assert code == 0
    assert "on validation: 0." in text
    assert f"by the next period of everyone, {by_period['findings']['people']} people" in text
    assert 0 < by_period["findings"]["people"] < usual["findings"]["people"]
    code, _, err = recscope(*fused, "--validate-on", "next-year")
    assert code == 2
    assert "choose one of next-event, next-visit, next-period" in err
    code, _, err = recscope("train", "shop", "--model", "als", "--validate-on", "next-period")
    assert code == 2
    assert "als needs no validation" in err
