from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest

from core import pipeline
from core.data import dataset
from core.data.split import split_log
from core.errors import BadInput, NotFound
from core.evaluate import evaluate
from core.models import MODELS
from core.runs import artifact
from core.runs.config import model_config
from core.runs.request import RunRequest
from core.types import TrainData


@pytest.fixture
def run(shop):
    return pipeline.train(shop, RunRequest("shop", "ease", ["l2=20"], device="cpu"))


def by_hand(shop):
    data = dataset.load(shop.dataset("shop"))
    parts = split_log(data.interactions, "leave-last-out", validation=False)
    kind = MODELS["ease"]
    model = kind(kind.Config(l2=20.0)).fit(
        TrainData(parts.train), rng=np.random.default_rng(0), device="cpu"
    )
    return data, parts, model


def test_recommendations_are_those_of_the_stages_by_hand(run, shop):
    data, _, model = by_hand(shop)
    found = pipeline.recommend(shop, run, users=["u7", "u3"], k=4)
    assert list(found.columns) == ["user_id", "item_id", "rank", "score"]
    assert found["user_id"].tolist() == ["u7"] * 4 + ["u3"] * 4  # in the order asked for
    assert found["rank"].tolist() == [1, 2, 3, 4] * 2
    for name in ("u7", "u3"):
        code = data.users.encode([name])
        queries = data.interactions.queries(code)  # the whole history, the test event included
        scores = model.score(queries).numpy()[0].copy()
        scores[queries.items] = -np.inf
        expected = data.items.ids[np.argsort(-scores, kind="stable")[:4]]
        mine = found[found["user_id"] == name]
        assert mine["item_id"].tolist() == expected.tolist()
        np.testing.assert_allclose(mine["score"], np.sort(scores)[::-1][:4])


def test_seen_items_are_hidden_unless_kept(run, shop):
    events = pd.read_parquet(shop.dataset("shop").folder / "events.parquet")
    seen = set(zip(events["user_id"], events["item_id"], strict=True))

    def share_seen(**options):
        found = pipeline.recommend(shop, run, k=5, **options)
        pairs = zip(found["user_id"], found["item_id"], strict=True)
        return np.mean([pair in seen for pair in pairs])

    assert share_seen() == 0
    assert share_seen(hide_seen=False) > 0.2


def test_everybody_comes_in_the_order_of_the_vocabulary(run, shop):
    found = pipeline.recommend(shop, run, k=3)
    users = pipeline.load_run(shop, run).load_dataset().users.ids.tolist()
    assert list(dict.fromkeys(found["user_id"])) == users


def test_a_short_catalogue_gives_short_lists(run, shop):
    found = pipeline.recommend(shop, run, users=["u1"], k=10_000)
    events = pd.read_parquet(shop.dataset("shop").folder / "events.parquet")
    left = set(events["item_id"]) - set(events.loc[events["user_id"] == "u1", "item_id"])
    assert set(found["item_id"]) == left
    assert found["rank"].tolist() == list(range(1, len(left) + 1))


def test_small_blocks_give_the_same(run, shop, monkeypatch):
    whole = pipeline.recommend(shop, run, k=3)
    monkeypatch.setattr("core.pipeline.loaded_run._BLOCK_ROWS", 7)
    loaded = pipeline.load_run(shop, run)
    people, queries = pipeline.queries_for(loaded)
    blocks = list(pipeline.recommendations(loaded, people, queries, k=3))
    assert len(blocks) == 20
    pd.testing.assert_frame_equal(pd.concat(blocks, ignore_index=True), whole)


def test_an_unknown_user_is_named(run, shop):
    with pytest.raises(NotFound, match=r"1 of 2 users are not in dataset shop: 'nobody'"):
        pipeline.recommend(shop, run, users=["u1", "nobody"])


def test_people_never_seen(run, shop, tmp_path):
    """A stranger with the history of a known user gets what that user gets."""
    events = pd.read_parquet(shop.dataset("shop").folder / "events.parquet")
    theirs = events[events["user_id"].isin(["u5", "u9"])][["user_id", "item_id", "timestamp"]]
    theirs = theirs.assign(user_id=theirs["user_id"].map({"u5": "new-5", "u9": "new-9"}))
    path = tmp_path / "strangers.csv"
    theirs.sample(frac=1, random_state=1).to_csv(path, index=False)
    known = pipeline.recommend(shop, run, users=["u5", "u9"], k=5)
    found = pipeline.recommend(shop, run, histories=path, k=5)
    found = found.sort_values(["user_id", "rank"], ignore_index=True)
    assert found["user_id"].unique().tolist() == ["new-5", "new-9"]
    assert found["item_id"].tolist() == known["item_id"].tolist()
    np.testing.assert_allclose(found["score"], known["score"], rtol=1e-5)


def test_strangers_with_unknown_items_are_told_of(run, shop, tmp_path, caplog):
    path = tmp_path / "strangers.csv"
    path.write_text("user_id,item_id\nann,10\nann,777\nbob,778\n")
    found = pipeline.recommend(shop, run, histories=path, k=2)
    assert found["user_id"].tolist() == ["ann", "ann", "bob", "bob"]
    assert "2 events of" in caplog.text


def test_evaluation_is_that_of_the_stages_by_hand(run, shop):
    _, parts, model = by_hand(shop)
    expected = evaluate(model, parts, train=parts.train, ks=(3,))
    result = pipeline.evaluate(shop, run, ks=(3,))
    assert asdict(result.metrics["ndcg@3"]) == expected.summary["ndcg@3"]
    assert result.users == expected.users == 40
    assert (result.hide_seen, result.split) == (True, "leave-last-out")
    assert run.metrics == result
    per_user = run.per_user()
    assert per_user["ndcg@3"].mean() == pytest.approx(expected.summary["ndcg@3"]["mean"])
    assert per_user["user_id"].tolist() == sorted(f"u{n}" for n in range(40))


