from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from core import pipeline
from core.data.store import Workspace
from core.errors import BadInput, Corrupt, NotFound
from core.models import MODELS
from core.models.neural import training_state as course
from core.runs import artifact, checkpoints, config, weights
from core.runs.request import RunRequest

pytestmark = pytest.mark.slow  # together too many for `make quick`


@pytest.fixture
def run(shop):
    return pipeline.train(shop, RunRequest("shop", "transitions", device="cpu", name="first"))


def trained(model, workspace, **options):
    """A run of the shop; a fusion is given components."""
    if model == "fusion":
        parts = [
            pipeline.train(workspace, RunRequest("shop", one)).id for one in ("ease", "transitions")
        ]
        options["params"] = {"components": ",".join(parts)}
    return pipeline.train(workspace, RunRequest("shop", model, device="cpu", **options))


@pytest.mark.parametrize("model", MODELS)
def test_same_seed_data_and_device_give_the_same_weights(model, shop, tmp_path):
    again = Workspace.open(tmp_path / "again")
    again.datasets_folder.rmdir()
    again.datasets_folder.symlink_to(shop.datasets_folder)
    first, second = trained(model, shop, seed=3), trained(model, again, seed=3)
    assert first.folder != second.folder
    assert first.id == second.id
    assert first.artifact_hash == second.artifact_hash
    assert (first.folder / "weights.safetensors").read_bytes() == (
        second.folder / "weights.safetensors"
    ).read_bytes()


def test_a_training_that_is_started_again_goes_on_where_it_was(shop, tmp_path, monkeypatch):
    monkeypatch.setattr(course, "SELDOM_S", 0.0)
    monkeypatch.setattr(course, "SHARE", 1e9)
    left = shop.runs_folder / config.run_id(
        RunRequest("shop", "unified", ["epochs=4"], device="cpu").resolve(shop)
    )

    def stop(report):
        if report.epoch == 3:
            raise KeyboardInterrupt

    def train(workspace, **options):
        request = RunRequest("shop", "unified", ["epochs=4"], device="cpu")
        return pipeline.train(workspace, request, **options)

    with pytest.raises(KeyboardInterrupt):
        train(shop, on_epoch=stop)
    files = list((left / checkpoints.CHECKPOINTS).iterdir())
    assert [file.name for file in files] == ["fit.fit.safetensors"]
    again = train(shop)
    assert not (left / checkpoints.CHECKPOINTS).exists()
    assert again.folder == left
    files[0].parent.mkdir()
    files[0].write_bytes(b"not what was written")
    artifact.delete_run(shop, again.id)
    assert train(shop).artifact_hash == again.artifact_hash


def test_epochs_are_kept_beside_the_weights_also_after_a_crash(shop, tmp_path, monkeypatch):
    monkeypatch.setattr(course, "SELDOM_S", 0.0)
    monkeypatch.setattr(course, "SHARE", 1e9)

    def train(workspace, **options):
        request = RunRequest("shop", "recvae", ["epochs=5"], device="cpu")
        return pipeline.train(workspace, request, **options)

    def stop(report):
        if report.refit and report.epoch == 3:
            raise KeyboardInterrupt

    other = Workspace.open(tmp_path / "other")
    other.datasets_folder.rmdir()
    other.datasets_folder.symlink_to(shop.datasets_folder)
    whole = train(other)
    assert whole.epochs[0] == 1
    assert whole.epochs[-1] == whole.own_epoch >= 3, "nothing to stop"
    with pytest.raises(KeyboardInterrupt):
        train(shop, on_epoch=stop)
    again = train(shop)
    assert (again.meta["epochs"], again.meta["sha256"]) == (
        whole.meta["epochs"],
        whole.meta["sha256"],
    )
    kept = weights.load_snapshots(again)
    assert tuple(kept) == again.epochs
    own = pipeline.load_run(shop, again, device="cpu").model.encode_items().numpy()
    np.testing.assert_array_equal(kept[again.own_epoch], own)


def test_a_run_without_epochs_goes_on_working(run, shop):
    assert (run.epochs, run.own_epoch, weights.load_snapshots(run)) == ((), None, {})
    path = run.folder / "run.json"
    meta = json.loads(path.read_text())
    del meta["epochs"], meta["checksum"]  # as earlier versions wrote it
    path.write_text(json.dumps(meta))
    old = artifact.find_run(shop, run.id)
    assert (old.epochs, old.own_epoch, weights.load_snapshots(old)) == ((), None, {})
    pipeline.load_run(shop, old)


def test_other_data_give_other_weights(shop, make_dataset):
    events = pd.DataFrame({"user_id": [1, 1, 2, 2], "item_id": [10, 20, 20, 30]})
    info = make_dataset(events, name="other", id="6" * 12)
    info.folder.rename(shop.datasets_folder / info.id)
    hashes = {
        pipeline.train(shop, RunRequest(name, "ease")).artifact_hash for name in ("shop", "other")
    }
    assert len(hashes) == 2


@pytest.mark.parametrize("model", MODELS)
def test_what_is_loaded_scores_like_what_was_fitted(model, shop):
    run = trained(model, shop)
    once, _ = weights.load_model(run)
    twice, items = weights.load_model(artifact.find_run(shop, run.id))
    queries = pipeline.load_run(shop, run).load_dataset().interactions.queries()
    assert once.state().keys() == twice.state().keys()
    np.testing.assert_array_equal(once.score(queries), twice.score(queries))
    assert items.ids.tolist() == pipeline.load_run(shop, run).load_dataset().items.ids.tolist()


