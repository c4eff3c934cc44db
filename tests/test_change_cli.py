"""`counterfactual`, `what-if`, `overview`, `faithfulness`: what they say holds when asked again."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core import pipeline
from core.data.durable import write_json_atomically
from core.explain.checks.faithfulness import MEASURES
from core.runs import artifact
from core.runs.faithfulness import RunFaithfulness
from tests.test_explain_cli import events_of, fitted, refused, someone, table

__all__ = ["fitted"]

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("shop_is_home")]

SEVERAL = ("ease", "transitions", "item_knn", "als", "content", "unified", "recvae", "fusion")
K = 5


def recommended(shop, run, history: pd.DataFrame, folder: Path, k: int = 25) -> list:
    """The list that `recommend --histories` gives for these events, the oldest first."""
    path = table(history, folder / "history.csv")
    found = pipeline.recommend(shop, run, histories=path, k=k, device="cpu")
    return found["item_id"].tolist()


def with_more(history: pd.DataFrame, items: list) -> pd.DataFrame:
    """The history with events of these items after it, a second after one another."""
    last = history.iloc[-1]
    steps = pd.to_timedelta(np.arange(1, len(items) + 1), unit="s")
    more = pd.DataFrame({**last.to_dict(), "item_id": items})
    more["timestamp"] = last["timestamp"] + steps
    return pd.concat([history, more], ignore_index=True)


@pytest.mark.parametrize("name", SEVERAL)
def test_what_brings_an_item_in_does_so_by_recommend(name, shop, fitted, recscope, tmp_path):
    run, user = fitted(name), someone(shop, 5, 6)
    history = events_of(shop, user)
    items = recommended(shop, run, history, tmp_path)
    asked = 0
    for item in (items[K], items[-1]):
        words = ("--user", user, "--item", item, "--add", "-k", K, "--json")
        code, said, err = recscope("counterfactual", run.id, *words)
        assert code == 0, err
        assert (said["run"], said["user"], said["item"]) == (run.id, user, item)
        assert said["rank"] == items.index(item) + 1 > K
        assert said["last"]["item"] == items[K - 1]
        assert said["margin"] <= 0
        for one in said["additions"]:
            added = [each["item"] for each in one["added"]]
            after = recommended(shop, run, with_more(history, added), tmp_path)
            assert after.index(item) + 1 == one["rank_after"] <= K
            asked += 1
        singles = [
            extra
            for extra in range(10, 260, 10)
            if extra != item
            and item in recommended(shop, run, with_more(history, [extra]), tmp_path, K)
        ]
        lengths = {len(one["added"]) for one in said["additions"]}
        if singles:
            assert lengths == {1}
            assert said["enough"] == len(singles)
        else:
            assert 1 not in lengths
        if said["removal"]:
            gone = [event["number"] - 1 for event in said["removal"]["removed"]]
            rest = history.drop(index=history.index[gone])
            after = recommended(shop, run, rest, tmp_path) if len(rest) else []
            still = [i for i in after if i not in history["item_id"].tolist()]
            assert not after or still.index(item) + 1 == said["removal"]["rank_after"] <= K
    assert asked


@pytest.mark.parametrize("name", SEVERAL)
def test_what_takes_an_item_off_does_so_by_recommend(name, shop, fitted, recscope, tmp_path):
    run, user = fitted(name), someone(shop, 5, 8)
    history = events_of(shop, user)
    items = recommended(shop, run, history, tmp_path)
    words = ("--user", user, "--item", items[0], "-k", 2, "--json")
    code, said, err = recscope("counterfactual", run.id, *words)
    assert code == 0, err
    assert (said["rank_before"], said["events"]) == (1, len(history))
    if not said["found"]:
        assert (said["removed"], said["replaced_by"]) == ([], None)
        return
    gone = [event["number"] - 1 for event in said["removed"]]
    assert [event["item"] for event in said["removed"]] == history["item_id"].iloc[gone].tolist()
    rest = history.drop(index=history.index[gone])
    if len(rest):
        after = recommended(shop, run, rest, tmp_path)
        still = [i for i in after if i not in history["item_id"].tolist()]
        assert still.index(items[0]) + 1 == said["rank_after"] > 2
        assert said["replaced_by"]["item"] in still[:2]


@pytest.mark.parametrize("name", ["ease", "transitions", "unified"])
def test_what_if_is_the_list_of_the_edited_history(name, shop, fitted, recscope, tmp_path):
    run, user = fitted(name), someone(shop, 6, 9)
    history = events_of(shop, user)
    before = recommended(shop, run, history, tmp_path)
    first = history["item_id"].iloc[0]
    words = ("--drop", f"{first},@3", "--add", f"{before[1]},{before[0]}", "-k", K, "--json")
    code, said, err = recscope("what-if", run.id, "--user", user, *words)
    assert code == 0, err
    gone = sorted({*np.flatnonzero(history["item_id"] == first).tolist(), 2})
    assert [event["number"] - 1 for event in said["dropped"]] == gone
    assert [item["item"] for item in said["added"]] == before[1::-1]
    edited = with_more(history.drop(index=history.index[gone]), before[1::-1])
    after = recommended(shop, run, edited, tmp_path)
    listed = [move for move in said["moves"] if move["after"] is not None and move["after"] <= K]
    assert [move["item"] for move in listed] == after[:K]
    for move in said["moves"]:
        assert move["after"] == (after.index(move["item"]) + 1 if move["item"] in after else None)
        assert move["before"] == (
            before.index(move["item"]) + 1 if move["item"] in before else None
        )
    assert {move["item"] for move in said["moves"]} == {*after[:K], *before[:K]}
    text = recscope("what-if", run.id, "--user", user, *words[:-1])[1]
    assert "now in the history" in text


def test_texts_name_what_happens(shop, fitted, recscope, tmp_path):
    run, user = fitted("ease"), someone(shop, 5, 6)
    items = recommended(shop, run, events_of(shop, user), tmp_path)
    _, text, _ = recscope("counterfactual", run.id, "--user", user, "--item", items[0], "-k", 1)
    assert f" ({items[0]}) goes from place 1 to " in text
    words = ("--user", user, "--item", items[12], "--add", "-k", K)
    _, text, _ = recscope("counterfactual", run.id, *words)
    assert f" ({items[12]}) is in place 13; its score lies " in text
    assert "more event" in text


def test_a_stranger_may_be_asked_about(shop, fitted, recscope, tmp_path):
    run = fitted("ease")
    history = events_of(shop, someone(shop, 5, 6)).assign(user_id="ann")
    path = table(history, tmp_path / "ann.csv")
    items = recommended(shop, run, history, tmp_path)
    words = ("--histories", path, "--item", items[9], "--add", "-k", K, "--json")
    code, said, err = recscope("counterfactual", run.id, *words)
    assert code == 0, err
    assert (said["user"], said["rank"]) == ("ann", 10)
    code, said, _ = recscope("what-if", run.id, "--histories", path, "--add", items[0], "--json")
    assert (code, said["user"], said["added"][0]["item"]) == (0, "ann", items[0])


MISTAKES = [
    ("counterfactual", ["--user", "u1"], "--item"),
    ("counterfactual", ["--user", "nobody", "--item", "30"], "'nobody'"),
    ("counterfactual", ["--user", "u1", "--item", "777"], "item '777' is not in dataset shop"),
    ("counterfactual", ["--user", "u1", "--item", "OWN"], "is in the history, so it is not"),
    ("counterfactual", ["--user", "u1", "--item", "OWN", "--add"], "is in the history"),
    ("counterfactual", ["--user", "u1", "--item", "LAST"], "add --add to ask what would bring"),
    ("counterfactual", ["--user", "u1", "--item", "TOP", "--add"], "leave --add out"),
    ("counterfactual", ["--user", "u1", "--item", "TOP", "-k", "0"], "'0' is not a whole number"),
    ("counterfactual", ["--histories", "none.csv", "--item", "30"], "none.csv has no rows"),
    ("counterfactual", ["--histories", "lost.csv", "--item", "TOP", "-k", "25"], "is empty"),
    ("what-if", ["--user", "u1"], "nothing is dropped and nothing added"),
    ("what-if", ["--user", "u1", "--drop", "TOP"], "is not in the history, so there is nothing"),
    ("what-if", ["--user", "u1", "--drop", "777"], "item '777' is not in dataset shop"),
    ("what-if", ["--user", "u1", "--drop", "@0"], "there is no event @0: the history has"),
    ("what-if", ["--user", "u1", "--drop", "@99"], "there is no event @99"),
    ("what-if", ["--user", "u1", "--add", "777"], "item '777' is not in dataset shop"),
    ("what-if", ["--histories", "lost.csv", "--drop", "30"], "the history is empty"),
    ("what-if", ["--histories", "two.csv", "--add", "30"], "two.csv has 2 people"),
    ("overview", ["--people", "0"], "'0' is not a whole number"),
    ("overview", ["-k", "0"], "'0' is not a whole number"),
    ("overview", ["--seed", "-1"], "'-1' is not a whole number"),
    ("faithfulness", ["--people", "1"], "--people 1 is too few"),
]


@pytest.mark.parametrize(
    ("command", "words", "part"), MISTAKES, ids=[" ".join((c, *w)) for c, w, _ in MISTAKES]
)
def test_a_mistake_is_one_sentence(
    command, words, part, shop, fitted, recscope, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    Path("two.csv").write_text("user_id,item_id\nann,10\nbob,20\n")
    Path("none.csv").write_text("user_id,item_id\n")
    Path("lost.csv").write_text("user_id,item_id\nann,no such item\n")
    run = fitted("ease")
    history = events_of(shop, "u1")
    items = recommended(shop, run, history, tmp_path)
    places = {"OWN": history["item_id"].iloc[0], "TOP": items[0], "LAST": items[-1]}
    refused(recscope(command, run.id, *(places.get(word, word) for word in words)), part)


@pytest.mark.parametrize("name", ["ease", "fusion", "unified"])
def test_an_overview_is_that_of_the_engine(name, shop, fitted, recscope):
    run = fitted(name)
    words = ("--people", 12, "-k", 2, "--seed", 3)
    code, said, err = recscope("overview", run.id, *words, "--json")
    assert code == 0, err
    assert (said["run"], said["model"], said["k"], said["seed"]) == (run.id, name, 2, 3)
    assert said["users"] == 12
    assert 0 <= said["base_share"] <= 1
    assert {"recency", "base", "item.kind"} <= set(said["tables"])
    assert ("component" in said["tables"]) == (name == "fusion")
    shares = [bar["share"] for bar in said["tables"]["recency"]]
    assert sum(shares) == pytest.approx(1)
    assert sum(one["users"] for one in said["recommended"]) == 24
    assert all(one["users"] >= 2 for one in said["influences"])
    totals = [one["total"] for one in said["influences"]]
    assert totals == sorted(totals, reverse=True)
    assert [case["rank"] for case in said["cases"]] == [1, 2] * 12
    assert (
        sum(case["item"] == said["recommended"][0]["item"] for case in said["cases"])
        == (said["recommended"][0]["users"])
    )
    for case in said["cases"]:
        if case["verdict"] == "because":
            assert case["rank_without_causes"] > case["rank"]
        assert (case["cause"] is None) == (case["rank_without_causes"] is None)
    one = said["cases"][0]
    alone = recscope("explain", run.id, "--user", one["user"], "--item", one["item"], "--json")[1]
    assert (alone["rank"], alone["verdict"]) == (one["rank"], one["verdict"])
    assert {own["number"] for own in said["dependences"]} == {"age", "days", "item.price"}
    assert all(
        own["direction"] in ("rises", "falls", "unsure", "few") for own in said["dependences"]
    )
    assert [(own["by"], own["metrics"]) for own in said["cohorts"]] == [("length", [])]
    again = recscope("overview", run.id, *words, "--json")[1]
    assert again == said
    text = recscope("overview", run.id, *words)[1]
    assert text.startswith(f"{name}, the first 2 items of 12 people (seed 3)")
    assert "by recency" in text
    assert "value of an event against" in text
    assert "of 24 cases, those that fall furthest" in text


def test_faithfulness_is_measured_kept_and_listed(shop, fitted, recscope):
    run = fitted("ease")
    assert run.faithfulness is None
    code, said, err = recscope("faithfulness", run.id, "--people", 6, "--seed", 2, "--json")
    assert code == 0, err
    assert (said["people"], said["asked"], said["seed"], said["older"]) == (6, 6, 2, False)
    assert set(said["means"]) == {"values", "random", "cosine", "leave-one-out", "10-cluster SHAP"}
    assert all(set(figures) == set(MEASURES) for figures in said["means"].values())
    for order, figures in said["ahead"].items():
        for measure, ahead in figures.items():
            sign = 1 if MEASURES[measure] else -1
            means = [said["means"][way][measure]["mean"] for way in ("values", order)]
            assert ahead["mean"] == pytest.approx(sign * (means[0] - means[1]), abs=1e-12)
            assert ahead["people"] == 6
    stored = artifact.find_run(shop, run.id).faithfulness
    assert stored is not None
    assert stored.to_json() == {key: said[key] for key in stored.to_json()}
    (row,) = recscope("runs", "--json")[1]["runs"]
    assert row["faithfulness"]["means"] == said["means"]
    size = (run.folder / artifact.FAITHFULNESS).stat().st_size
    assert row["bytes"] >= size > 0
    again = recscope("faithfulness", run.id, "--people", 6, "--seed", 2, "--json")[1]
    assert again == said  # the seconds too: it was there
    other = recscope("faithfulness", run.id, "--people", 5, "--seed", 2, "--json")[1]
    assert other["people"] == 5
    assert other["created"] != said["created"]


def test_what_older_code_measured_is_told_and_measured_again(shop, fitted, recscope):
    run = fitted("ease")
    recscope("faithfulness", run.id, "--people", 4)
    path = run.folder / artifact.FAITHFULNESS
    content = json.loads(path.read_text())
    content["explanations"] = "0" * 12
    write_json_atomically(path, content)
    stored = artifact.find_run(shop, run.id).faithfulness
    assert stored is not None
    assert stored.older
    assert "older code for explanations" in stored.sentence
    assert recscope("runs", "--json")[1]["runs"][0]["faithfulness"]["older"]
    code, text, _ = recscope("faithfulness", run.id, "--people", 4)
    assert code == 0
    assert text.startswith("what was stored, of ")
    assert "was of older code: measured again" in text
    assert "±" in text
    now = artifact.find_run(shop, run.id).faithfulness
    assert now is not None
    assert (now.older, now.sentence) == (False, "")


@pytest.mark.parametrize("content", ["[]", "{}", '{"means": 1}', "{", '{"means": {"a": 1}}'])
def test_a_damaged_measurement_is_named_and_in_nobodys_way(content, shop, fitted, recscope):
    run = fitted("ease")
    recscope("faithfulness", run.id, "--people", 4)
    (run.folder / artifact.FAITHFULNESS).write_text(content)
    code, listed, err = recscope("runs", "--json")
    assert code == 0, err
    assert listed["runs"][0]["faithfulness"] is None
    (problem,) = listed["unreadable"]
    assert "faithfulness.json" in problem["problem"]
    assert "measure again" in problem["problem"]
    code, said, _ = recscope("faithfulness", run.id, "--people", 4, "--json")
    assert (code, said["people"]) == (0, 4)
    assert recscope("runs", "--json")[1]["unreadable"] == []


def test_training_anew_forgets_what_was_measured(shop, fitted, recscope):
    run = fitted("ease")
    recscope("faithfulness", run.id, "--people", 4)
    assert (run.folder / artifact.FAITHFULNESS).exists()
    artifact.delete_run(shop, run.id)
    assert fitted("ease").faithfulness is None


def test_figures_that_nobody_has_are_null_in_the_file_and_nan_here(fitted, recscope):
    run = fitted("ease")
    recscope("faithfulness", run.id, "--people", 4)
    stored = artifact.Run(run.id, run.folder, run.meta).faithfulness
    assert stored is not None
    content = stored.to_json()
    content["means"]["values"]["DEL"]["se"] = None
    figure = RunFaithfulness.from_json(content).means["values"]["DEL"]
    assert math.isnan(figure.se)
    assert RunFaithfulness.from_json(content).to_json() == content