def test_nothing_to_evaluate_on(shop):
    run = pipeline.train(shop, RunRequest("shop", "popularity", split="none"))
    with pytest.raises(BadInput, match="nothing is left to test it"):
        pipeline.evaluate(shop, run)


def test_the_split_none_learns_from_everything(shop):
    everything = pipeline.train(shop, RunRequest("shop", "popularity", split="none"))
    model = pipeline.load_run(shop, everything)
    events = pd.read_parquet(shop.dataset("shop").folder / "events.parquet")
    counts = events["item_id"].value_counts().reindex(model.items.ids)
    scores = model.model.score(model.load_dataset().interactions.queries(np.array([0])))
    assert scores[0].tolist() == counts.tolist()


def test_the_same_again_is_not_trained_again(run, shop):
    stages: list[str] = []
    again = pipeline.train(
        shop,
        RunRequest("shop", "ease", {"l2": 20}),
        on_stage=lambda name, share: stages.append(name),
    )
    assert (again.id, stages) == (run.id, [])
    fresh = pipeline.train(
        shop,
        RunRequest("shop", "ease", {"l2": 21}),
        on_stage=lambda name, share: stages.append(name),
    )
    assert fresh.id != run.id
    assert stages == ["load", "split", "fit", "save"]


def test_a_fusion_of_two_runs_holds_them(run, shop):
    other = pipeline.train(shop, RunRequest("shop", "transitions", device="cpu", name="graph"))
    fused = pipeline.train(
        shop, RunRequest("shop", "fusion", ["components=graph, ease"], device="cpu")
    )
    assert fused.config.params["components"] == f"{other.id},{run.id}"
    found = fused.meta["findings"]["components"]
    assert [(one["name"], one["model"]) for one in found] == [
        (other.id, "transitions"),
        (run.id, "ease"),
    ]
    np.testing.assert_allclose(np.sum([one["weights"] for one in found], axis=0), 1, atol=1e-3)
    before = pipeline.recommend(shop, fused, users=["u7"], k=4)
    again = pipeline.train(
        shop, RunRequest("shop", "fusion", {"components": f"{other.id},{run.id}"})
    )
    assert again.id == fused.id
    artifact.delete_run(shop, other.id)
    pd.testing.assert_frame_equal(pipeline.recommend(shop, fused, users=["u7"], k=4), before)


def test_components_are_runs_of_the_same_data_and_split(run, shop):
    with pytest.raises(BadInput, match=r"leave-last-out.*not from shop .*by-time"):
        pipeline.train(
            shop, RunRequest("shop", "fusion", ["components=ease"], split="by-time", device="cpu")
        )
    with pytest.raises(NotFound, match="no finished run 'nope'"):
        pipeline.train(shop, RunRequest("shop", "fusion", ["components=ease,nope"], device="cpu"))


def test_compare_is_paired_and_refuses_unequal_conditions(run, shop):
    other = pipeline.train(shop, RunRequest("shop", "popularity"))
    for each in (run, other):
        pipeline.evaluate(shop, each)
    table = pipeline.compare(shop, [other, run], metrics=["ndcg@10"])
    row = table.iloc[0]
    assert (row["run"], row["metric"], row["users"]) == (run.id, "ndcg@10", 40)
    difference = (run.per_user()["ndcg@10"] - other.per_user()["ndcg@10"]).mean()
    assert row["difference"] == pytest.approx(difference)
    pipeline.evaluate(shop, other, hide_seen=False)
    with pytest.raises(BadInput, match="in the same way"):
        pipeline.compare(shop, [other, run])
    unmeasured = pipeline.train(shop, RunRequest("shop", "item_knn"))
    with pytest.raises(BadInput, match="not evaluated yet"):
        pipeline.compare(shop, [run, unmeasured])


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        (["nonsense=1"], "ease has no parameter 'nonsense': it has l2"),
        (["l2=much"], "l2 of ease must be a number from .* to .*, not 'much'"),
        (["l2=-1"], "l2 must be a number from .*, not -1"),
        (["l2=nan"], "not nan"),
        (["l2"], "key=value, not as 'l2'"),
        (["l2=1", "l2=2"], "l2 is set twice"),
        ({"l2": True}, "not True"),
    ],
)
def test_a_wrong_parameter_gets_one_sentence(params, sentence):
    with pytest.raises(BadInput, match=sentence):
        model_config("ease", params)


def test_texts_become_the_types_of_the_config():
    config = model_config("item_knn", ["k=7", "shrink=3", "similarity=bm25"])
    assert (config.k, config.shrink, config.similarity) == (7, 3.0, "bm25")
    assert type(config.shrink) is float
    with pytest.raises(BadInput, match="k of item_knn must be a whole number from 1"):
        model_config("item_knn", ["k=1.5"])


def test_unknown_names_are_answered_with_the_known():
    for config, sentence in (
        ({"model": "easy"}, "did you mean ease"),
        ({"model": "ease", "split": "half"}, "choose one of leave-last-out"),
        ({"model": "ease", "device": "tpu"}, "auto, cpu, cuda"),
        ({"model": "ease", "seed": -1}, "seed must lie in 0"),
    ):
        with pytest.raises(BadInput, match=sentence):
            RunRequest("x", **config).config()
