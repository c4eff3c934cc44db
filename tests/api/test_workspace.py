"""Data come in and models are trained as by the command line, in the same folders."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from dataclasses import fields

import numpy as np
import pandas as pd
import pytest

import recscope as api
from core.data.ingest.ingest import ingest
from core.models import MODELS

FRAME = pd.DataFrame(
    {
        "who": ["a", "b", "a", None, "b", "c"],
        "what": [3, 3, 4, 4, 5, 5],
        "rating": [4.0, 2.5, 5.0, 1.0, 3.0, 3.5],
        "timestamp": pd.date_range("2024-01-01", periods=6, freq="D"),
    }
)
MAP = {"user_id": "who", "item_id": "what"}


def test_the_five_lines_of_the_readme(tmp_path, monkeypatch):
    """As they stand in the package's docstring, but for a shorter time."""
    rng = np.random.default_rng(3)
    users, taste = np.repeat(np.arange(60), 12), np.repeat(rng.integers(0, 3, 60), 12)
    items = rng.integers(0, 10, len(users)) * 3 + np.where(rng.random(len(users)) < 0.8, taste, 1)
    pd.DataFrame(
        {
            "user": np.char.add("u", users.astype(str)),
            "item": np.char.add("i", items.astype(str)),
            "date": pd.date_range("2023-01-01", periods=len(users), freq="h"),
        }
    ).to_csv(tmp_path / "log.csv", index=False)
    pd.DataFrame({"item": [f"i{n}" for n in range(30)], "kind": list("xyz") * 10}).to_csv(
        tmp_path / "items.csv", index=False
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    lines = [line.strip() for line in (api.__doc__ or "").splitlines() if line.startswith("    ")]
    code = "\n".join(
        lines[: lines.index("run.map()                                            # a figure") + 1]
    )
    assert code.startswith("import recscope")
    names: dict[str, object] = {}
    exec(code.replace("minutes=4", "minutes=0.1"), names)
    run, why = names["run"], names["why"]
    assert isinstance(run, api.Run)
    assert isinstance(why, api.Explanation)
    assert (tmp_path / "work" / "runs" / run.id).is_dir()
    assert run.stored.config.params["minutes"] == 0.1


def test_no_path_is_the_default_workspace(shop, shop_is_home):
    assert api.open(progress=False).path == shop.path


def test_a_frame_is_read_as_its_file_would_be(ws, tmp_path):
    FRAME.to_parquet(tmp_path / "log.parquet", index=False)
    by_file = ws.ingest(tmp_path / "log.parquet", map=MAP, name="file")
    by_frame = ws.ingest(FRAME, map=MAP)
    assert by_frame.name == "dataframe"
    for fact in ("mapping", "evidence", "counts"):
        assert getattr(by_frame, fact) == getattr(by_file, fact)
    assert by_frame.rejected().to_dict("records") == [{"reason": "no_user", "rows": 1}]
    events = [pd.read_parquet(one.info.path("events")) for one in (by_file, by_frame)]
    pd.testing.assert_frame_equal(*events)
    assert ws.ingest(FRAME.copy(), map=MAP).id == by_frame.id


def test_several_frames_and_files_go_together(ws, tmp_path):
    names = pd.DataFrame({"what": [3, 4, 5], "title": ["Tea", "Cup", "Pot"]})
    names.to_csv(tmp_path / "names.csv", index=False)
    people = pd.DataFrame({"who": ["a", "b"], "city": ["X", "Y"]})
    one = ws.ingest(
        [FRAME[:3], FRAME[3:]], items=str(tmp_path / "names.csv"), users=people, map=MAP
    )
    assert one.counts["rows_kept"] == 5
    assert (one.info.meta["item_columns"], one.info.meta["user_columns"]) == (["title"], ["city"])
    assert set(one.history("a")["label"]) == {"Tea", "Cup"}


def test_what_was_left_out_is_told_also_of_the_tables_beside_the_log(ws):
    names = pd.DataFrame({"what": [3, 4, 4, None], "title": ["Tea", "Cup", "Mug", "Pot"]})
    one = ws.ingest(FRAME, items=names, map=MAP)
    assert one.rejected().values.tolist() == [
        ["duplicate_item", 1],
        ["no_item", 1],
        ["no_user", 1],
    ]
    assert one.counts["rows_rejected"] == 1
    assert "duplicate_item" in one._repr_html_()
    none = ws.ingest(FRAME.dropna(), map=MAP).rejected()
    assert (list(none), len(none)) == (["reason", "rows"], 0)


def test_a_named_index_is_a_column_and_counted_rows_are_not(ws):
    indexed = FRAME.set_index(["who", "what"])
    filtered = FRAME[FRAME["rating"] > 1]
    assert ws.ingest(indexed, map=MAP).counts == ws.ingest(FRAME, map=MAP).counts
    assert ws.ingest(filtered, map=MAP).counts["rows_read"] == 5


@pytest.mark.parametrize(
    ("frame", "sentence"),
    [
        (
            FRAME.set_index(pd.Index(list("uvwxyz"))),
            "index of the dataframe has no name, and values such as 'u'",
        ),
        (FRAME.set_index("who", drop=False), "an index and a column that are both called 'who'"),
        (FRAME.set_axis([0, 1, 2, 3], axis=1), "a column of the dataframe is called 0"),
        (FRAME.set_axis(["who", "what", "what", "t"], axis=1), "two columns called 'what'"),
        (
            FRAME.assign(what=[1, "x", 2, 3, 4, 5]),
            "column 'what' of the dataframe cannot be written as one type",
        ),
        (FRAME[:0], "dataframe.parquet has no rows"),
        (FRAME[["what"]], "no column looks like the user; its columns are what: map user_id to"),
        (pd.DataFrame(), "there are no columns in the dataframe"),
        (
            FRAME.assign(timestamp=FRAME["timestamp"].dt.to_period("D")),
            "holds period[D], no times: frame['timestamp'].dt.to_timestamp()",
        ),
        (FRAME.assign(timestamp=FRAME["timestamp"] - FRAME["timestamp"][0]), "no times"),
        (FRAME.assign(band=pd.cut(FRAME["rating"], 3)), "no Parquet file can hold (band)"),
    ],
)
def test_what_would_be_lost_without_a_word_is_refused(ws, frame, sentence):
    with pytest.raises(api.BadInput) as refused:
        ws.ingest(frame, map=MAP if "who" in frame else None)
    assert sentence in str(refused.value)
    assert len(ws.datasets()) == 1


def test_only_tables_are_ingested(ws):
    for wrong in (3, {"a": 1}, [("u", "i")], ["log.csv", 4], FRAME["what"], b"log.csv"):
        with pytest.raises(api.BadInput, match="must be a path or a pandas DataFrame"):
            ws.ingest(wrong)
    with pytest.raises(api.NotFound, match=r"nowhere\.csv"):
        ws.ingest("nowhere.csv")


def test_datasets_and_runs_are_tables_also_when_empty(tmp_path, ws, run):
    empty = api.open(tmp_path / "new", progress=False)
    for table in ("datasets", "runs"):
        nothing, something = getattr(empty, table)(), getattr(ws, table)()
        assert len(nothing) == 0
        assert len(something) == 1
        assert list(nothing) == list(something)
    assert ws.runs().loc[0, ["id", "name", "state"]].tolist() == [run.id, "transitions", "done"]


def test_a_run_of_a_notebook_is_the_command_lines(ws, shop_is_home, recscope):
    run = ws.train("shop", "ease", l2=5, name="mine")
    _, listed, _ = recscope("runs", "--json")
    assert [(one["id"], one["name"], one["state"]) for one in listed["runs"]] == [
        (run.id, "mine", "done")
    ]
    status = json.loads((ws.path / "runs" / run.id / "status.json").read_text())
    assert status["state"] == "done"
    code, trained, err = recscope("train", "shop", "--model", "ease", "--set", "l2=5", "--json")
    assert (code, trained["run"]) == (0, run.id)
    assert "already there" in err
    before = run.stored.created
    assert ws.train(ws.dataset("shop"), "ease", l2=5.0).stored.created == before  # not made again
    measured = run.evaluate()
    _, shown, _ = recscope("evaluate", run.id, "--json")
    assert list(measured) == ["metric", "mean", "low", "high"]
    means = {name: figures["mean"] for name, figures in shown["metrics"].items()}
    assert dict(zip(measured["metric"], measured["mean"], strict=True)) == pytest.approx(means)
    assert ws.runs().loc[0, "ndcg@10"] == means["ndcg@10"]


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda ws: ws.train("shop", "eese"), "did you mean ease?"),
        (lambda ws: ws.train("shop", "ease", lamda=5), "ease has no parameter 'lamda': it has l2"),
        (lambda ws: ws.train("shop", "ease", l2="much"), "l2 of ease must be a number"),
        (lambda ws: ws.train("shop", "ease", split="half"), "there is no split 'half'"),
        (lambda ws: ws.train("shop", "ease", device="tpu"), "there is no device 'tpu'"),
        (lambda ws: ws.train("shap", "ease"), "there is no dataset 'shap'"),
        (lambda ws: ws.train(FRAME, "ease"), "by its id or name, not as DataFrame"),
        (lambda ws: ws.train(None, "ease"), "by its id or name, not as NoneType"),
        (lambda ws: ws.train("shop", "EASE"), "did you mean ease?"),
        (lambda ws: ws.train("shop", "fusion", components=["no", "ne"]), "no finished run 'no'"),
        (lambda ws: ws.train("shop", "fusion", components={"a": 1}), "of fusion must be"),
        (lambda ws: ws.train("shop", None), "model must be a text, not NoneType"),
        (lambda ws: ws.train("shop", "ease", name=5), "name must be a text, not int '5'"),
        *(
            (lambda ws, seed=seed: ws.train("shop", "ease", seed=seed), "seed must be a whole")
            for seed in (-1, 1.5, "x", True, None)
        ),
        (lambda ws: ws.ingest(FRAME, map="user_id=who"), "map must be a dict of role: column"),
        (lambda ws: ws.ingest(FRAME, map={"user_id": 3}), "not of 'user_id': 3"),
        (lambda ws: ws.ingest(FRAME, weights={"buy": "5"}), "dict of event type: number, not of"),
        (lambda ws: ws.ingest(FRAME, clean=5), "a step of clean must be a text, not int '5'"),
        (lambda ws: ws.ingest(FRAME, map=MAP, name=""), "one printable line of 1 to 200"),
        (lambda ws: ws.ingest(FRAME, map=MAP, name=7), "name must be a text, not int '7'"),
        (lambda ws: ws.dataset("shop").history(None), "has no user None"),
        (lambda ws: ws.dataset(None), "by its id or name, not as NoneType"),
        (lambda ws: api.open(5), "given by its path, not int '5'"),
        (lambda ws: api.open("a\0b"), "embedded null byte"),
        (lambda ws: ws.run("nothing"), "there is no finished run 'nothing'"),
        (lambda ws: ws.dataset("nothing"), "there is no dataset 'nothing'; there are"),
        (lambda ws: ws.compare("nothing"), "give two or more, not 1"),
        (lambda ws: ws.dataset("shop").history("nobody"), "has no user nobody"),
    ],
)
def test_a_mistake_gets_one_sentence(ws, call, sentence):
    with pytest.raises(api.BadInput) as refused:
        call(ws)
    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_dataset_that_is_gone_is_not_trained_on(ws, shop):
    data = ws.dataset("shop")
    shop.delete_dataset(data.id)
    with pytest.raises(api.NotFound, match=f"there is no dataset '{data.id}'"):
        ws.train(data, "popularity")