@pytest.mark.parametrize("name", ["weights.safetensors", "vocab.parquet"])
def test_one_changed_bit_is_noticed(name, run):
    path = run.folder / name
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(Corrupt, match="not what was written"):
        weights.load_model(run)


def test_a_damaged_run_is_trained_again(run, shop):
    (run.folder / "weights.safetensors").write_bytes(b"")
    again = pipeline.train(shop, RunRequest("shop", "transitions", device="cpu"))
    assert again.artifact_hash == run.artifact_hash
    weights.load_model(again)


def test_a_lost_file_is_noticed(run):
    (run.folder / "vocab.parquet").unlink()
    with pytest.raises(Corrupt, match=r"lost its vocab\.parquet"):
        weights.load_model(run)


def test_a_format_of_the_future_is_refused(run):
    newer = artifact.Run(run.id, run.folder, {**run.meta, "schema_version": 99})
    with pytest.raises(BadInput, match="newer Recscope"):
        weights.load_model(newer)


def test_run_json_says_all_that_made_the_run(run, shop):
    meta = json.loads((run.folder / "run.json").read_text())
    assert meta["config"] == {
        "dataset": shop.dataset("shop").id,
        "model": "transitions",
        "params": meta["config"]["params"],
        "split": "leave-last-out",
        "seed": 0,
        "device": "cpu",
        "features": {},
    }
    assert meta["config"]["params"]["gap"] == 6  # the defaults are written out
    assert set(meta["sha256"]) == {"weights.safetensors", "vocab.parquet"}
    assert meta["artifact_hash"] == meta["sha256"]["weights.safetensors"]
    for key in ("name", "dataset_name", "created", "seconds", "parameters", "code_version"):
        assert meta[key], key
    assert meta["machine"].keys() == {"device", "device_name", "threads", "torch", "python"}
    assert len(meta["split"]["fingerprint"]) == 64


def test_a_half_run_is_not_listed(run, shop):
    half = shop.runs_folder / "0123456789ab"
    half.mkdir()
    (half / "weights.safetensors").write_bytes((run.folder / "weights.safetensors").read_bytes())
    spec = {key: run.meta[key] for key in ("id", "name", "created", "config", "dataset_name")}
    (half / "run.json").write_text(json.dumps(spec))
    (shop.runs_folder / "not-a-run").mkdir()
    assert [r.id for r in artifact.list_runs(shop)] == [run.id]
    with pytest.raises(NotFound):
        artifact.find_run(shop, "0123456789ab")


def test_a_run_is_named_by_id_prefix_or_name(run, shop):
    for ref in (run.id, run.id[:5], "first"):
        assert artifact.find_run(shop, ref).id == run.id
    with pytest.raises(NotFound, match=r"no finished run 'x'.*first"):
        artifact.find_run(shop, "x")
    with pytest.raises(NotFound):
        artifact.find_run(shop, "")
    with pytest.raises(NotFound):
        artifact.find_run(shop, "../" + run.id)


def test_the_newest_run_bears_the_name(run, shop):
    newer = pipeline.train(shop, RunRequest("shop", "transitions", ["gap=2"], name="first"))
    assert newer.id != run.id
    assert artifact.find_run(shop, "first").id == newer.id
    assert [r.id for r in artifact.list_runs(shop)] == [newer.id, run.id]


def test_an_unclear_prefix_is_refused(shop):
    ids = [
        pipeline.train(shop, RunRequest("shop", "popularity", seed=seed)).id for seed in range(17)
    ]
    first = next(i[0] for n, i in enumerate(ids) if i[0] in {j[0] for j in ids[:n]})
    with pytest.raises(BadInput, match=" or "):
        artifact.find_run(shop, first)


def test_rename_and_delete(run, shop):
    assert artifact.rename_run(shop, run.id, " best ").name == "best"
    assert artifact.find_run(shop, "best").id == run.id
    weights.load_model(artifact.find_run(shop, "best"))
    for bad in ("", "  ", "a\nb", "x" * 201):
        with pytest.raises(BadInput, match="printable"):
            artifact.rename_run(shop, run.id, bad)
    artifact.delete_run(shop, run.id)
    assert not run.folder.exists()
    assert artifact.list_runs(shop) == []


@pytest.mark.parametrize("content", ["[]", "{}", '{"metrics": 1}', '{"metrics": {"auc": {}}}', "{"])
def test_figures_that_are_none_of_ours_are_as_if_it_was_not_evaluated(content, run, shop, recscope):
    (run.folder / artifact.METRICS).write_text(content)
    assert artifact.find_run(shop, run.id).metrics is None
    code, listed, err = recscope("runs", "--data-dir", shop.path, "--json")
    assert (code, listed["runs"][0]["metrics"]) == (0, {}), err


@pytest.mark.parametrize("content", ["[]", '"artifact_hash"', "1"])
def test_a_run_json_that_holds_no_object_is_no_run(content, run, shop):
    (run.folder / "run.json").write_text(content)
    assert artifact.list_runs(shop) == []


def test_listing_runs_does_not_load_torch(run, shop):
    code = (
        "import sys; from core import jobs; from core.runs import artifact;"
        "from core.data.store import Workspace;"
        f"w = Workspace.open({str(shop.path)!r});"
        f"assert artifact.list_runs(w)[0].id == {run.id!r}; assert jobs.statuses(w);"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
