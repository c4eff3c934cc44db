"""Where a reason came from, of a run: names and times, the command, a notebook, training again."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import recscope as api
from core import pipeline
from core.errors import BadInput
from core.explain import origin as core_origin
from core.pipeline.explanations import origin
from core.pipeline.training import learnt_from
from core.runs import artifact
from tests.explaining import refused, someone, table, train

pytestmark = pytest.mark.slow


@pytest.fixture
def run(shop):
    return train(shop, "two_tower", "epochs=6", "batch=64", "dim=8")


@pytest.fixture
def asked(shop, run):
    """The run, a person, their history, the first item of their list, and its first reason."""
    loaded = pipeline.load_run(shop, run, device="cpu")
    user = someone(shop, 6, 9)
    query = pipeline.history_of(loaded, user)
    for item in pipeline.ranked_items(loaded, query).tolist():
        why = pipeline.explain_items(loaded, query, np.array([item]))
        cause = pipeline.strongest_cause(query, why)
        if cause is not None and pipeline.reason_origins(loaded, query, cause, item).origins:
            return loaded, user, query, item, cause
    raise AssertionError("somebody taught something")


def test_the_strongest_cause_is_the_item_whose_events_add_most(asked):
    loaded, _, query, item, cause = asked
    why = pipeline.explain_items(loaded, query, np.array([item]))
    values = pd.Series(why.values[:, 0]).groupby(query.items).sum()
    assert cause == values.drop(item, errors="ignore").idxmax()
    assert values[cause] > 0


def test_people_and_events_are_those_of_the_log(shop, asked):
    loaded, user, query, item, cause = asked
    answer = pipeline.reason_origins(loaded, query, cause, item, user=user)
    data = loaded.load_dataset()
    log = learnt_from(data, loaded.run.config, loaded.model)
    traced = core_origin.origins(loaded.model, query, cause, item, log, n_items=len(loaded.items))
    events = pd.read_parquet(shop.dataset("shop").folder / "events.parquet")
    ids = loaded.items.ids
    assert (answer.cause.item, answer.item.item) == (ids[cause], ids[item])
    assert answer.takers == log.where(log.items == item).queries().lengths.astype(bool).sum() - sum(
        log.items[start] == item and item not in log.items[start + 1 : stop]
        for start, stop in zip(log.offsets[:-1], log.offsets[1:], strict=True)
        if stop > start
    )
    assert len(answer.origins) == min(10, int((traced.influence > 0).sum()))
    for each, code in zip(answer.origins, traced.users.tolist(), strict=False):
        assert each.user == data.users.ids[code]
        assert each.own == (each.user == user)
        own = events[events["user_id"] == each.user]
        times = own["timestamp"].dt.strftime("%Y-%m-%dT%H:%M:%SZ").tolist()
        taken, because = times.index(each.taken.timestamp), times.index(each.because.timestamp)
        assert own["item_id"].iloc[taken] == each.taken.item.item == ids[item]
        assert own["item_id"].iloc[because] == each.because.item.item
        assert taken - because - 1 == each.between >= 0
        assert each.has_cause == (ids[cause] in own["item_id"].iloc[:taken].tolist())
    shares = [each.share for each in answer.origins]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(1) or len(answer.origins) == 10
    json.dumps(answer.to_json())


def test_trained_again_without_nobody_a_run_is_what_it_was(asked):
    loaded, _, query, *_ = asked
    again = origin.trained_without(loaded, np.zeros(0, np.int64))
    np.testing.assert_array_equal(again.score(query), loaded.model.score(query))


def test_training_again_says_what_is_left_and_leaves_no_run(shop, asked):
    loaded, user, query, item, cause = asked
    answer = pipeline.reason_origins(loaded, query, cause, item, user=user, retrain=True)
    check = answer.retrained
    left_out = [each for each in answer.origins if not each.own]
    assert check.people == len(left_out) > 0
    assert check.value == answer.value
    codes = loaded.load_dataset().users.encode([each.user for each in left_out])
    model = origin.trained_without(loaded, codes)
    keep = np.stack([np.ones(len(query.items), bool), query.items != cause])
    scores = model.score(query.subsets(keep)).double().numpy()
    others = np.setdiff1d(np.arange(len(loaded.items)), query.items)
    lifts = scores[:, item] - scores[:, others].mean(axis=1)
    assert check.without == pytest.approx(lifts[0] - lifts[1], abs=1e-5)
    assert check.without != check.value
    assert [run.id for run in artifact.list_runs(shop)] == [loaded.run.id]


@pytest.mark.usefixtures("shop_is_home")
def test_the_command_says_the_same_in_words_and_json(asked, recscope, tmp_path):
    loaded, user, query, item, cause = asked
    wanted = pipeline.reason_origins(loaded, query, cause, item, user=user)
    words = ("explain", loaded.run.id, "--user", user, "--item", loaded.items.ids[item], "--origin")
    code, told, err = recscope(*words, "--json")
    assert code == 0, err
    assert told["origin"]["cause"] == wanted.cause.to_json()
    assert [each["user"] for each in told["origin"]["origins"]] == [
        each.user for each in wanted.origins
    ]
    code, text, err = recscope(*words, "--retrain")
    assert code == 0, err
    assert "no proof" in text
    assert all(each.user in text for each in wanted.origins)
    assert "trained again without these" in text
    refused(recscope(*words[:-1], "--retrain"), "add --origin")
    refused(recscope("explain", loaded.run.id, "--user", user, "--origin"), "--item alone")
    file = tmp_path / "ann.csv"
    events = pd.DataFrame({"user_id": "ann", "item_id": loaded.items.ids[query.items]})
    table(events.assign(source_row=0), file)
    words = ("explain", loaded.run.id, "--histories", file, "--item", loaded.items.ids[item])
    code, told, err = recscope(*words, "--origin", "--json")
    assert code == 0, err
    assert told["origin"] is None or not any(each["own"] for each in told["origin"]["origins"])


@pytest.mark.usefixtures("shop_is_home")
def test_a_model_without_such_a_layer_says_so(shop, recscope):
    run = train(shop, "transitions")
    user = someone(shop, 6, 9)
    loaded = pipeline.load_run(shop, run)
    query = pipeline.history_of(loaded, user)
    item = int(pipeline.ranked_items(loaded, query, 1)[0])
    words = ("explain", run.id, "--user", user, "--item", loaded.items.ids[item], "--origin")
    refused(recscope(*words), "networks that learn a vector")


def test_a_notebook_has_them_as_a_table(shop, asked):
    loaded, user, query, item, cause = asked
    wanted = pipeline.reason_origins(loaded, query, cause, item, user=user)
    run = api.open(shop.path, progress=False).run(loaded.run.id)
    answer = run.origins(user, loaded.items.ids[item])
    frame = answer.to_frame()
    assert frame["user_id"].tolist() == [each.user for each in wanted.origins]
    assert frame["share"].tolist() == pytest.approx([each.share for each in wanted.origins])
    assert str(answer).startswith("who taught that")
    named = run.origins(user, loaded.items.ids[item], cause=loaded.items.ids[cause])
    assert named.answer == answer.answer
    with pytest.raises(BadInput, match="cause must be an item of the history"):
        run.origins(user, loaded.items.ids[item], cause=loaded.items.ids[item])