def test_a_training_that_fails_says_so_and_is_seen(ws):
    data = ws.ingest(FRAME.drop(columns="timestamp"), map=MAP, name="undated")
    with pytest.raises(api.RecscopeError) as refused:
        ws.train(data, "popularity", split="by-time")
    failed = ws.runs().loc[0]
    assert (failed["state"], failed["message"]) == ("failed", str(refused.value))


def test_runs_are_compared_user_by_user(ws, run):
    other = ws.train("shop", "popularity")
    run.evaluate()
    other.evaluate()
    rows = ws.compare(run, other.id, metrics=["ndcg@5"])
    assert rows[["run", "metric"]].values.tolist() == [[other.id, "ndcg@5"]]
    pd.testing.assert_frame_equal(ws.compare(run, other, metrics="ndcg@5"), rows)
    with pytest.raises(api.BadInput, match="named twice"):
        ws.compare(run, other, run.id)


def test_what_stands_for_a_name_may_be_the_thing_itself(ws, run):
    assert ws.run(run) is run
    assert ws.run(run.id).id == run.id
    data = ws.dataset("shop")
    assert ws.dataset(data) is data


def test_a_fusion_is_made_of_runs_or_of_their_names(ws, run):
    other = ws.train("shop", "popularity")
    fused = ws.train("shop", "fusion", components=[run, "popularity"])
    assert fused.settings["components"] == f"{run.id},{other.id}"
    assert ws.train("shop", "fusion", components=f"{run.name},{other.id}").id == fused.id


