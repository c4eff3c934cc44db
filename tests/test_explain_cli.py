"""`recscope explain`: what it says is what `recommend --histories` gives."""

from __future__ import annotations

import itertools
import json
import math
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core import pipeline
from core.data.durable import sha256_file
from core.runs.request import RunRequest
from tests.explaining import (
    FITTING,
    NEEDS_VALUES,
    QUICK,
    busy,
    events_of,
    refused,
    someone,
    table,
    train,
)

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("shop_is_home")]


@pytest.fixture
def fitted(shop):
    """The shop, and a run of this model in it."""
    return partial(train, shop)


def asked(shop, run, history: pd.DataFrame, path: Path) -> tuple[np.ndarray, list]:
    """Scores (2^n, items) of all subsets by `recommend`: person m has the events of m's bits."""
    n = len(history)
    masks = [history[[bool(m >> e & 1) for e in range(n)]].assign(user_id=m) for m in range(2**n)]
    nothing = history[:1].assign(user_id=0, item_id=-1)  # an item that nobody knows
    table(pd.concat([nothing, *masks]), path)
    found = pipeline.recommend(shop, run, histories=path, k=25, hide_seen=False, device="cpu")
    scores = found.pivot(index="user_id", columns="item_id", values="score")
    assert scores.index.tolist() == list(range(2**n))
    assert not scores.isna().any(axis=None)
    return scores.to_numpy(np.float64), scores.columns.tolist()


def by_definition(v: np.ndarray, n: int) -> np.ndarray:
    """Shapley values (n, items): what each event adds when it comes, over all orders."""
    values = np.zeros((n, v.shape[1]))
    for order in itertools.permutations(range(n)):
        mask = 0
        for e in order:
            values[e] += v[mask | 1 << e] - v[mask]
            mask |= 1 << e
    return values / math.factorial(n)


@pytest.mark.parametrize("name", FITTING)
def test_values_are_those_of_all_subsets_asked_one_by_one(name, shop, fitted, recscope, tmp_path):
    told = check_all(shop, fitted(name), someone(shop, 5, 5), recscope, tmp_path)
    assert bool(told[0]["components"]) == (name in ("fusion", "auto"))


def check_all(shop, run, user: str, recscope, folder: Path) -> list[dict]:
    """Explains all the items to this person of few events; each against the definition."""
    history = events_of(shop, user)
    raw, ids = asked(shop, run, history, folder / "subsets.csv")
    others = ~np.isin(ids, history["item_id"])  # that may be recommended
    v = raw - raw[:, others].mean(axis=1, keepdims=True)
    if run.config.model in QUICK.keys() - NEEDS_VALUES:  # a network, which says how likely each is
        v = raw - np.log(np.exp(raw[:, others]).sum(axis=1, keepdims=True))
    expected = by_definition(v, len(history))
    code, found, err = recscope("explain", run.id, "--user", user, "-k", 25, "--json")
    assert code == 0, err
    assert (found["run"], found["user"]) == (run.id, user)
    best = pipeline.recommend(
        shop, run, histories=table(history, folder / "alone.csv"), k=25, device="cpu"
    )
    assert [told["item"] for told in found["explanations"]] == best["item_id"].tolist()
    assert [told["rank"] for told in found["explanations"]] == best["rank"].tolist()
    for told in found["explanations"]:
        at = ids.index(told["item"])
        unit = 1e-6 * max(1, np.abs(raw).max())  # the level of all is as exact as each
        assert told["score"] == pytest.approx(v[-1, at], rel=0, abs=unit)
        assert told["base"] == pytest.approx(v[0, at], rel=0, abs=unit)
        whole_unit = 1e-6 * max(1, abs(told["raw_score"]))
        assert told["raw_score"] == pytest.approx(raw[-1, at], rel=0, abs=whole_unit)
        assert told["raw_base"] == pytest.approx(raw[0, at], rel=0, abs=whole_unit)
        values = [player["value"] for player in told["players"]]
        np.testing.assert_allclose(values, expected[:, at], rtol=0, atol=unit)
        assert (told["confidence"], told["confidence_reason"]) == ("exact", "not_sampled")
        assert told["gap"] <= 10 * unit
        assert {each["item"] for each in told["twins"]} <= set(history["item_id"])
        assert len(told["twins"]) in (0, 2, 3)
        for player in told["players"] if told["components"] else ():
            assert sum(player["parts"].values()) == pytest.approx(player["value"])
        if told["components"]:
            whole = sum(part["value"] + part["base"] for part in told["components"])
            assert whole == pytest.approx(told["score"], rel=0, abs=unit)
    return found["explanations"]


