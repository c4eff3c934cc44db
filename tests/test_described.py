"""Items that only the table of items has: asked about through commands, replays and Python."""

from __future__ import annotations

import json
from functools import partial

import numpy as np
import pandas as pd
import pytest

import recscope as api
from core import pipeline
from core.data import dataset
from core.data.store import Workspace
from core.errors import NotFound
from core.explain.counterfactual import counterfactual
from core.runs.artifact import Run
from core.runs.request import RunRequest
from tests.explaining import NEW, OTHER, busy, describe_more, refused, someone, train

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("shop_is_home")]

LABEL = "pot (900)"  # other pots are called so too
MODELS = ("content", "two_tower", "unified")


@pytest.fixture
def fitted(shop: Workspace) -> partial[Run]:
    """Runs of the shop with items that nobody took."""
    describe_more(shop)
    return partial(train, shop)


@pytest.mark.parametrize("name", MODELS)
def test_an_explanation_says_what_the_item_is_to_the_model(name, shop, fitted, recscope, tmp_path):
    run, user = fitted(name), someone(shop, 5, 5)
    ready = pipeline.load_run(shop, run)
    query = pipeline.history_of(ready, user)
    features = ready.load_dataset().item_features
    parts = ready.model.parts(features)
    keep = np.array([[part.kind != "id" for part in parts]])
    twin = int(ready.items.encode([20])[0])
    [expected] = ready.model.score_of_parts(query, twin, features, keep)
    if name == "content":  # without what popularity alone gives
        expected -= float(ready.model.state()["base"][twin])
    out = tmp_path / "why.json"
    words = ("explain", run.id, "--user", user, "--item", NEW)
    code, found, err = recscope(*words, "--out", out, "--json")
    assert code == 0, err
    assert found["raw_score"] == pytest.approx(expected, abs=1e-5)
    assert (found["item"], found["label"], found["known_by"]) == (NEW, LABEL, "described")
    assert found["sentence"].endswith(
        f"Nobody took it yet: it stands only in the table of items, and {name} knows it by what is "
        "said of it there."
    )
    assert found["embeddings_left_out"] == []
    assert all(each["then"] == 0 for each in found["evidence"])
    values = {part["kind"]: part["value"] for part in found["attributes"]["parts"]}
    assert abs(values.get("id", 0.0)) < 1e-12
    _, text, _ = recscope(*words)
    assert "in the log" not in text
    code, replayed, err = recscope("explain", "--replay", out, "--json")
    assert (code, replayed["ok"], replayed["differs"]) == (0, True, []), err


@pytest.mark.parametrize("name", MODELS)
def test_what_others_get_stays(name, shop, fitted):
    loaded = pipeline.load_run(shop, fitted(name))
    more = pipeline.with_described(loaded, [OTHER, None, NEW, "30", "nothing", str(NEW)])
    assert more.described.tolist() == [OTHER, NEW]
    _, queries = pipeline.queries_for(loaded)
    before, after = (each.model.score(queries).cpu().numpy() for each in (loaded, more))
    np.testing.assert_allclose(after[:, :-2], before, rtol=1e-6, atol=1e-6)
    stepwise = pipeline.with_described(pipeline.with_described(loaded, [OTHER]), [NEW])
    np.testing.assert_allclose(stepwise.model.score(queries).cpu().numpy(), after, atol=1e-6)
    assert len(loaded.items) == len(more.items) - 2  # and itself
    assert len(dataset.load(shop.dataset("shop")).items) == len(loaded.items)


@pytest.mark.parametrize("name", ["content", "unified"])
def test_what_would_change_the_list_can_be_asked(name, shop, fitted, recscope):
    run, user = fitted(name), someone(shop, 5, 5)
    for k in (1, 26):  # off the list, and on it: all items are
        words = ("counterfactual", run.id, "--user", user, "--item", NEW, "-k", k)
        code, found, err = recscope(*words, *["--add"] * (k == 1), "--json")
        if code and k == 1:
            assert "is in the top 1 already" in err
            continue
        assert code == 0, err
        assert found["note"].startswith("Nobody took it yet")
        _, text, _ = recscope(*words, *["--add"] * (k == 1))
        assert text.rstrip().endswith("knows it by what is said of it there.")


@pytest.mark.parametrize("name", ["content", "unified"])
def test_another_value_brings_an_item_in_that_would_be_there_with_it(name, shop, fitted, recscope):
    run, user = fitted(name), someone(shop, 5, 5)

    def rank_as(kind: str) -> int:
        """Where the new item stands if the table says so."""
        describe_more(shop, kind)
        loaded = pipeline.with_described(pipeline.load_run(shop, run), [NEW])
        best = pipeline.ranked_items(loaded, pipeline.history_of(loaded, user))
        return best.tolist().index(len(loaded.items) - 1) + 1

    ranks = {kind: rank_as(kind) for kind in ("tea", "cup", "pot")}
    worst = max(ranks, key=ranks.__getitem__)
    describe_more(shop, worst)
    k = ranks.pop(worst) - 1
    words = ("counterfactual", run.id, "--user", user, "--item", NEW, "--add", "-k", k)
    code, found, err = recscope(*words, "--json")
    assert code == 0, err
    assert found["changes"]["tried"] == 2  # of three kinds
    told = {each["new"]: each["rank_after"] for each in found["changes"]["changes"]}
    assert told == {kind: rank for kind, rank in ranks.items() if rank <= k} != {}
    assert {(each["name"], each["old"]) for each in found["changes"]["changes"]} == {
        ("kind", worst)
    }
    _, text, _ = recscope(*words)
    assert all(f"{worst}" in text and kind in text for kind in told)
    frame = api.open(shop.path).run(run.id).why_not(user, item=NEW, k=k).changed()
    assert dict(zip(frame["new"], frame["rank_after"], strict=True)) == told


