"""Simple rules beside a run: the same people, the same targets, nothing of the test looked at."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import pipeline
from core.data import dataset
from core.data.durable import read_json
from core.errors import Corrupt
from core.evaluate import evaluate, shortcuts
from core.evaluate.shortcuts import Repeats, drawn, last_period, reached_by_shortcuts
from core.pipeline import shortcuts as asked
from core.pipeline.training import split_as
from core.runs.metrics import RunMetrics
from core.runs.request import RunRequest
from core.runs.shortcuts import Margin, Shortcut
from core.types import Holdout, Interactions


def log_of(times, items=None):
    n = len(times)
    items = np.zeros(n, np.int64) if items is None else np.asarray(items)
    times = None if times[0] is None else np.sort(np.asarray(times))
    return Interactions(np.zeros(n, np.int64), items, np.ones(n, np.float32), 1, 9, times=times)


def test_the_last_period_by_hand():
    clock = last_period(log_of([1_000_000_000, 1_000_000_899, 1_000_000_900, 1_000_001_000]))
    assert (clock.kind, clock.events.tolist()) == ("clock", [False, False, True, True])
    assert (clock.first, clock.last) == (1_000_000_900, 1_000_001_000)
    order = last_period(log_of(range(20)))
    assert (order.kind, order.first, order.last, order.events.sum()) == ("order", 18, 19, 2)
    none = last_period(log_of([None] * 5))
    assert (none.kind, none.first, none.last, none.events.sum()) == ("all", None, None, 5)
    at_once = last_period(log_of([1_000_000_000] * 3))
    assert at_once.events.all()


@given(st.lists(st.lists(st.integers(0, 5), max_size=12), min_size=1, max_size=4))
def test_repeats_are_the_own_items_most_frequent_first_then_latest(histories):
    users = np.repeat(np.arange(len(histories)), [len(own) for own in histories])
    items = np.array([item for own in histories for item in own], np.int64)
    log = Interactions(users, items, np.ones(len(items), np.float32), len(histories), 6)
    scores = Repeats(6).score(log.queries()).numpy()
    for own, row in zip(histories, scores, strict=True):
        last = {item: place for place, item in enumerate(own)}
        expected = sorted(last, key=lambda item: (-Counter(own)[item], -last[item]))
        assert np.argsort(-row, kind="stable")[: len(expected)].tolist() == expected
        assert np.count_nonzero(row) == len(expected)


@pytest.fixture
def questions(shop):
    """A run's evaluation, its split, and what the rules reach on it; seen items are kept."""
    run = pipeline.train(shop, RunRequest("shop", "ease", device="cpu"))
    loaded = pipeline.load_run(shop, run, device="cpu")
    parts = split_as(loaded.load_dataset(), run.config)
    evaluation = evaluate(loaded.model, parts.test, train=parts.train, hide_seen=False)
    return evaluation, parts, reached_by_shortcuts(parts.train, parts.test, hide_seen=False)


def test_what_rules_reach_is_what_a_sort_of_plain_counts_reaches(questions):
    """The rules without matrices: dictionaries, and a loop over the people."""
    evaluation, parts, reached = questions
    train, test = parts.train, parts.test
    start = train.times.max() - 0.1 * (train.times.max() - train.times.min())
    recent = Counter(train.items[train.times >= start].tolist())
    always = Counter(train.items.tolist())
    for b in range(len(test)):
        own = test.queries[np.array([b])].items.tolist()
        last = {item: place for place, item in enumerate(own)}
        keys = {
            "last_period": lambda item: (recent[item], always[item]),
            "repeats": lambda item, own=own, last=last: (own.count(item), last.get(item, -1)),
        }
        target = int(test.targets[b])
        for name, key in keys.items():
            as_high = sum(key(item) >= key(target) for item in range(train.n_items))
            assert reached[name].places.places[b] == as_high, (name, b)
    margins = asked.margins_over(reached, evaluation, ["ndcg@10"])
    for name, (margin,) in margins.items():
        places = reached[name].places.places
        gain = np.where(places <= 10, 1 / np.log2(1 + np.minimum(places, 10)), 0.0)
        apart = evaluation.per_user["ndcg@10"] - gain  # a target each
        assert margin.reached == pytest.approx(gain.mean())
        assert margin.run == pytest.approx(evaluation.summary["ndcg@10"]["mean"])
        assert margin.difference == pytest.approx(apart.mean())
        assert margin.se == pytest.approx(np.sqrt(apart.var(ddof=1) / len(apart)))
        assert margin.low <= margin.difference <= margin.high