def rewrite(info, events):
    """Other events in the dataset, sealed as ingest does it."""
    path = info.folder / "events.parquet"
    events.to_parquet(path, index=False)
    document = json.loads((info.folder / "dataset.json").read_text())
    document.pop("checksum", None)
    document["sha256"][path.name] = sha256_file(path)
    (info.folder / "dataset.json").write_text(json.dumps(document))


@pytest.mark.parametrize("name", ["unified", "mlp_rating", "item_knn"])
def test_kinds_of_events_ratings_and_platforms_are_heard(name, shop, fitted, recscope, tmp_path):
    """What `recommend` reads in a table of strangers is what it knows of its own people."""
    events = pd.read_parquet(shop.dataset("shop").folder / "events.parquet")
    rng = np.random.default_rng(3)
    events["event"] = rng.choice(["buy", "view", None], len(events))
    events["platform"] = rng.choice(["app", "web"], len(events))
    events["value"] = rng.integers(1, 6, len(events)).astype(float)
    events.loc[rng.random(len(events)) < 0.2, "value"] = np.nan
    info = shop.dataset("shop")
    mapping = {role: role for role in (*info.mapping, "event", "platform", "value")}
    meta = {**info.meta, "mapping": mapping, "weights": {"buy": 4.0, "view": 1.0}}
    (info.folder / "dataset.json").write_text(json.dumps(meta | {"value_kind": "rating"}))
    rewrite(info, events)
    user = someone(shop, 5, 5)
    told = check_all(shop, fitted(name), user, recscope, tmp_path)
    kinds = events_of(shop, user)["event"]
    assert [p["event"] for p in told[0]["players"]] == [
        None if pd.isna(kind) else kind for kind in kinds
    ]


def test_one_item_is_one_object(shop, fitted, recscope):
    user, run = someone(shop, 6, 8), fitted("ease")
    _, listed, _ = recscope("explain", run.name, "--user", user, "-k", 25, "--json")
    one = listed["explanations"][3]
    _, found, _ = recscope("explain", run.name, "--user", user, "--item", one["item"], "--json")
    different = ("gap", "attributes", "interactions", "sentence")  # one call or two, another k
    assert {k: v for k, v in found.items() if k not in different} == {
        k: v for k, v in one.items() if k not in different
    }
    assert found["attributes"] is None
    history = events_of(shop, user)
    assert [p["item_id"] for p in found["players"]] == history["item_id"].tolist()
    times = pd.to_datetime([p["timestamp"] for p in found["players"]]).tz_localize(None)
    assert times.tolist() == history["timestamp"].tolist()
    labels = pd.read_parquet(shop.dataset("shop").folder / "items.parquet")
    labels = labels.set_index("item_id")["kind"]
    labels = labels + " (" + labels.index.astype(str) + ")"  # a kind is of several items
    assert [p["label"] for p in found["players"]] == labels[history["item_id"]].tolist()
    assert {p["kind"] for p in found["players"]} == {"event"}
    assert (found["label"], found["known_by"]) == (labels[one["item"]], "events")
    assert (found["method"], found["seed"], found["against"]) == ("closed form", 0, None)


def test_one_item_is_taken_apart(shop, fitted, recscope):
    """Its id and attributes, where the model hears them; they add up to the same score."""
    user = someone(shop, 6, 8)
    for name in ("two_tower", "content"):
        ask = ("explain", fitted(name).id, "--user", user)
        _, found, _ = recscope(*ask, "--item", 30, "--json")
        made = found["attributes"]
        total = made["base"] + sum(part["value"] for part in made["parts"])
        assert total == pytest.approx(found["raw_score"], abs=1e-5)
        assert {part["name"] for part in made["parts"]} == {"kind", "price"} | (
            {""} if name == "two_tower" else set()
        )
        _, text, _ = recscope(*ask, "--item", 30)
        assert "\nof what the item is made of: " in text
        _, found, _ = recscope(*ask, "--item", 30, "--against", 40, "--json")
        assert "attributes" not in found
    _, found, _ = recscope("explain", fitted("ease").id, "--user", user, "--item", 30, "--json")
    assert found["attributes"] is None


def test_why_rather_than_another(shop, fitted, recscope):
    """A contrast is the difference of two explanations; the other one is not explained."""
    user, run = someone(shop, 6, 8), fitted("als")
    ask = ("explain", run.id, "--user", user)
    _, own, _ = recscope(*ask, "-k", 25, "--json")
    first, other = own["explanations"][0], own["explanations"][4]
    _, found, _ = recscope(*ask, "-k", 25, "--against", other["item"], "--json")
    assert len(found["explanations"]) == len(own["explanations"]) - 1
    one = found["explanations"][0]
    assert one["against"] == {"item": other["item"], "label": other["label"]}
    for key in ("score", "base"):
        assert one[key] == pytest.approx(first[key] - other[key])
    apart = [
        a["value"] - b["value"] for a, b in zip(first["players"], other["players"], strict=True)
    ]
    assert [p["value"] for p in one["players"]] == pytest.approx(apart)
    _, text, _ = recscope(*ask, "--item", other["item"], "--against", first["item"])
    assert text.startswith(f"{first['label']} comes before {other['label']}")
    assert f"score, less that of {first['label']}" in text


