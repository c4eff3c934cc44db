"""What a released version trained opens after: same recommendations, explanations that hold."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core import pipeline
from core.data.store import Workspace
from core.models import MODELS
from core.runs import artifact

VERSIONS = sorted(Path(__file__).parent.glob("v*"))
ANSWERS = [
    pytest.param(version, path.stem, id=f"{version.name}-{path.stem}")
    for version in VERSIONS
    for path in sorted(version.glob("answers/*.csv"))
]
NEAR = 1e-5  # scores this near may change places on another processor


@pytest.fixture
def opened(request, tmp_path, monkeypatch):
    """A copy of the workspace of this version, which commands find without being told."""
    shutil.copytree(request.param, tmp_path / "home")
    monkeypatch.setenv("RECSCOPE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.mark.parametrize(("opened", "name"), ANSWERS, indirect=["opened"])
def test_a_run_recommends_what_it_did(opened, name, recscope, tmp_path):
    code, _, err = recscope("recommend", name, "-k", 5, "--out", tmp_path / "now.csv")
    assert code == 0, err
    then = pd.read_csv(opened / "answers" / f"{name}.csv")
    now = pd.read_csv(tmp_path / "now.csv")
    assert now[["user_id", "rank"]].equals(then[["user_id", "rank"]])
    np.testing.assert_allclose(now["score"], then["score"], rtol=NEAR, atol=NEAR)
    for user, places in then.groupby("user_id"):
        scores = places["score"].to_numpy()
        unit = NEAR * np.maximum(1, np.abs(scores))
        alone = (np.abs(np.diff(scores, append=-np.inf)) > unit) & (
            np.abs(np.diff(scores, prepend=np.inf)) > unit
        )
        alone[-1] = False  # what stands behind the last place is not in the file
        same = now.loc[places.index, "item_id"].to_numpy() == places["item_id"].to_numpy()
        assert same[alone].all(), user


@pytest.mark.parametrize(("opened", "name"), ANSWERS, indirect=["opened"])
def test_its_explanations_hold(opened, name, recscope):
    path = opened / f"answers/{name}.json"
    record = json.loads(path.read_text())
    code, told, err = recscope("explain", "--replay", path, "--json")
    if record["format_version"] == 1:  # what was explained then stands beside what is now
        assert code == 2
        assert "explains the model's raw score (format 1)" in err
        raw_scores_hold(opened, record)
        return
    assert (code, told["ok"], told["moved"]) == (0, True, 0), err
    assert told["largest_difference"] <= 1e-6


def raw_scores_hold(home: Path, record: dict) -> None:
    workspace = Workspace.open(home)
    run = artifact.find_run(workspace, record["run"]["id"])
    loaded = pipeline.load_run(workspace, run, device="cpu")
    query = pipeline.history_of(loaded, record["user"]["id"])
    why = pipeline.explain_items(loaded, query, loaded.items.encode(record["items"]))
    for then, now in (("scores", why.raw_scores), ("base", why.raw_base)):
        np.testing.assert_allclose(record[then], now, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("opened", VERSIONS, indirect=True, ids=lambda path: path.name)
def test_its_datasets_runs_and_searches_are_there(opened, recscope):
    _, listed, _ = recscope("runs", "--json")
    runs = {run["name"]: run for run in listed["runs"]}
    models = {run["model"] for run in runs.values()}
    assert len(models) >= 18
    assert models <= set(MODELS), "what a version could train, a later one opens"
    assert all(run["state"] == "done" and run["metrics"] for run in runs.values())
    _, datasets, _ = recscope("datasets", "--json")
    assert [one["name"] for one in datasets["datasets"]] == ["released"]
    code, compared, err = recscope("compare", *runs, "--json")
    assert code == 0, err
    assert len(compared["comparisons"]) >= len(runs) - 1
    assert json.loads(next(opened.glob("searches/*/search.json")).read_text())["result"]
    code, checked, _ = recscope("doctor", "--json")
    contents = next(one for one in checked["checks"] if one["name"] == "contents")
    assert contents["ok"], contents