@pytest.mark.parametrize("wrong", ["targets", "people", "one rule"])
def test_rules_that_were_asked_something_else_are_not_held_against_a_run(wrong, questions):
    evaluation, parts, _ = questions
    test = parts.test
    other = {
        "targets": replace(test, targets=(test.targets + 1) % parts.train.n_items),
        "people": replace(test, queries=test.queries[np.arange(len(test))[::-1]]),
        "one rule": test[np.arange(len(test) - 1)],
    }[wrong]
    if wrong == "people":  # another order: the positions then stand for other people
        other = Holdout(other.queries, test.targets[::-1].copy(), test.offsets)
    reached = reached_by_shortcuts(parts.train, other, hide_seen=False)
    if wrong == "one rule":
        right = reached_by_shortcuts(parts.train, test, hide_seen=False)
        reached = {**right, "repeats": reached["repeats"]}
    with pytest.raises(AssertionError, match="not asked the same"):
        asked.margins_over(reached, evaluation, ["ndcg@10"])


def test_no_event_of_the_test_period_is_counted(shop):
    """By-time: what is popular in the last period is so before the cut, whatever comes after."""
    run = pipeline.train(shop, RunRequest("shop", "ease", split="by-time", device="cpu"))
    beside = pipeline.evaluate(shop, run, device="cpu").shortcuts
    events = pd.read_parquet(shop.dataset("shop").folder / "events.parquet")
    times = np.sort(events["timestamp"].astype("datetime64[s]").astype("int64"))
    before = times[: run.meta["split"]["train_events"]]
    after = times[len(before) :]
    assert before[-1] < after[0]
    assert beside.events == len(before)
    assert beside.period.last == before[-1]
    counted = (before >= before[-1] - 0.1 * (before[-1] - before[0])).sum()
    assert (beside.period.kind, beside.period.events) == ("clock", counted)


def test_a_rule_reaches_what_the_model_of_its_kind_reaches_and_is_compared_as_runs_are(shop):
    runs = {
        name: pipeline.train(shop, RunRequest("shop", name, params, device="cpu"))
        for name, params in (
            ("transitions", {}),
            ("ease", {}),
            ("recent_popularity", {"window_days": _tenth_in_days(shop)}),
        )
    }
    metrics = {name: pipeline.evaluate(shop, run, device="cpu") for name, run in runs.items()}
    graph, recent, repeats = metrics["ease"].shortcuts.shortcuts
    assert (repeats.name, repeats.margins, repeats.verdict) == ("repeats", (), "none")
    for rule, name in ((graph, "transitions"), (recent, "recent_popularity")):
        own = metrics[name].metrics["ndcg@10"].mean
        assert rule.margins[0].reached == pytest.approx(own, abs=1e-12)
    pair = pipeline.compare(shop, [runs["transitions"], runs["ease"]], metrics=["ndcg@10"])
    row = pair.iloc[0]
    assert graph.margins[0].difference == pytest.approx(row["difference"])
    assert graph.margins[0].p == pytest.approx(row["p"], abs=0.02)
    itself = metrics["transitions"].shortcuts.shortcuts[0]
    assert (itself.verdict, itself.margins[0].difference, itself.margins[0].se) == ("same", 0, 0)
    assert "the same as what follows what" in metrics["transitions"].shortcuts.sentence()


def _tenth_in_days(shop) -> float:
    data = dataset.load(shop.dataset("shop"))
    run = RunRequest("shop", "ease", device="cpu").resolve(shop)
    times = split_as(data, run).train.times
    return float(times.max() - times.min()) / 86_400 / 10


def test_rules_are_asked_once_for_a_split(shop, monkeypatch):
    for model in ("popularity", "ease"):
        run = pipeline.train(shop, RunRequest("shop", model, device="cpu"))
        first = pipeline.evaluate(shop, run, device="cpu").shortcuts
        kept = list((shop.dataset("shop").folder / "shortcuts").iterdir())
        assert len(kept) == 1
        with monkeypatch.context() as patch:  # it would be seen if they were asked again
            patch.setattr(asked, "reached_by_shortcuts", None)
            assert pipeline.evaluate(shop, run, device="cpu").shortcuts == first
        monkeypatch.setattr(asked, "reached_by_shortcuts", None)
    monkeypatch.undo()
    kept[0].write_bytes(kept[0].read_bytes()[:-1])
    assert pipeline.evaluate(shop, run, device="cpu").shortcuts == first, "asked anew"
    shown = pipeline.evaluate(shop, run, hide_seen=False, device="cpu").shortcuts
    assert shown.shortcuts[2].verdict != "none"
    assert len(list(kept[0].parent.iterdir())) == 2