def test_strangers_are_explained_without_the_dataset(shop, fitted, recscope, tmp_path):
    user, run = someone(shop, 5, 8), fitted("ease")
    path = table(events_of(shop, user), tmp_path / "one.csv")
    _, with_it, _ = recscope("explain", run.id, "--histories", path, "--json")
    _, known, _ = recscope("explain", run.id, "--user", user, "--json")
    assert with_it == known
    shop.delete_dataset("shop")
    _, found, _ = recscope("explain", run.id, "--histories", path, "--json")
    one, same = found["explanations"][0], known["explanations"][0]
    assert (one["label"], one["known_by"]) == (str(one["item"]), None)
    assert [p["value"] for p in one["players"]] == [p["value"] for p in same["players"]]


def test_histories_that_say_little(shop, fitted, recscope, tmp_path):
    path, run = tmp_path / "new.csv", fitted("als")
    path.write_text("user_id,item_id\nann,777\n")
    code, text, err = recscope("explain", run.id, "--histories", path, "-k", 1)
    assert code == 0, err
    assert "is what als gives anyone of whom it knows nothing: the history is empty." in text
    _, found, _ = recscope("explain", run.id, "--histories", path, "--item", 30, "--json")
    assert (found["players"], found["score"]) == ([], found["base"])
    path.write_text("user_id,item_id\nann,50\n")
    _, found, _ = recscope("explain", run.id, "--histories", path, "--item", 30, "--json")
    assert len(found["players"]) == 1
    assert found["players"][0]["value"] == pytest.approx(found["score"] - found["base"])
    assert found["players"][0]["timestamp"] is None
    assert found["rank"] > 0
    _, found, _ = recscope("explain", run.id, "--histories", path, "--item", 50, "--json")
    assert found["rank"] is None


def test_a_file_with_a_header_only_is_said_to_have_no_rows(fitted, recscope, tmp_path):
    path, run = tmp_path / "none.csv", fitted("als")
    path.write_text("user_id,item_id,timestamp\n")
    for words in (("explain", run.id), ("recommend", run.id, "--out", tmp_path / "out.csv")):
        code, _, err = recscope(*words, "--histories", path)
        assert code == 2
        assert err == (
            "recscope: none.csv has no rows: it needs one for each thing that somebody did, with a "
            "user_id and an item_id\n"
        )


def test_an_item_that_is_only_described_is_told_from_one_that_is_not_there(
    shop, make_dataset, recscope
):
    events = pd.DataFrame({"user_id": list("aabb"), "item_id": [1, 2, 1, 2]})
    kinds = pd.DataFrame({"item_id": [1, 2, 3], "kind": ["tea", "cup", "tea"]})
    info = make_dataset(events, items=kinds, id="6" * 12, name="few")
    info.folder.rename(shop.datasets_folder / info.id)
    run = pipeline.train(shop, RunRequest("few", "ease", device="cpu", split="none"))
    for item, where in (
        (3, f"is described in dataset few, but no event of its log is of it, and run {run.id} (e"),
        (4, f"is not in dataset few, so run {run.id} does not know it"),
    ):
        _, _, err = recscope("explain", run.id, "--user", "a", "--item", item)
        assert f"item '{item}' {where}" in err
    content = pipeline.train(shop, RunRequest("few", "content", device="cpu", split="none"))
    code, found, _ = recscope("explain", content.id, "--user", "a", "--item", 3, "--json")
    assert (code, found["rank"]) == (0, 1)  # nothing else may be recommended


@pytest.mark.parametrize(
    ("name", "n"), [("ease", 10_000), pytest.param("user_knn", 300, marks=pytest.mark.slow)]
)
def test_very_long_histories(name, n, fitted, recscope, tmp_path):
    """Each event has its value where that is cheap; else the oldest are one player."""
    run, path, out = fitted(name), busy(tmp_path, n), tmp_path / "why.json"
    words = ("--histories", path, "--item", 30, "--out", out)
    _, found, _ = recscope("explain", run.id, *words, "--json")
    if name == "ease":
        assert len(found["players"]) == 10_000
    else:
        oldest, *rest = found["players"]
        assert (oldest["kind"], oldest["count"], oldest["item_id"]) == ("events", 101, None)
        assert oldest["label"] == "the oldest 101 events"
        assert [p["kind"] for p in rest] == ["event"] * 199
        assert rest[-1]["item_id"] == (299 * 7 % 25 + 1) * 10
    assert recscope("explain", "--replay", out)[0] == 0


