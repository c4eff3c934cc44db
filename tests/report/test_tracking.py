"""`--log mlflow`: what MLflow is told of a run, by its rules; and for real where it is there."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from importlib.util import find_spec
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from core import holdings, jobs, pipeline
from core.errors import BadInput
from core.models import MODELS
from core.report import tracking
from core.runs import artifact
from core.runs.config import model_config
from core.runs.request import RunRequest

HAS_MLFLOW = find_spec("mlflow") is not None
KEY = re.compile(r"[/\w.\- :]{1,250}", re.ASCII)  # what MLflow takes as a name


@dataclass
class Kept:
    """A run as the stand-in keeps it."""

    name: str
    tags: dict[str, str]
    params: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    status: str = "RUNNING"

    @property
    def info(self) -> SimpleNamespace:
        return SimpleNamespace(run_id=self.name)


class MlflowException(Exception):
    pass


class StandIn:
    """As much of MlflowClient as is called, and as strict as MLflow is with names and values."""

    runs: dict[str, Kept]
    experiments: dict[str, str]
    fails = ""

    def get_experiment_by_name(self, name: str) -> Any:
        if self.fails:
            raise MlflowException(self.fails)
        number = self.experiments.get(name)
        return None if number is None else SimpleNamespace(experiment_id=number)

    def create_experiment(self, name: str) -> str:
        return self.experiments.setdefault(name, str(len(self.experiments)))

    def search_runs(self, numbers: list[str], filter_string: str, max_results: int) -> list[Kept]:
        key, value = re.fullmatch(r"tags\.`(.*)` = '(.*)'", filter_string).groups()
        return [run for run in self.runs.values() if run.tags.get(key) == value][:max_results]

    def create_run(self, number: str, start_time: int, tags: dict, run_name: str) -> Kept:
        assert all(KEY.fullmatch(key) and isinstance(value, str) for key, value in tags.items())
        self.runs["m1"] = Kept("m1", dict(tags))
        return self.runs["m1"]

    def log_batch(self, ident: str, metrics: Any = (), params: Any = ()) -> None:
        assert len(metrics) <= 1000
        assert len(params) <= 100
        for key, value in params:
            assert KEY.fullmatch(key), key
            assert len(value) <= 500
            assert self.runs[ident].params.setdefault(key, value) == value
        for key, value, timestamp, step in metrics:
            assert KEY.fullmatch(key), key
            assert isinstance(value, float)
            assert timestamp > 0
            self.runs[ident].metrics.setdefault(key, []).append((step, value))

    def set_tag(self, ident: str, key: str, value: str) -> None:
        self.runs[ident].tags[key] = value

    def set_terminated(self, ident: str, status: str, end_time: int) -> None:
        self.runs[ident].status = status


@pytest.fixture
def stand_in(monkeypatch):
    """In the place of the package, whether that is installed or not."""
    client = type("MlflowClient", (StandIn,), {"runs": {}, "experiments": {}})
    package = ModuleType("mlflow")
    package.MlflowClient = client
    package.exceptions = SimpleNamespace(MlflowException=MlflowException)
    package.entities = SimpleNamespace(
        Param=lambda key, value: (key, value),
        Metric=lambda key, value, timestamp, step: (key, value, timestamp, step),
    )
    package.get_tracking_uri = lambda: "file:///somewhere/mlruns"
    monkeypatch.setattr(tracking, "find_spec", lambda name: object())
    monkeypatch.setitem(sys.modules, "mlflow", package)
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.delenv("MLFLOW_EXPERIMENT_NAME", raising=False)
    return client


TRAIN = ("train", "shop", "--model", "als", "--set", "dim=4", "--device", "cpu", "--name", "mine")


def test_it_is_told_settings_metrics_tags_and_the_id(stand_in, shop, shop_is_home, recscope):
    code, said, err = recscope(*TRAIN, "--evaluate", "--log", "mlflow", "--json")
    assert code == 0, err
    there = {"run": "m1", "experiment": "shop", "uri": "file:///somewhere/mlruns"}
    assert said["mlflow"] == there
    kept, run = stand_in.runs["m1"], artifact.find_run(shop, "mine")
    assert kept.status == "FINISHED"
    assert kept.tags[tracking.RUN_ID] == run.id
    assert kept.tags["recscope.artifact_hash"] == run.artifact_hash
    settings = {key: str(value) for key, value in run.config.params.items() if value != ""}
    assert settings.items() <= kept.params.items()
    assert (kept.params["model"], kept.params["seed"]) == ("als", "0")
    for name, own in run.metrics.metrics.items():
        key = name.replace("@", "_at_")
        assert kept.metrics[key] == [(0, own.mean)]
        if own.low is not None:
            assert kept.metrics[f"{key}.low"] == [(0, own.low)]
            assert kept.metrics[f"{key}.high"] == [(0, own.high)]
    assert kept.metrics["list_ms"][0][1] > 0


def test_the_same_again_is_no_second_run(stand_in, shop, shop_is_home, recscope):
    assert recscope(*TRAIN, "--log", "mlflow")[0] == 0
    holdings.annotate(shop, "mine", "why", add=["a", "b"])
    code, out, _ = recscope(*TRAIN, "--evaluate", "--log", "mlflow")
    assert code == 0
    assert "in MLflow: run m1 of experiment shop" in out
    (kept,) = stand_in.runs.values()
    assert kept.tags["recscope.tags"] == "a, b"
    assert kept.tags["mlflow.note.content"] == "why"
    assert len(kept.metrics["ndcg_at_10"]) == 1


def test_each_epoch_is_a_step(stand_in, shop):
    run = pipeline.train(shop, RunRequest("shop", "als", {"dim": 4, "sweeps": 2}, device="cpu"))
    lines = [
        {"epoch": 1, "loss": 0.5, "validation": 0.1},
        {"epoch": 2, "loss": 0.4, "validation": None},
        {"epoch": 1, "loss": 0.3, "refit": True},
        {"epoch": 1, "loss": 0.2, "component": "ease 90 d: ü/x"},
        {"trial": 1, "validation": 0.3},
    ]
    assert list(tracking.by_epoch(lines)) == [
        ("loss", 0.5, 1),
        ("validation_ndcg_at_10", 0.1, 1),
        ("loss", 0.4, 2),
        ("refit/loss", 0.3, 1),
        ("ease 90 d_ __x/loss", 0.2, 1),
    ]
    with (run.folder / "epochs.jsonl").open("w") as file:
        file.writelines(f'{{"epoch": {n}, "loss": {n}.5}}\n' for n in range(1, 251))
    assert len(jobs.epochs(shop, run.id)) == 250
    tracking.log_to_mlflow(shop, run)
    assert [step for step, _ in stand_in.runs["m1"].metrics["loss"]] == list(range(1, 251))


@pytest.mark.parametrize("model", MODELS)
def test_no_setting_hides_a_condition(model):
    conditions = {"model", "dataset", "split", "cut", "validate_on", "seed", "device"}
    assert not conditions & set(vars(model_config(model, {})))


def test_a_search_logs_the_run_of_its_best_settings(stand_in, shop, shop_is_home, recscope):
    words = ("tune", "shop", "--model", "ease", "--trials", "2", "--device", "cpu")
    code, said, err = recscope(*words, "--log", "mlflow", "--json")
    assert code == 0, err
    assert stand_in.runs["m1"].tags[tracking.RUN_ID] == said["run"]


def test_what_it_does_not_take_is_a_sentence_and_the_run_is_kept(
    stand_in, shop, shop_is_home, recscope
):
    stand_in.fails = "no\nconnection"
    code, _, err = recscope(*TRAIN, "--log", "mlflow")
    assert code == 2
    run = artifact.find_run(shop, "mine")
    assert f"MLflow did not take run {run.id} (no connection): it is trained and kept" in err


def test_without_it_nothing_is_trained(shop, shop_is_home, recscope, monkeypatch):
    monkeypatch.setattr(tracking, "find_spec", lambda name: None)
    code, _, err = recscope(*TRAIN, "--log", "mlflow")
    assert code == 2
    assert err == (
        "recscope: MLflow is not installed, and runs are logged only where it is: "
        "pip install '.[mlflow]' in a clone of Recscope, or pip install mlflow-skinny\n"
    )
    assert artifact.list_runs(shop) == []
    with pytest.raises(BadInput):
        tracking.check("mlflow")


@pytest.mark.skipif(not HAS_MLFLOW, reason="mlflow-skinny is not installed")
@pytest.mark.filterwarnings("default")  # what MLflow and its parts warn of is theirs
@pytest.mark.parametrize("where", ["given", "here"])
def test_for_real(shop, shop_is_home, recscope, tmp_path, monkeypatch, where):
    """In a folder of its own: that of MLFLOW_TRACKING_URI, or the one of the command."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    if where == "given":
        monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "tracked").as_uri())
    code, said, err = recscope(*TRAIN, "--evaluate", "--log", "mlflow", "--json")
    assert code == 0, err
    import mlflow

    run = mlflow.MlflowClient().get_run(said["mlflow"]["run"])
    own = artifact.find_run(shop, "mine")
    assert run.info.run_name == "mine"
    assert run.info.status == "FINISHED"
    assert run.data.tags[tracking.RUN_ID] == own.id
    assert run.data.params["dim"] == "4"
    assert run.data.metrics["ndcg_at_10"] == pytest.approx(own.metrics.metrics["ndcg@10"].mean)
    assert recscope(*TRAIN, "--log", "mlflow", "--json")[1]["mlflow"] == said["mlflow"]
    assert (tmp_path / ("tracked" if where == "given" else "mlflow.db")).exists()