def test_rules_learn_from_validation_events_only_where_the_run_did(shop):
    data = dataset.load(shop.dataset("shop"))
    config = RunRequest("shop", "ease", device="cpu").resolve(shop)
    parts = split_as(data, config, validation=True)
    assert len(parts.train) < len(parts.train_and_validation)
    model = pipeline.load_run(shop, pipeline.fit(shop, config), device="cpu").model
    evaluation = evaluate(model, parts.test, train=parts.train)
    for refit, log in ((True, parts.train_and_validation), (False, parts.train)):
        learnt = SimpleNamespace(config=SimpleNamespace(refit=refit))
        beside = asked.run_shortcuts(
            shop, data.info, evaluation, parts, learnt, lambda stage, share=None: None
        )
        assert beside.events == len(log)
    assert len(list((data.info.folder / "shortcuts").iterdir())) == 2, "each is kept apart"


def test_of_many_people_some_are_drawn_and_the_run_is_measured_on_these(questions, monkeypatch):
    evaluation, parts, everybody = questions
    monkeypatch.setattr(shortcuts, "MOST_PEOPLE", 7)
    rows = drawn(parts.test)
    assert len(rows) == 7
    assert rows.tolist() == drawn(parts.test).tolist() == sorted(set(rows.tolist()))
    some = reached_by_shortcuts(parts.train, parts.test, hide_seen=False)
    for name, rule in some.items():
        assert rule.queries.tolist() == rows.tolist()
        assert rule.places.places.tolist() == everybody[name].places.places[rows].tolist()
    margin = asked.margins_over(some, evaluation, ["recall@5"])["last_period"][0]
    assert margin.run == pytest.approx(evaluation.per_user["recall@5"][rows].mean())


def test_it_is_kept_with_the_metrics_and_older_ones_still_open(shop):
    run = pipeline.train(shop, RunRequest("shop", "ease", device="cpu"))
    metrics = pipeline.evaluate(shop, run, ks=(3, 5), device="cpu")
    assert [m.metric for m in metrics.shortcuts.shortcuts[0].margins] == ["ndcg@5", "recall@5"]
    assert run.metrics == metrics
    path = run.folder / "metrics.json"
    content = read_json(path)
    assert content["shortcuts"]["sentence"] == metrics.shortcuts.sentence()
    older = {name: value for name, value in content.items() if name != "shortcuts"}
    assert RunMetrics.from_json(older) == replace(metrics, shortcuts=None)
    newer = {**content, "shortcuts": {**content["shortcuts"], "more": 1}}
    assert RunMetrics.from_json(newer) == metrics
    path.write_text(json.dumps({**older, "shortcuts": {"people": 1}}))
    with pytest.raises(Corrupt, match="evaluate the run again"):
        run.check_metrics()


def margin(difference, p_holm, low=-1.0, high=1.0):
    return Margin("ndcg@10", 0.1, 0.1 + difference, difference, 0.01, low, high, p_holm, p_holm)


@pytest.mark.parametrize(
    ("margins", "verdict"),
    [
        ((margin(0.1, 0.01),), "better"),
        ((margin(-0.1, 0.01),), "worse"),
        ((margin(0.1, 0.06),), "unsure"),
        ((margin(-0.1, 0.06),), "unsure"),
        ((margin(0.0, 1.0),), "unsure"),  # as much gained as lost
        ((margin(0.0, 1.0, 0.0, 0.0),), "same"),
        ((margin(0.1, 0.06), margin(0.1, 0.01)), "unsure"),  # by the first metric
        ((), "none"),
    ],
)
def test_the_verdict_says_no_more_than_the_figures(margins, verdict):
    assert Shortcut("last_period", margins).verdict == verdict


def test_the_command_shows_them(shop_is_home, recscope):
    recscope("train", "shop", "--model", "ease", "--name", "one")
    _, out, err = recscope("evaluate", "one", "--keep-seen")
    _, told, _ = recscope("evaluate", "one", "--keep-seen", "--json")
    beside = told["shortcuts"]
    assert [rule["name"] for rule in beside["shortcuts"]] == list(shortcuts.NAMES)
    assert all(margin["se"] > 0 for rule in beside["shortcuts"] for margin in rule["margins"])
    assert beside["sentence"] in out
    assert "the last period is the last tenth of the time learnt from" in out
    assert "shortcuts" in err, "the stage is told"
    _, out, _ = recscope("evaluate", "one")
    assert "own items again cannot be listed, as seen items are hidden" in out
