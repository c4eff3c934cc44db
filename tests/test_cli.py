from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pandas as pd
import pytest

from core import jobs
from core.cli.parser import build_parser
from core.models import MODELS
from core.runs import artifact

LOG = "user,item,time\n" + "".join(
    f"{user},{(user * 7 + step * step) % 13 + 1},{1_600_000_000 + 1000 * step + user}\n"
    for user in range(1, 31)
    for step in range(2 + user % 5)
)


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("RECSCOPE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def trained(shop, shop_is_home, recscope):
    """The workspace of a small shop, with the run `first` in it."""
    code, _, err = recscope("train", "shop", "--model", "item_knn", "--name", "first")
    assert code == 0, err
    return shop


CONTRACT = """
demo
serve --port 8600 --data-dir DIR
ingest FILE FILE --items FILE --users FILE --map user_id=A,item_id=B --name N --json
ingest FILE --clean dedupe,k_core=5
profile DATASET --filter time=2018 --filter event=buy --json
clean DATASET dedupe,k_core=5 --filter history=5..19 --name N --json
export-dataset DATASET --to recbole --out FOLDER --json
pictures DATASET FOLDER --json
datasets --json
runs --json
models --json
doctor --json
train DATASET --model M --set key=value other=value --split by-time --seed 3 --device cpu --json
tune DATASET --model M --set key=value --search key=1..9 --trials 5 --minutes 2 --device cpu --json
evaluate RUN -k 5,10,20 --keep-seen --json
evaluate RUN --rerank calibrated --strength 0.5
recommend RUN --users 1,2 -k 10 --keep-seen --out FILE.parquet
recommend RUN --users all
recommend RUN --rerank mmr --strength 0.5
recommend RUN --exclude a=1 --exclude a=2 --only b=3 --at-most a=2 --boost a=1:0.3 --pin 7 --pin 8
evaluate RUN --exclude a=1 --only b=3 --at-most a=2 --boost a=1:-0.3 --pin 7
recommend RUN --histories FILE --out FILE.csv
embed RUN --map --of users --component id --axes 3 --seed 2 --out FILE.parquet --json
embed RUN --map
neighbours RUN --item 2 -k 10 --component id --json
explain RUN --user 1 --item 2 --against 3 --out FILE.json --hash-user --seed 3 --json
explain RUN --histories FILE -k 10
explain --replay FILE --json
explain RUN --replay FILE
sql SELECT --dataset D --run R --param user=ID --param item=ID --json
sql SELECT --out FILE.csv
"""


@pytest.mark.parametrize("line", CONTRACT.strip().splitlines())
def test_the_names_are_those_promised(line):
    options = build_parser().parse_args([*line.split(), "--data-dir", "x"])
    assert str(options.data_dir) == "x"


@pytest.mark.slow
def test_from_a_file_to_recommendations(tmp_path):
    """The whole way through the real command, in processes of its own."""
    log, out = tmp_path / "log.csv", tmp_path / "out.parquet"
    log.write_text(LOG)

    def recscope(*words):
        done = subprocess.run(
            [sys.executable, "-m", "core.cli", *map(str, words), "--json"],
            env={**os.environ, "RECSCOPE_HOME": str(tmp_path / "home")},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)  # one object and nothing else

    made = recscope("ingest", log, "--name", "small")
    rows = LOG.count("\n") - 1
    assert (made["rows_read"], made["rows_kept"], made["rows_rejected"]) == (rows, rows, 0)
    assert (made["users"], made["items"], made["name"]) == (30, 13, "small")
    run = recscope("train", "small", "--model", "ease", "--set", "l2=5", "--device", "cpu")
    assert (run["dataset"], run["model"], run["params"]["l2"]) == (made["dataset"], "ease", 5.0)
    assert run["seconds"] > 0
    measured = recscope("evaluate", run["run"], "-k", "1,3")
    assert measured["run"] == run["run"]
    assert measured["metrics"]["ndcg@3"].keys() == {"mean", "low", "high"}
    told = recscope("recommend", run["run"][:6], "--users", "all", "-k", 2, "--out", out)
    table = pd.read_parquet(out)
    assert list(table.columns) == ["user_id", "item_id", "rank", "score"]
    assert len(table) == told["rows"]
    assert set(table["user_id"]) == set(range(1, 31))


def test_ingest_with_all_its_options(tmp_path, home, recscope):
    log, items = tmp_path / "log.csv", tmp_path / "things.csv"
    log.write_text(LOG.replace("user,item,time", "who,what,when"))
    items.write_text("item_id,colour\n1,red\n2,blue\n3,red\n")
    words = ("--items", items, "--map", "user_id=who,item_id=what,timestamp=when", "--name", "n")
    code, made, err = recscope("ingest", log, *words, "--json")
    assert code == 0, err
    assert made["mapping"]["timestamp"] == "when"
    assert made["item_columns"] == ["colour"]
    assert "reading" in err  # progress is not on standard output
    _, again, _ = recscope("ingest", log, *words, "--json")
    assert again["dataset"] == made["dataset"]
    counted = {"physical": made["rows_read"] + 1, "kept": made["rows_kept"], "header": 1}
    assert made["lines"]["log.csv"].items() >= counted.items()
    how = ("--delimiter", ",", "--quote", "none", "--header-line", "1", "--comment", "#")
    code, said, err = recscope("ingest", log, *words, *how, "--decimal", ".", "--json")
    assert code == 0, err
    assert said["lines"] == made["lines"]
    assert said["read_as"] == {
        "delimiter": ",", "quote": "none", "header_line": 1, "comment": "#", "decimal": ".",
    }  # fmt: skip
    _, timeless, _ = recscope(
        "ingest", log, "--map", "user_id=who,item_id=what,timestamp=", "--json"
    )
    assert timeless["time_kind"] == "none"
    _, cleaned, _ = recscope("ingest", log, *words, "--clean", "cap=3,dedupe", "--json")
    assert cleaned["parent"] == made["dataset"]
    assert cleaned["rows_kept"] < made["rows_kept"]
    assert cleaned["rows_kept"] + cleaned["rows_rejected"] == cleaned["rows_read"]
    code, text, _ = recscope("datasets")
    assert (code, text.count("\n")) == (0, 5)


def test_lists_are_json_objects(trained, recscope):
    _, datasets, _ = recscope("datasets", "--json")
    assert [d["name"] for d in datasets["datasets"]] == ["shop"]
    _, runs, _ = recscope("runs", "--json")
    run = runs["runs"][0]
    assert (run["name"], run["state"], run["model"]) == ("first", "done", "item_knn")
    _, models, _ = recscope("models", "--json")
    assert [m["name"] for m in models["models"]] == list(MODELS)
    knn = next(m for m in models["models"] if m["name"] == "item_knn")
    k = next(p for p in knn["params"] if p["name"] == "k")
    assert (k["type"], k["min"]) == ("int", 1)
    assert k["help"]


def test_doctor_finds_what_is_broken(trained, recscope):
    code, found, _ = recscope("doctor", "--json")
    assert (code, found["ok"]) == (0, True)
    weights = artifact.find_run(trained, "first").folder / "weights.safetensors"
    weights.write_bytes(weights.read_bytes() + b"x")
    code, text, _ = recscope("doctor")
    assert code == 1
    assert "BAD  contents" in text


def test_train_again_is_at_once(trained, recscope):
    _, first, _ = recscope("train", "shop", "--model", "item_knn", "--json")
    code, again, err = recscope("train", "shop", "--model", "item_knn", "--evaluate", "--json")
    assert (code, again["run"], again["created"]) == (0, first["run"], first["created"])
    assert again["metrics"]["ndcg@10"]
    code, _, err = recscope("train", "shop", "--model", "item_knn", "--evaluate", "--name", "other")
    assert "already there" in err
    assert artifact.find_run(trained, "other").id == first["run"]
    assert jobs.status(trained, first["run"]).state == "done"


def test_recommend_prints_a_table_or_json(trained, recscope):
    code, text, _ = recscope("recommend", "first", "--users", "u3,u1", "-k", 2)
    assert code == 0
    assert [line.split()[0] for line in text.splitlines()] == ["user_id", "u3", "u3", "u1", "u1"]
    _, found, _ = recscope("recommend", "first", "--users", "u3", "-k", 2, "--json")
    assert [r["rank"] for r in found["recommendations"]] == [1, 2]


def test_lists_are_re_ranked(trained, recscope, tmp_path):
    ask = ("recommend", "first", "--users", "u0", "-k", 4, "--rerank", "mmr")
    _, text, _ = recscope(*ask)
    assert text.splitlines()[0].split() == ["user_id", "item_id", "rank", "score", "model_rank"]
    _, found, _ = recscope(*ask, "--strength", 1, "--json")
    assert found["rerank"] == {"method": "mmr", "strength": 1.0, "by": "attributes"}
    rows = found["recommendations"]
    assert [row["rank"] for row in rows] == [1, 2, 3, 4]
    assert [row["model_rank"] for row in rows] != [1, 2, 3, 4]
    _, own, _ = recscope("recommend", "first", "--users", "u0", "-k", 25, "--json")
    assert own["rerank"] is None
    placed = {row["item_id"]: (row["rank"], row["score"]) for row in own["recommendations"]}
    assert all(placed[row["item_id"]] == (row["model_rank"], row["score"]) for row in rows)
    out = tmp_path / "a.csv"
    recscope(*ask, "--strength", 1, "--out", out)
    assert pd.read_csv(out)["item_id"].tolist() == [row["item_id"] for row in rows]


def test_re_ranked_lists_are_measured_beside_the_models_own(trained, recscope):
    ask = ("evaluate", "first", "-k", 4)
    _, own, _ = recscope(*ask, "--json")
    how = ("--rerank", "calibrated", "--strength", 0.8)
    _, found, _ = recscope(*ask, *how, "--json")
    assert found["rerank"] == {"method": "calibrated", "strength": 0.8, "by": "kind"}
    name = "calibration@4"
    assert found["metrics"][name]["mean"] < 0.8 * own["metrics"][name]["mean"]
    _, text, _ = recscope(*ask, *how)
    row = next(line.split() for line in text.splitlines() if line.startswith(name))
    assert float(row[-1]) == pytest.approx(own["metrics"][name]["mean"], rel=1e-3)
    assert (
        artifact.find_run(trained, "first").metrics.to_json() == own
    )  # runs are compared by the models' own
    _, zero, _ = recscope(*ask, "--rerank", "mmr", "--strength", 0, "--json")
    assert zero["metrics"] == own["metrics"]
    assert "not re-ranked" not in recscope(*ask, *how, "--keep-seen")[1]  # measured otherwise


def test_lists_keep_rules(trained, recscope, tmp_path):
    kind = pd.read_parquet(trained.dataset("shop").path("items")).set_index("item_id")["kind"]
    ask = ("recommend", "first", "-k", 8, "--keep-seen")
    how = ("--pin", 30, "--pin", 10, "--at-most", "kind=3", "--exclude", "item_id=20")
    _, found, _ = recscope(*ask, *how, "--json")
    assert found["rules"]["rules"] == [
        *("at-most kind=3", "exclude item_id=20", "pin 30", "pin 10")
    ]
    lists = pd.DataFrame(found["recommendations"]).groupby("user_id")["item_id"].agg(list)
    assert len(lists) == 40
    for items in lists:
        assert items[:2] == [30, 10]
        assert 20 not in items
        assert kind[items].value_counts().max() == 3
    _, found, _ = recscope(*ask, "--at-most", "kind=2", "--json")  # 3 kinds: never 8 items
    assert (found["rules"]["short"], found["rows"]) == (40, 240)
    code, text, _ = recscope(*ask, "--at-most", "kind=2", "--out", tmp_path / "a.csv")
    assert code == 0
    assert "under at-most kind=2, people with fewer than 8 items: 40" in text
    assert "items without kind, so not limited: 0" in text
    assert len(pd.read_csv(tmp_path / "a.csv")) == 240


def test_rules_that_only_hide_go_with_a_re_ranking(trained, recscope):
    kind = pd.read_parquet(trained.dataset("shop").path("items")).set_index("item_id")["kind"]
    ask = ("recommend", "first", "--rerank", "mmr", "-k", 4, "--json")
    _, found, _ = recscope(*ask, "--exclude", "kind=tea")
    assert "tea" not in set(kind[[row["item_id"] for row in found["recommendations"]]])
    assert found["rerank"]["method"] == "mmr"


def test_rules_are_measured_beside_lists_without_them(trained, recscope):
    ask = ("evaluate", "first", "-k", 4)
    _, own, _ = recscope(*ask, "--json")
    how = ("--exclude", "kind=tea")
    _, found, _ = recscope(*ask, *how, "--json")
    costs = {cost["metric"]: cost for cost in found["rules"]["costs"]}
    assert list(costs) == list(found["metrics"])
    for name, cost in costs.items():
        assert cost["own"] == pytest.approx(own["metrics"][name]["mean"])
        assert cost["mean"] == found["metrics"][name]["mean"]
    assert costs["recall@4"]["low"] <= costs["recall@4"]["difference"] <= costs["recall@4"]["high"]
    assert costs["recall@4"]["difference"] < 0
    assert costs["coverage@4"]["low"] is None
    _, text, _ = recscope(*ask, *how)
    head = next(line.split() for line in text.splitlines() if line.startswith("metric"))
    assert head[-6:] == ["high", "without", "rules", "difference", "from", "to"]
    assert "seen or not allowed: never reached" in text
    assert artifact.find_run(trained, "first").metrics.to_json() == own  # nothing is stored
    boost = ("--boost", "kind=cup:0")
    _, zero, _ = recscope(*ask, *boost, "--json")
    assert zero["metrics"] == own["metrics"]
    assert {cost["difference"] for cost in zero["rules"]["costs"]} == {0}


def test_csv_and_parquet_hold_the_same(trained, recscope, tmp_path):
    for name in ("a.csv", "a.parquet"):
        assert recscope("recommend", "first", "--out", tmp_path / name)[0] == 0
    csv, parquet = pd.read_csv(tmp_path / "a.csv"), pd.read_parquet(tmp_path / "a.parquet")
    pd.testing.assert_frame_equal(csv, parquet, check_dtype=False, rtol=1e-6)
    assert sorted(path.name for path in tmp_path.glob("*a.*")) == ["a.csv", "a.parquet"]


def test_people_never_seen_by_command(trained, recscope, tmp_path):
    table = tmp_path / "people.csv"
    table.write_text("item_id,user_id\n10,=cmd()\n20,=cmd()\n30,new\n")
    code, _, err = recscope(
        "recommend", "first", "--histories", table, "-k", 3, "--out", tmp_path / "b.csv"
    )
    assert code == 0, err
    found = pd.read_csv(tmp_path / "b.csv")
    assert found["user_id"].tolist() == ["=cmd()"] * 3 + ["new"] * 3  # ids are not altered


MISTAKES = [
    (["train"], "DATASET"),
    (["nonsense"], "nonsense"),
    (["train", "nowhere", "--model", "ease"], "there is no dataset 'nowhere'"),
    (["train", "shop", "--model", "easy"], "did you mean ease"),
    (["train", "shop", "--model", "ease", "--set", "l2=x"], "must be a number"),
    (["train", "shop", "--model", "ease", "--set", "x=1"], "no parameter 'x'"),
    (["train", "shop", "--model", "ease", "--split", "half"], "no split 'half'"),
    (["train", "shop", "--model", "ease", "--seed", "-4"], "seed"),
    (["train", "shop", "--model", "ease", "--name", ""], "printable"),
    (["train", "shop", "--model", "ease", "--device", "tpu"], "tpu"),
    (["evaluate", "nothing"], "no finished run 'nothing'"),
    (["evaluate", "first", "-k", "0"], "'0' is not a whole number from 1"),
    (["evaluate", "first", "-k", "5,x"], "'x'"),
    (["recommend", "first", "--users", "u1,nobody"], "'nobody'"),
    (["recommend", "first", "--rerank", "random"], "choose one of mmr, calibrated"),
    (["recommend", "first", "--strength", "0.5"], "add --rerank mmr or calibrated"),
    (["evaluate", "first", "--rerank", "mmr", "--strength", "2"], "from 0 to 1, not 2.0"),
    (["recommend", "first", "--exclude", "colour=red"], "there are item_id, kind, price"),
    (["recommend", "first", "--only", "kind=coffee"], "there are cup, pot, tea"),
    (["recommend", "first", "--pin", "7"], "no item '7' to pin"),
    (["evaluate", "first", "--at-most", "kind=few"], "not of the form 'at-most genres=2'"),
    (["evaluate", "first", "--only", "kind=tea", "--export", "x"], "export without them"),
    (
        ["recommend", "first", "--rerank", "mmr", "--boost", "kind=tea:1", "--only", "kind=tea"],
        "either by mmr or by rules such as 'boost kind=tea:1.0'",
    ),
    (["recommend", "first", "-k", "-1"], "-k"),
    (["recommend", "first", "--out", "x.xlsx"], ".parquet or .csv"),
    (["recommend", "first", "--out", "/nowhere/x.csv"], "/nowhere is not there"),
    (["recommend", "first", "--histories", "/nowhere.csv"], "/nowhere.csv"),
    (["recommend", "first", "--users", "u1", "--histories", "x.csv"], "not allowed with"),
    (["ingest", "/nowhere.csv"], "/nowhere.csv"),
    (["ingest", "x.csv", "--header-line", "first"], "'first' is not a whole number"),
    (["ingest", "x.csv", "--quote", "ab"], "the quote is 'ab'"),
    (["ingest", "x.csv", "--map", "user_id"], "'user_id' is not key=value"),
    (["ingest", "x.csv", "--weights", "view=much"], "not event=number"),
    (["serve", "--port", "99999999"], "port"),
    (["compare", "first"], "not evaluated"),
    (["datasets", "--data-dir", "/proc/nowhere"], "cannot be made"),
]


@pytest.mark.parametrize(("words", "part"), MISTAKES, ids=[" ".join(w) for w, _ in MISTAKES])
def test_a_mistake_is_one_sentence_and_exit_code_2(words, part, trained, recscope):
    code, out, err = recscope(*words)
    assert (code, out) == (2, "")
    said = [line for line in err.splitlines() if line.startswith("recscope: ")]
    assert len(said) == 1
    assert part in said[0]
    assert "Traceback" not in err


def test_damage_is_exit_code_1(trained, recscope):
    weights = artifact.find_run(trained, "first").folder / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    code, out, err = recscope("recommend", "first", "--json")
    assert (code, out) == (1, "")
    assert "not what was written" in err


def test_nothing_held_out_cannot_be_evaluated(trained, recscope):
    code, run, _ = recscope("train", "shop", "--model", "ease", "--split", "none", "--json")
    assert (code, run["test_users"]) == (0, 0)
    code, _, err = recscope("evaluate", run["run"])
    assert code == 2
    assert "(split none)" in err


@pytest.mark.slow
def test_ctrl_c_cancels_in_the_middle_of_a_long_call(shop):
    code = (  # a shell ignores Ctrl-C for what it starts in the background, tests too: undone here
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
        "import torch; from core import cli; from core.models import MODELS;"
        "MODELS['ease'].fit = lambda *_, **__: (print('now', flush=True),"
        " torch.linalg.eigvals(torch.rand(6000, 6000)));"
        "raise SystemExit(cli.main(['train', 'shop', '--model', 'ease']))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, "RECSCOPE_HOME": str(shop.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline() == "now\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(90) == 130  # a busy machine is slow; the call alone takes minutes there
        assert "recscope: stopped" in process.stderr.read()
    assert [s.state for s in jobs.statuses(shop)] == ["cancelled"]


@pytest.mark.slow
def test_a_reader_that_stops_reading_is_no_error(trained):
    command = f"{sys.executable} -m core.cli recommend first -k 20 | head -1"
    env = {**os.environ, "RECSCOPE_HOME": str(trained.path)}
    done = subprocess.run(command, shell=True, env=env, capture_output=True, text=True)
    assert done.stdout.split() == ["user_id", "item_id", "rank", "score"]
    assert done.stderr == ""