def test_numbers_of_numpy_and_nothing_are_taken(ws):
    assert ws.train("shop", "ease", seed=np.int64(3), l2=np.float32(5)).stored.config.seed == 3
    plain = ws.train("shop", "content", split="none")
    assert ws.train("shop", "content", split="none", text_model=None, images=None).id == plain.id


def test_no_setting_of_a_model_is_hidden_by_an_argument():
    taken = set(inspect.signature(api.Workspace.train).parameters) - {"settings"}
    taken |= {"text_model", "image_model", "images"}
    for name, model in MODELS.items():
        assert not taken & {field.name for field in fields(model.Config)}, name


def test_names_are_a_contract():
    """The issue that asked for them says so."""
    signatures = {
        "open": ["path"],
        "Workspace.ingest": ["self", "source", "items", "users", "map", "name"],
        "Workspace.train": ["self", "dataset", "model", "split", "seed", "device"],
        "Run.evaluate": ["self", "k"],
        "Run.recommend": ["self", "users", "histories", "k", "keep_seen"],
        "Run.explain": ["self", "user", "item", "k", "against"],
        "Run.embed": ["self", "map"],
        "Run.neighbours": ["self", "item", "k"],
    }
    for path, names in signatures.items():
        function = api
        for name in path.split("."):
            function = getattr(function, name)
        positional = [
            p.name
            for p in inspect.signature(function).parameters.values()
            if p.kind is p.POSITIONAL_OR_KEYWORD
        ]
        assert positional == names, path