def test_a_change_of_the_past_may_bring_it_in(shop, fitted, recscope):
    run, user = fitted("two_tower"), someone(shop, 5, 5)
    words = ("what-if", run.id, "--user", user, "--add", NEW, "--json")
    code, found, err = recscope(*words)
    assert code == 0, err
    assert found["added"] == [{"item": NEW, "label": LABEL}]


def test_python_says_the_same_as_the_command(shop, fitted, recscope):
    run, user = fitted("unified"), someone(shop, 5, 5)
    _, found, _ = recscope("explain", run.id, "--user", user, "--item", NEW, "--json")
    same = api.open(shop.path).run(run.id)
    assert str(same.explain(user, item=NEW)) == found["sentence"]
    assert same.explain(user, item=30, against=NEW).items[0].against.item == NEW
    assert "Nobody took it yet" in str(same.why_not(user, item=NEW, k=1))
    assert same.explain(user, item=30).items[0].embeddings_left_out == ()


def test_a_replay_knows_all_of_the_catalogue_that_was_asked(shop, fitted, recscope, tmp_path):
    """An item of the log held against a new one, and by a run that knows no new ones."""
    run, out = fitted("unified"), tmp_path / "why.json"
    person = ("--histories", busy(tmp_path, 40))
    words = ("explain", run.id, *person, "--item", 30, "--against", NEW, "--out", out)
    assert recscope(*words)[0] == 0
    document = json.loads(out.read_text())
    assert (document["items"], document["described"]) == ([30], [NEW])
    assert recscope("explain", "--replay", out)[0] == 0
    refused(recscope("explain", fitted("ease").id, "--replay", out), "knows only items of its log")
    with_one_more = json.dumps(document | {"described": [NEW, OTHER]})
    out.write_text(with_one_more)
    code, replayed, _ = recscope("explain", "--replay", out, "--json")
    assert (code, replayed["ok"]) == (1, False)


def test_what_the_page_exports_of_a_new_item_holds(shop, fitted, tmp_path):
    """With the counterfactual, of an item that is on the list since all are."""
    run, out = fitted("unified"), tmp_path / "why.json"
    loaded = pipeline.with_described(pipeline.load_run(shop, run), [OTHER, NEW])
    query = pipeline.history_of(loaded, someone(shop, 5, 5))
    items = pipeline.item_codes(loaded, [NEW])
    k = len(loaded.items)
    found = pipeline.explain_items(loaded, query, items)
    off = counterfactual(loaded.model, query, int(items[0]), n_items=k, k=k)
    pipeline.ExplanationDocument(loaded, query, found, counterfactual=off).write(out)
    replayed = pipeline.replay(shop, out)
    assert (replayed.ok, replayed.differs) == (True, ())


def test_a_run_that_reads_no_content_says_so_in_one_sentence(shop, fitted, recscope):
    user = someone(shop, 5, 5)
    blind = fitted("unified", "content=false", "epochs=1")
    for run, why in (
        (fitted("ease"), "(ease) knows only items of its log: "),
        (blind, "(unified) knows only items of its log and was trained without what is known of"),
    ):
        for words in (("explain",), ("counterfactual", "--add"), ("counterfactual",)):
            command, *more = words
            answer = recscope(command, run.id, "--user", user, "--item", NEW, *more)
            refused(answer, f"item '{NEW}' is described in dataset shop, but no event of its log")
            refused(answer, f"and run {run.id} {why}")
            refused(answer, "is read by content, two_tower and unified")
    nowhere = recscope("explain", blind.id, "--user", user, "--item", 77)
    refused(nowhere, f"item '77' is not in dataset shop, so run {blind.id} does not know it")
    with pytest.raises(NotFound, match="knows only items of its log"):
        api.open(shop.path).run(blind.id).explain(user, item=NEW)


def test_embeddings_that_a_new_item_does_not_have_are_named(shop, make_dataset, recscope):
    log = shop.dataset("shop")
    events = pd.read_parquet(log.folder / "events.parquet")
    words = np.random.default_rng(4).choice(["red", "blue", "tall", "small", "old", "new"], (26, 5))
    items = pd.DataFrame({"item_id": np.arange(1, 27) * 10, "title": [" ".join(w) for w in words]})
    info = make_dataset(events, items=items, id="6" * 12, name="titled")
    info.folder.rename(shop.datasets_folder / info.id)
    request = RunRequest("titled", "content", features={"text_model": "svd"}, device="cpu")
    run, user = pipeline.train(shop, request), someone(shop, 5, 5)
    code, found, err = recscope("explain", run.id, "--user", user, "--item", 260, "--json")
    assert code == 0, err
    assert found["embeddings_left_out"] == ["text_embedding"]
    assert found["sentence"].endswith("What a text model would make of its texts is left out.")
    kinds = {part["kind"]: part["value"] for part in found["attributes"]["parts"]}
    assert kinds["text"] != 0
    assert abs(kinds["text_embedding"]) < 1e-12


def test_nobody_taught_a_reason_for_what_nobody_took(shop, fitted, recscope):
    run, user = fitted("two_tower"), someone(shop, 5, 5)
    words = ("explain", run.id, "--user", user, "--item", NEW, "--origin")
    code, text, err = recscope(*words)
    assert code == 0, err
    assert "nobody" in text.lower()
