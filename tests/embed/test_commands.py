"""`recscope embed` and `recscope neighbours`, on a small shop."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from core import pipeline
from core.embed import item_vectors, user_vectors
from core.errors import BadInput
from core.runs import weights
from core.runs.request import RunRequest

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("shop_is_home")]


@pytest.fixture
def fitted(shop):
    """A run of this model on the shop, loaded."""

    def fit(name: str, *params: str):
        run = pipeline.train(shop, RunRequest("shop", name, params, device="cpu", name=name))
        return pipeline.load_run(shop, run, device="cpu")

    return fit


def test_a_table_of_all_items_with_a_map_and_clusters(shop, fitted, recscope, tmp_path):
    loaded = fitted("unified", "epochs=2")
    out = tmp_path / "items.parquet"
    code, about, err = recscope("embed", "unified", "--map", "--axes", 3, "--out", out, "--json")
    assert code == 0, err
    frame = pd.read_parquet(out)
    vectors = [f"v{place}" for place in range(64)]
    assert list(frame) == ["item_id", "label", *vectors, *"xyz", "cluster", "cluster_label"]
    assert frame["item_id"].tolist() == loaded.items.ids.tolist()
    np.testing.assert_array_equal(frame[vectors], item_vectors(loaded.model).values)
    assert about["component"] == "fused"
    assert (about["rows"], about["dim"], about["map"]["axes"]) == (len(frame), 64, 3)
    assert 0 <= about["map"]["recall"] <= about["map"]["trustworthiness"] <= 1
    sizes = frame["cluster"].value_counts()
    for one in about["clusters"]:
        own = frame[frame["cluster"] == one["cluster"]]
        assert sizes[one["cluster"]] == one["size"]
        assert set(own["cluster_label"]) == {one["label"]}
    code, text, _ = recscope("embed", "unified", "--map", "--component", "content")
    assert code == 0
    assert "items of unified in 64 numbers (content)" in text
    assert "trustworthiness" in text


def test_the_same_seed_writes_the_same_file(fitted, recscope, tmp_path):
    fitted("item_knn")
    files = [tmp_path / f"{name}.parquet" for name in "abc"]
    for file, seed in zip(files, (1, 1, 2), strict=True):
        code, text, err = recscope("embed", "item_knn", "--map", "--seed", seed, "--out", file)
        assert code == 0, err
        assert "of the weights' size" in text or "(rows)" in text
    first, second, third = map(pd.read_parquet, files)
    pd.testing.assert_frame_equal(first, second)
    assert not np.allclose(first[["x", "y"]], third[["x", "y"]])


def test_an_epoch_is_looked_back_at(shop, fitted, recscope, tmp_path):
    loaded = fitted("recvae", "epochs=3", "refit=false", "dim=6", "hidden=8", "learning_rate=0.05")
    assert loaded.run.epochs == (1, 2, 3)
    out, before = tmp_path / "then.parquet", weights.load_snapshots(loaded.run)[1]
    code, about, err = recscope("embed", "recvae", "--epoch", 1, "--map", "--out", out, "--json")
    assert code == 0, err
    frame = pd.read_parquet(out)
    values = frame[[f"v{place}" for place in range(6)]].to_numpy()
    np.testing.assert_allclose(values @ values.T, before @ before.T, atol=1e-5)  # turned alone
    own = pipeline.embedding(loaded, axes=2).frame
    _, gap = pipeline.align_map(frame, own)
    left = np.square(frame[["x", "y"]].to_numpy() - own[["x", "y"]].to_numpy()).sum()
    spread = np.square(own[["x", "y"]] - own[["x", "y"]].mean()).to_numpy().sum()
    assert (left / spread) ** 0.5 == pytest.approx(gap, abs=1e-3)  # no turning brings it nearer
    assert about["epoch"] == 1
    assert [step["after"] for step in about["drift"]["steps"]] == [2, 3]
    code, text, _ = recscope("embed", "recvae")
    assert code == 0
    assert about["diagnosis"][-1]["sentence"] in text
    assert f"moved most: {about['drift']['moved'][0]['label']}" in text
    for words in (("--epoch", "7"), ("--epoch", "1", "--of", "users"), ("--epoch", "x")):
        code, _, err = recscope("embed", "recvae", *words)
        assert code == 2
        assert "Traceback" not in err


def test_people_by_their_histories(shop, fitted, recscope, tmp_path):
    loaded = fitted("als", "dim=4")
    out = tmp_path / "users.csv"
    code, about, err = recscope("embed", "als", "--of", "users", "--out", out, "--json")
    assert code == 0, err
    frame = pd.read_csv(out)
    assert list(frame) == ["user_id", "label", "v0", "v1", "v2", "v3"]
    everyone = loaded.load_dataset().interactions.queries()
    wanted = user_vectors(loaded.model, everyone).values
    np.testing.assert_allclose(frame[["v0", "v1", "v2", "v3"]], wanted, atol=1e-6)
    assert (about["of"], about["map"], about["clusters"]) == ("users", None, [])


def test_three_lists_of_neighbours(shop, fitted, recscope):
    loaded = fitted("als", "dim=4")
    item = int(loaded.items.ids[1])
    code, found, err = recscope("neighbours", "als", "--item", item, "-k", 4, "--json")
    assert code == 0, err
    assert (found["item"], found["recall"], found["why"]) == (item, 1.0, {})
    x = item_vectors(loaded.model).values.astype(float)
    sizes = np.linalg.norm(x, axis=1)
    cosines = x @ x[1] / np.where(sizes > 0, sizes, 1) / sizes[1]
    cosines[1] = -np.inf
    best = np.argsort(-cosines, kind="stable")[:4]
    assert [one["item"] for one in found["vectors"]] == loaded.items.ids[best].tolist()
    np.testing.assert_allclose([one["cosine"] for one in found["vectors"]], cosines[best])
    events = pd.read_parquet(shop.dataset("shop").folder / "events.parquet")
    people = events.groupby("item_id")["user_id"].agg(set)
    for one in found["together"]:
        assert one["both"] == len(people[item] & people[one["item"]])
    assert len(found["content"]) == 4
    code, text, _ = recscope("neighbours", "als", "--item", item)
    assert code == 0
    assert text.count("\n\n") == 3
    assert re.search(r"by who took both\nitem +label +cosine +both", text)


def test_a_model_of_behaviour_alone_still_tells_by_the_dataset(shop, fitted, recscope):
    fitted("als", "dim=4")
    shop.dataset("shop").folder.rename(shop.path / "gone")
    code, found, err = recscope("neighbours", "als", "--item", 20, "--json")
    assert code == 0, err
    assert len(found["vectors"]) == 10
    assert set(found["why"]) == {"content", "together"}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("embed", "pop"), "holds no vectors of items: choose a run of"),
        (("embed", "als", "--component", "id"), "no component 'id': it has vectors"),
        (("embed", "als", "--axes", "3"), "--axes 3 has nothing to act on: add --map"),
        (("embed", "als", "--of", "films"), "invalid choice: 'films'"),
        (("embed", "als", "--out", "x.txt"), "ends in .parquet or .csv"),
        (("embed", "nothing"), "nothing"),
        (("neighbours", "als", "--item", "7"), "item '7' is not in dataset shop"),
        (("neighbours", "als"), "--item"),
        (("neighbours", "als", "--item", "20", "-k", "0"), "not a whole number"),
    ],
)
def test_mistakes_get_one_sentence(fitted, recscope, words, sentence):
    fitted("als", "dim=4")
    pipeline.train(fitted("popularity").workspace, RunRequest("shop", "popularity", name="pop"))
    code, _, err = recscope(*words)
    assert code == 2
    assert sentence in err
    assert "Traceback" not in err


def test_items_that_nobody_took_have_no_neighbours_by_vector(fitted):
    loaded = fitted("als", "dim=4")
    state = loaded.model.state()
    state["items"] = state["items"] * (np.arange(len(loaded.items)) != 3)[:, None]
    loaded.model.load(state)
    found = pipeline.neighbours(loaded, loaded.items.ids[3])
    assert found.vectors == ()
    assert "its vector is 0" in found.why["vectors"]
    assert found.content


def test_two_maps_are_laid_on_each_other_by_what_both_have():
    rng = np.random.default_rng(0)
    other = pd.DataFrame({"item_id": np.arange(20), "x": rng.random(20), "y": rng.random(20)})
    turned = other.assign(x=-2 * other["y"], y=3 + 2 * other["x"])
    order = rng.permutation(20)[:15]
    frame = turned.iloc[order].reset_index(drop=True)
    frame["item_id"] = frame["item_id"].astype(str)
    frame.loc[0, "item_id"] = "new"
    moved, gap = pipeline.align_map(frame, other)
    assert gap < 1e-6
    np.testing.assert_allclose(moved[["x", "y"]], other.iloc[order][["x", "y"]], atol=1e-6)
    with pytest.raises(BadInput, match="both are of items or of users"):
        pipeline.align_map(frame.rename(columns={"item_id": "user_id"}), other)
    with pytest.raises(BadInput, match="make both with a map"):
        pipeline.align_map(frame.drop(columns=["x", "y"]), other)


def test_what_is_asked_often_is_the_same_by_an_index(fitted, monkeypatch):
    monkeypatch.setattr("core.embed.index.EXACT_UP_TO", 10)
    loaded = fitted("als", "dim=4")
    near, item = pipeline.Neighbourhood(loaded, many=True), loaded.items.ids[2]
    found, alone = near.of(item, 5), pipeline.neighbours(loaded, item, k=5)
    assert found.recall >= 0.98
    assert found.vectors[0] == alone.vectors[0]
    assert (found.content, found.together) == (alone.content, alone.together)
    assert near.of(item, 5) == found