@pytest.mark.slow
def test_python_m_recscope_is_the_command_line():
    done = subprocess.run(
        [sys.executable, "-m", "recscope", "--help"], capture_output=True, text=True, check=True
    )
    assert "ingest" in done.stdout


def test_progress_says_stages_to_a_log_and_nothing_if_not_wanted(ws, capsys):
    ws.train("shop", "popularity")
    assert capsys.readouterr() == ("", "")
    ws.progress = True
    ws.train("shop", "als", sweeps=2)
    out, err = capsys.readouterr()
    assert out == ""
    assert [line.split()[-1] for line in err.splitlines()] == ["load", "split", "fit", "save"]


def test_ingest_gives_what_core_gives(ws, shop, tmp_path):
    FRAME.to_csv(tmp_path / "log.csv", index=False)
    expected = ingest(shop, [tmp_path / "log.csv"], mapping=MAP, name="x")
    assert ws.ingest(tmp_path / "log.csv", map=MAP).info.id == expected.id


def test_a_report_is_a_file_to_hand_on(ws, run, tmp_path):
    out = ws.report(run, out=tmp_path / "r.html", language="zh", users=["u3"])
    assert '<html lang="zh-CN">' in out.read_text("utf-8")
    for wrong, said in (
        ({"out": "r.pdf"}, "a file ends in .html"),
        ({"language": "fr"}, "en or zh"),
    ):
        with pytest.raises(api.BadInput, match=said):
            ws.report(run, **{"out": tmp_path / "no.html", **wrong})