@pytest.fixture
def unseen(shop):
    """An item whose only event is the last of somebody, so that no split trains on it."""
    info = shop.dataset("shop")
    events = pd.read_parquet(info.folder / "events.parquet")
    last = events.index[events["user_id"] == someone(shop, 6, 8)][-1]
    events.loc[last, "item_id"] = 777
    rewrite(info, events)
    return 777


def test_an_item_without_events_in_training_is_explained_and_told(unseen, fitted, recscope, shop):
    said = {
        "ease": "It has no event in training, and ease knows nothing else of it.",
        "content": "It has no event in training: content knows it by its content only.",
        "two_tower": "It has no event in training: two_tower knows it by its content only.",
    }
    for name, how in said.items():
        run = fitted(name)
        code, text, _ = recscope("explain", run.id, "--user", "u0", "--item", unseen)
        assert code == 0
        assert how in text
        _, text, _ = recscope("explain", run.id, "--user", "u0", "--item", 30)
        assert "no event in training" not in text
    run = fitted("ease", split="none")
    _, found, _ = recscope("explain", run.id, "--user", "u0", "--item", unseen, "--json")
    assert found["known_by"] == "events"


def test_the_seed_decides_what_is_drawn(shop, fitted, recscope, tmp_path):
    run, path = fitted("als"), busy(tmp_path, 14)

    def values(seed):
        words = ("--histories", path, "--item", 30, "--seed", seed, "--json")
        _, found, err = recscope("explain", run.id, *words)
        assert (found["method"], found["seed"]) == ("permutations", seed), err
        return [p["value"] for p in found["players"]]

    assert values(1) == values(1) != values(2)


MISTAKES = [
    (["--user", "nobody"], "'nobody'"),
    (["--user", "u1", "--item", "777"], "item '777' is not in dataset shop"),
    (["--user", "u1", "--against", "777"], "item '777' is not in dataset shop"),
    (["--user", "u1", "--item", "30", "--against", "30"], "cannot be explained against itself"),
    (["--user", "u1", "--item", "30", "-k", "10"], "not allowed with"),
    (["--user", "u1", "--histories", "x.csv"], "not allowed with"),
    (["--item", "30"], "--user"),
    (["--user", "u1", "-k", "0"], "'0' is not a whole number from 1"),
    (["--user", "u1", "--seed", "-1"], "'-1' is not a whole number from 0"),
    (["--user", "u1", "--out", "x.csv"], "ends in .json"),
    (["--user", "u1", "--out", "/nowhere/x.json"], "/nowhere is not there"),
    (["--user", "u1", "--hash-user"], "--hash-user has nothing to act on"),
    (["--histories", "/nowhere.csv"], "/nowhere.csv"),
    (["--histories", "two.csv"], "two.csv has 2 people: one history is asked about at a time"),
    (["--histories", "none.csv"], "none.csv has no rows: it needs one for each"),
    (["--replay", "/nowhere.json"], "/nowhere.json"),
    (["--replay", "two.csv"], "two.csv is no explanation"),
    (["--replay", "x.json", "--item", "30"], "--item has no place beside --replay"),
]


@pytest.mark.parametrize(("words", "part"), MISTAKES, ids=[" ".join(w) for w, _ in MISTAKES])
def test_a_mistake_is_one_sentence(words, part, fitted, recscope, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("two.csv").write_text("user_id,item_id\nann,10\nbob,20\n")
    Path("none.csv").write_text("user_id,item_id\n")
    refused(recscope("explain", fitted("ease").id, *words), part)


def test_a_run_is_needed_but_for_a_replay(recscope):
    refused(recscope("explain", "--user", "u1"), "say which run")


def test_the_table_adds_up_to_the_score(shop, fitted, recscope):
    run, user = fitted("ease"), someone(shop, 10, 12)
    _, text, _ = recscope("explain", run.id, "--user", user, "-k", 1)
    header = next(n for n, line in enumerate(text.splitlines()) if line.endswith("value"))
    lines = text.splitlines()[header + 1 : -1]
    numbers = [float(line.split()[-1]) for line in lines]
    assert "the other" in lines[-3]
    assert sum(numbers[:-1]) == pytest.approx(numbers[-1], abs=1e-3)
    assert text.splitlines()[-1] == (
        "confidence: exact (closed form, 2 histories asked). "
        "Worked out in full, nothing was estimated."
    )
