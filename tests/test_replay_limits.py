"""What a forged export asks for that no machine should do is refused in one sentence."""

from __future__ import annotations

import json
import time
from functools import partial

import numpy as np
import pytest

from core import pipeline
from core.errors import BadInput, TooLarge
from core.explain import refine
from core.explain.steps import evaluations_by_step
from core.pipeline.replays import limits
from core.pipeline.replays.seal import Seal, canonical
from core.recommend.time_limit import time_limit
from tests.explaining import busy, refused, someone, train

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("shop_is_home")]


@pytest.fixture
def exported(shop, recscope, tmp_path):
    """Explains 14 events, so that orders are drawn, into a file."""
    out, run = tmp_path / "why.json", train(shop, "als")
    words = ("--histories", busy(tmp_path, 14), "-k", 2, "--out", out)
    code, _, err = recscope("explain", run.id, *words)
    assert code == 0, err
    return out


def rewritten(out, change) -> None:
    content = json.loads(out.read_text())
    del content["seal"]
    change(content)
    content["seal"] = Seal.of(canonical(content), None).to_json()
    out.write_text(json.dumps(content))


def put(content, value, *place) -> None:
    for part in place[:-1]:
        content = content[part]
    content[place[-1]] = value


LARGE = [
    ((1, "format_version"), "explains the model's raw score"),
    ((3, "format_version"), "written by a newer Recscope"),
    ((True, "format_version"), "is no explanation"),
    (("../x", "run", "id"), "'../x', which is no id of a run"),
    (("/etc/passwd", "run", "id"), "which is no id of a run"),
    (("", "run", "id"), "which is no id of a run"),
    (
        (10_001, "per_player"),
        "10,001 histories per player, and what can be replayed has at most 10,000",
    ),
    ((2**70, "per_player"), "is no explanation"),
    ((10**400, "seed"), "is no explanation"),
    ((37, "evaluations"), "37 histories, which no step of this explanation comes to"),
    ((10**15, "evaluations"), "which no step of this explanation comes to"),
    ((list(range(10_001)), "items"), "10,001 items explained"),
    ((["x"] * 100_001, "history", "item_id"), "100,001 events in the history"),
    ((["x", "x"], "items"), "is no explanation"),
    ((10**30, "history", "weight", 0), "is no explanation"),
]


@pytest.mark.parametrize(("value", "part"), LARGE, ids=[part for _, part in LARGE])
def test_what_is_too_much_is_one_sentence(value, part, exported, recscope):
    what, *place = value
    if what == 10**30:
        what = float("1e39")  # beyond float32
    rewritten(exported, lambda content: put(content, what, *place))
    began = time.monotonic()
    refused(recscope("explain", "--replay", exported), part)
    assert time.monotonic() - began < 20


def test_many_players_times_many_orders_are_refused_before_they_are_drawn(
    shop, recscope, exported, tmp_path
):
    run, out = train(shop, "als"), tmp_path / "long.json"
    recscope("explain", run.id, "--histories", busy(tmp_path, 300), "--item", 30, "--out", out)
    rewritten(out, lambda content: put(content, 9_999, "per_player"))
    refused(recscope("explain", "--replay", out), "histories per player times players squared")


JUNK = [
    '{"format": "recscope explanation", "format": "recscope explanation"}',
    '{"format": NaN}',
    '{"format": 1e999}',
    '{"format": ' + "9" * 5_000 + "}",
    "[" * 200_000,
    '{"a":' * 50_000,
    '{"format": "recscope explanation", "format_version": 2, "seal": '
    + "[" * 900
    + "]" * 900
    + "}",
]


@pytest.mark.parametrize("text", JUNK, ids=[text[:40] for text in JUNK])
def test_json_that_is_none_of_ours_is_one_sentence(text, recscope, tmp_path):
    (tmp_path / "why.json").write_text(text)
    refused(recscope("explain", "--replay", tmp_path / "why.json"), "why.json is no explanation")


def test_a_deep_entry_beside_the_others_is_no_bug(exported, recscope):
    text = exported.read_text()
    for depth in (100, 400, 900, 980, 990):
        deep = "[" * depth + "]" * depth
        exported.write_text(text.replace("{", '{"deep": ' + deep + ",", 1))
        code, _, err = recscope("explain", "--replay", exported)
        assert code in (1, 2)
        assert "Traceback" not in err
        assert "a bug" not in err


def test_a_file_is_not_read_beyond_its_limit(recscope, tmp_path):
    path = tmp_path / "why.json"
    with path.open("wb") as file:
        file.truncate(limits.MOST_BYTES + 1)
    refused(recscope("explain", "--replay", path), f"has {limits.MOST_BYTES + 1} bytes")
    refused(recscope("explain", "--replay", "/dev/zero"), "it is no file")
    refused(recscope("explain", "--replay", tmp_path), "it is no file")


def test_a_replay_ends_when_its_time_is_over(shop, exported):
    with pytest.raises(TooLarge, match="was not made again within 0 seconds"):
        pipeline.replay(shop, exported, seconds=0)
    assert pipeline.replay(shop, exported).ok


def test_what_could_not_be_replayed_is_not_written(shop, tmp_path):
    loaded = pipeline.load_run(shop, train(shop, "ease"), device="cpu")
    _, query = pipeline.queries_for(loaded, histories=busy(tmp_path, 100_001))
    why = pipeline.explain_items(loaded, query, np.array([3]))
    with pytest.raises(TooLarge, match="100,001 events"):
        pipeline.ExplanationDocument(loaded, query, why).write(tmp_path / "why.json")
    assert not (tmp_path / "why.json").exists()


@pytest.mark.parametrize(("name", "events"), [("ease", 0), ("ease", 9), ("als", 12), ("als", 20)])
def test_how_many_histories_each_step_asks_for_is_known_before(name, events, shop, tmp_path):
    loaded = pipeline.load_run(shop, train(shop, name), device="cpu")
    _, query = pipeline.queries_for(loaded, histories=busy(tmp_path, max(events, 1)))
    query = query if events else query.subsets(np.zeros((1, 1), bool))
    ask = partial(refine, loaded.model, query, np.array([3]), n_items=25, seed=2, per_player=30)
    counted = [each.evaluations for each in ask(until=10**9)]
    steps = list(evaluations_by_step(loaded.model, events, seed=2, per_player=30))
    assert steps == counted


def test_a_time_limit_holds_inside_alone(shop):
    run = train(shop, "als")
    loaded = pipeline.load_run(shop, run, device="cpu")
    query = pipeline.history_of(loaded, someone(shop, 5, 8))
    with time_limit(0), pytest.raises(TimeoutError):
        pipeline.explain_items(loaded, query, np.array([3]))
    assert pipeline.explain_items(loaded, query, np.array([3])).exact


def test_a_version_before_this_is_told_what_it_explained(exported):
    rewritten(exported, lambda content: put(content, 0, "format_version"))
    with pytest.raises(BadInput, match="is no explanation"):
        pipeline.replay(None, exported)
