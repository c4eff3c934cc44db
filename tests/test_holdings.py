"""Datasets and runs get other names, leave the lists, go: what was said, never what is used."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core import holdings, jobs, pipeline
from core.data.store import Workspace
from core.errors import BadInput, Corrupt, NotFound
from core.runs import artifact
from core.runs.request import RunRequest
from core.tune import finished_searches
from recscope.workspace import Workspace as Notebook

pytestmark = pytest.mark.slow  # together too many for `make quick`


@pytest.fixture
def run(shop):
    return pipeline.train(shop, RunRequest("shop", "popularity", device="cpu", name="best"))


@pytest.fixture
def other(shop, tmp_path) -> str:
    """The id of a second dataset, on which nothing stands."""
    from core.data.ingest.ingest import ingest

    (tmp_path / "log.csv").write_text("user_id,item_id\n1,2\n1,3\n2,3\n2,4\n")
    return ingest(shop, [tmp_path / "log.csv"], name="other").id


@pytest.fixture
def there(shop, recscope):
    def ask(*words):
        return recscope(*words, "--data-dir", shop.path)

    return ask


def named(shop: Workspace) -> set[str]:
    return {one.name for one in holdings.everything(shop)}


def test_nothing_is_deleted_without_a_yes(there, shop, run):
    code, _, err = there("delete", "shop")
    assert code == 2
    assert "dataset shop (555555555555)" in err
    assert f"1 run on it: best ({run.id})" in err
    size = sum(
        path.stat().st_size
        for folder in (shop.dataset("shop").folder, run.folder)
        for path in folder.rglob("*")
    )
    assert f"({size} bytes)" in err
    assert "--yes" in err
    assert named(shop) == {"shop", "best"}


def test_a_dataset_goes_with_all_that_stands_on_it(there, shop, run, other):
    there("tune", "shop", "--model", "ease", "--trials", "2", "--device", "cpu")
    assert finished_searches(shop, "555555555555")
    before = holdings.folder_size(shop.path)
    code, gone, err = there("delete", "shop", "--yes", "--json")
    assert code == 0, err
    kinds = sorted(one["kind"] for one in gone["with_it"])
    assert kinds == ["run", "run", "search"]
    assert before - holdings.folder_size(shop.path) == gone["freed"]
    assert [one.id for one in holdings.everything(shop)] == [other]
    assert not list(shop.tmp_folder.iterdir())


def test_a_run_goes_alone(there, shop, run, other):
    code, gone, err = there("delete", "best", "--yes", "--json")
    assert (code, gone["with_it"]) == (0, []), err
    assert named(shop) == {"shop", "other"}
    assert there("delete", "best", "--yes")[0] == 2


def test_a_name_that_two_things_bear_is_refused(there, shop, run, other):
    for words in (["delete", "--yes"], ["archive"], ["rename"]):
        artifact.rename_run(shop, run.id, "other")
        extra = ["x"] if words[0] == "rename" else []
        code, _, err = there(words[0], "other", *words[1:], *extra)
        assert code == 2
        assert other in err
        assert run.id in err
    assert named(shop) == {"shop", "other"}
    assert len(holdings.everything(shop)) == 3


def test_what_a_job_uses_is_not_deleted(there, shop, run):
    config = RunRequest("shop", "ease", device="cpu").resolve(shop)
    with jobs.train_inline(shop, config, "shop") as report:
        for ref in ("shop", report.folder.name):
            code, _, err = there("delete", ref, "--yes")
            assert code == 2
            assert report.folder.name in err
            assert "is under way" in err
        assert there("delete", "best", "--yes")[0] == 0
    code, told, _ = there("delete", "shop", "--yes")
    assert code == 0
    assert "deleted dataset shop" in told
    assert " 0 B" not in told  # said of what was there


def test_a_run_that_a_fusion_is_being_made_of_is_not_deleted(shop, run):
    second = pipeline.train(shop, RunRequest("shop", "transitions", device="cpu"))
    chosen = {"components": f"{run.id},{second.id}"}
    config = RunRequest("shop", "fusion", chosen, device="cpu").resolve(shop)
    with (
        jobs.train_inline(shop, config, "shop"),
        pytest.raises(BadInput, match="is under way"),
    ):
        holdings.delete(shop, holdings.removal(shop, second.id))
    assert artifact.open_run(shop, second.id)


def test_what_came_since_is_not_deleted_unseen(shop):
    planned = holdings.removal(shop, "shop")
    pipeline.train(shop, RunRequest("shop", "popularity", device="cpu"))
    with pytest.raises(BadInput, match="more stands on"):
        holdings.delete(shop, planned)
    assert shop.dataset("shop")


def test_a_new_name_is_all_that_changes(there, shop, run):
    before = {path: path.read_bytes() for path in run.folder.iterdir() if path.name != "run.json"}
    for ref, name in (("shop", "store"), ("best", "第一 €")):
        code, told, err = there("rename", ref, name, "--json")
        assert (code, told["name"]) == (0, name), err
    assert named(shop) == {"store", "第一 €"}
    assert {path: path.read_bytes() for path in before} == before
    assert artifact.find_run(shop, "第一 €").artifact_hash == run.artifact_hash
    assert len(pipeline.recommend(shop, artifact.find_run(shop, run.id), k=2)) == 80


@pytest.mark.parametrize("bad", ["a\nb", "", "x" * 201, "\x1b[2J", "‮evil"])
def test_every_name_is_one_printable_line(there, shop, run, tmp_path, bad):
    (tmp_path / "new.csv").write_text("user_id,item_id\n5,6\n5,7\n6,7\n")
    for words in (
        ["ingest", tmp_path / "new.csv", f"--name={bad}"],
        ["train", "shop", "--model", "popularity", "--device", "cpu", f"--name={bad}"],
        ["train", "shop", "--model", "ease", "--device", "cpu", f"--name={bad}"],
        ["tune", "shop", "--model", "ease", "--trials", "2", f"--name={bad}"],
        ["rename", "shop", bad],
        ["rename", "best", bad],
    ):
        code, _, err = there(*words)
        assert code == 2, words
        assert "one printable line of 1 to 200 characters" in err, words
    assert named(shop) == {"shop", "best"}


def test_what_is_archived_is_kept_but_not_listed(there, shop, run, other):
    for ref in ("best", "other"):
        assert there("archive", ref)[0] == 0
    assert [info.name for info in shop.datasets()] == ["shop"]
    assert artifact.list_runs(shop) == []
    _, listed, _ = there("datasets", "--json")
    assert [one["name"] for one in listed["datasets"]] == ["shop"]
    _, listed, _ = there("runs", "--json")
    assert listed["runs"] == []
    _, listed, _ = there("runs", "--all", "--json")
    assert [(one["name"], one["archived"]) for one in listed["runs"]] == [("best", True)]
    assert there("recommend", "best", "-k", "2")[0] == 0  # it can be used
    assert there("archive", "best", "--undo")[0] == 0
    assert [one.name for one in artifact.list_runs(shop)] == ["best"]


def test_a_listed_namesake_goes_before_an_archived_one(shop, other):
    shop.rename(other, "shop")
    assert shop.dataset("shop").id == other
    holdings.archive(shop, other)
    assert shop.dataset("shop").id == "555555555555"
    assert shop.dataset(other).id == other


def test_sizes_are_what_lies_on_the_disk(there, shop, run):
    for what, folder in (("datasets", shop.dataset("shop").folder), ("runs", run.folder)):
        _, listed, _ = there(what, "--json")
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        assert [one["bytes"] for one in listed[what]] == [size]
        assert "kB" in there(what)[1]


DAMAGE = {
    "dataset": ("datasets/{}/dataset.json", "ingest its files again"),
    "run": ("runs/{}/run.json", "train it again"),
    "search": ("searches/{}/search.json", "start it again"),
}


@pytest.mark.parametrize("kind", DAMAGE)
@pytest.mark.parametrize("content", ["", "{}", "[]", '{"schema_version": 99}'])
def test_what_cannot_be_read_is_named_and_can_be_deleted(kind, content, there, shop, run, other):
    there("tune", "shop", "--model", "ease", "--trials", "2", "--device", "cpu")
    search = next(shop.searches_folder.glob("[!.]*")).name
    ident = {"dataset": other, "run": run.id, "search": search}[kind]
    path = shop.path / DAMAGE[kind][0].format(ident)
    path.write_text(content)
    listed = "datasets" if kind == "dataset" else "runs"
    code, told, err = there(listed, "--json")
    assert code == 0, err
    (one,) = told["unreadable"]
    assert (one["kind"], one["id"]) == (kind, ident)
    assert str(path) in one["problem"]
    assert ("newer Recscope" if "99" in content else DAMAGE[kind][1]) in one["problem"]
    assert str(path) in there(listed)[1]
    table = Notebook(shop, progress=False).unreadable()
    assert table["id"].tolist() == [ident]
    rest = {"shop", "best", "other", "ease tuned"} - ({"other"} if kind == "dataset" else set())
    assert rest - {"best"} <= named(shop)
    if kind != "search":
        find = shop.dataset if kind == "dataset" else lambda ref: artifact.find_run(shop, ref)
        with pytest.raises(Corrupt, match=path.name):
            find(ident)
    assert there("delete", ident, "--yes")[0] == 0
    assert there(listed, "--json")[1]["unreadable"] == []


def test_the_same_files_mend_a_damaged_dataset_and_its_runs_stay(shop, tmp_path):
    from core.data.ingest.ingest import ingest

    (tmp_path / "log.csv").write_text("user_id,item_id\n1,2\n1,3\n2,3\n2,4\n3,2\n3,4\n")
    info = ingest(shop, [tmp_path / "log.csv"], name="mended")
    run = pipeline.train(shop, RunRequest("mended", "popularity", device="cpu"))
    expected = pipeline.recommend(shop, run, k=2)
    for name in ("events.parquet", "dataset.json"):
        path = info.folder / name
        path.write_bytes(path.read_bytes()[:-7])
        with pytest.raises(Corrupt, match=name):
            pipeline.recommend(shop, run, k=2)
        assert ingest(shop, [tmp_path / "log.csv"], name="mended").id == info.id
        assert pipeline.recommend(shop, run, k=2).equals(expected)


def test_a_status_that_says_nothing_leaves_a_finished_run_in_the_list(there, shop):
    there("train", "shop", "--model", "popularity", "--device", "cpu")
    (run,) = artifact.list_runs(shop)
    (run.folder / "status.json").write_text("{}")
    _, told, _ = there("runs", "--json")
    assert [(one["id"], one["state"]) for one in told["runs"]] == [(run.id, "done")]
    assert "status.json says no state" in told["unreadable"][0]["problem"]


def test_figures_of_one_person_that_changed_are_noticed(there, shop, run):
    there("evaluate", "best")
    (path,) = run.folder.glob(artifact.PER_USER_ANY)
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 4
    path.write_bytes(content)
    with pytest.raises(Corrupt, match="evaluate the run again"):
        artifact.find_run(shop, "best").per_user()
    assert there("evaluate", "best")[0] == 0
    assert artifact.find_run(shop, "best").per_user() is not None


def test_in_a_notebook(shop, run, other, caplog):
    ws = Notebook(shop, progress=False)
    ws.rename(ws.run("best"), "renamed")
    ws.archive("other")
    assert ws.datasets()["name"].tolist() == ["shop"]
    assert set(ws.datasets(archived=True)["name"]) == {"shop", "other"}
    with pytest.raises(BadInput, match=r"1 run on it: renamed .*with_runs=True"):
        ws.delete("shop")
    assert ws.delete(ws.dataset("shop"), with_runs=True) > 0
    assert ws.runs().empty
    (shop.datasets_folder / other / "dataset.json").write_text("")
    assert ws.datasets(archived=True).empty
    assert "dataset.json is empty" in caplog.text
    with pytest.raises(NotFound):
        ws.delete("shop")


def test_a_newer_trial_is_read_by_what_is_known_of_it(there, shop):
    there("tune", "shop", "--model", "ease", "--trials", "2", "--device", "cpu")
    path = next(shop.searches_folder.glob("*/search.json"))
    content = json.loads(Path(path).read_text())
    del content["checksum"]
    content["result"]["history"][0]["of_tomorrow"] = 1
    content["result"]["best"]["of_tomorrow"] = 1
    path.write_text(json.dumps(content))
    (result,) = finished_searches(shop, "555555555555")
    assert result.history[0].trial == 1
    del content["result"]["best"]
    path.write_text(json.dumps(content))
    assert finished_searches(shop, "555555555555") == []
    assert "search again" in holdings.unreadable(shop)[0].problem


def test_doctor_names_what_cannot_be_read(there, shop, run):
    (run.folder / "run.json").write_text("[]")
    code, told, _ = there("doctor", "--json")
    assert code == 1
    contents = next(one for one in told["checks"] if one["name"] == "contents")
    assert "run.json holds a list" in contents["found"]


@pytest.mark.parametrize("pid", [None, -1, 10**30, 0])
def test_a_status_of_no_process_is_of_a_killed_one(shop, pid):
    config = RunRequest("shop", "ease", device="cpu").resolve(shop)
    with jobs.train_inline(shop, config, "shop") as report:
        path = report.folder / "status.json"
        record = json.loads(path.read_text())
        path.write_text(json.dumps({k: v for k, v in record.items() if k != "checksum"}))
        assert jobs.status(shop, report.folder.name).state == "running", "without a checksum too"
        path.write_text(json.dumps({**record, "pid": pid, "checksum": None}))
        assert jobs.status(shop, report.folder.name).state == "killed"
