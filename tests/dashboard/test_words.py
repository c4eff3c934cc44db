"""What the pages make of figures and of what jobs report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from core.data.profile.coded import open_coded
from core.data.profile.columns import table_profile
from core.data.profile.figures import Left
from core.data.profile.filters import Filter
from core.runs.artifact import Run
from core.runs.machines import Machines
from core.runs.overrun import overrun
from dashboard.components import jobs as shown
from dashboard.components.data.columns import for_people
from tests.conftest import MakeDataset


def line(
    component: str | None, epoch: int, loss: float | None = 1.0, **more: Any
) -> dict[str, Any]:
    figures = {} if loss is None else {"loss": loss}
    return {"component": component, "epoch": epoch, "epochs": 9, **figures, **more}


def test_two_fits_of_a_component_are_two_curves() -> None:
    lines = [
        line("item_knn", 0, None), line("item_knn", 0, None),
        line("als", 0, None), line("als", 1), line("als", 2),
        line("als", 0, None), line("als", 1), line("als", 2), line("als", 3),
        line("unified", 0, None), line("unified", 1, validation=0.1),
    ]  # fmt: skip
    fits = shown.fits_of(lines)
    assert [(fit.component, fit.again, len(fit.epochs)) for fit in fits] == [
        ("als", False, 2), ("als", True, 3), ("unified", False, 1),
    ]  # fmt: skip
    frame = shown.curves(fits)
    assert frame["epoch"].tolist() == [1, 2, 1, 2, 3, 1]
    assert frame["fit"].nunique() == 3
    assert frame["fit"].iloc[0].endswith("without the validation events")
    assert frame["fit"].iloc[2].endswith("with the validation events")


def test_a_refit_of_a_plain_model_is_a_curve_of_its_own() -> None:
    lines = [
        line(None, 1, validation=0.1), line(None, 2, validation=0.2), line(None, 1, refit=True)
    ]  # fmt: skip
    assert [(f.again, len(f.epochs)) for f in shown.fits_of(lines)] == [(False, 2), (True, 1)]


def test_figures_of_columns_are_written_for_people(make_dataset: MakeDataset) -> None:
    n = 2000
    events = pd.DataFrame(
        {
            "user_id": np.arange(n) % 50 + 1_000_000,
            "item_id": [f"i{k % 40}" for k in range(n)],
            "timestamp": pd.date_range("2024-01-01", periods=n, freq="h"),
            "value": np.arange(n) * 1000.0,
            "year": np.arange(n) % 30 + 1990,
            "shopID": np.arange(n),
            "note": [None if k % 4 else "x" for k in range(n)],
        }
    )
    profile = table_profile(open_coded(make_dataset(events)), Filter(), "events", Left(n, 50, 40))
    names = [column.column for column in profile.columns]
    figures = for_people(profile).set_index(pd.Index(names))
    assert figures.loc["user_id", "range"] == "–"  # of an id it says nothing
    assert figures.loc["user_id", "bars"] is None
    assert figures.loc["timestamp", "range"] == "2024-01-01 – 2024-03-24"
    assert figures.loc["value", "range"] == "0 – 1,999,000"
    assert figures.loc["year", "range"] == "1990 – 2019"
    assert figures.loc["year", "top"].startswith("1990 3.4% · ")
    assert sum(figures.loc["value", "bars"]) == n
    assert figures.loc["note", "missing"] == pytest.approx(0.75)
    assert figures.loc["note", "top"] == "x 25.0%"
    assert figures["type"].to_dict() == {
        "user_id": "ID", "item_id": "ID", "timestamp": "time", "value": "number",
        "year": "number", "shopID": "ID", "note": "text",
    }  # fmt: skip
    assert figures.loc["user_id", "distinct"] == 50
    assert figures.loc["user_id", "column"] == "User"
    assert figures.loc["note", "column"] == "note"


def run_of(model: str = "ease", **meta: Any) -> Run:
    config = {"dataset": "d", "model": model, "params": {}, "split": "none", "seed": 0,
              "device": "cpu"}  # fmt: skip
    config |= meta.pop("config", {})
    ident = meta.pop("id", "a" * 12)
    return Run(ident, Path("nowhere"), {"config": config, "seconds": 1.0, "machine": {}, **meta})


def test_runs_of_other_threads_or_devices_are_told() -> None:
    two = run_of(id="a" * 12, machine={"threads": 2, "device_name": "x86_64"})
    four = run_of(id="b" * 12, machine={"threads": 4, "device_name": "x86_64"})
    gpu = run_of(id="c" * 12, machine={"threads": 2, "device_name": "H200"},
                 config={"device": "cuda"})  # fmt: skip
    old = run_of(id="d" * 12)
    assert Machines.of([two, two, old]).differ == ()
    assert Machines.of([two, old]).sentence() == ""
    machines = Machines.of([two, four])
    assert machines.differ == ("threads",)
    assert "aaaaaa on x86_64 (cpu, 2 threads), bbbbbb on x86_64 (cpu, 4 threads)" in (
        machines.sentence()
    )
    assert machines.to_json()["differ"] == ["threads"]
    assert [run["threads"] for run in machines.to_json()["runs"]] == [2, 4]
    assert Machines.of([two, gpu]).differ == ("device", "device_name")


def auto_run(seconds: float, minutes: float = 0.5, **took: float) -> Run:
    thought = {"als": 5.0, "unified": 20.0}
    choices = [
        {"model": name, "params": {}, "taken": True, "why": "", "seconds": thought[name],
         "took": t}
        for name, t in took.items()
    ]  # fmt: skip
    findings = {"segments": [0], "components": [], "validation": None, "choices": choices}
    params = {"params": {"minutes": minutes}}
    return run_of("auto", config=params, seconds=seconds, findings=findings)


def test_auto_says_that_and_where_it_took_longer_than_it_promised() -> None:
    assert overrun(auto_run(30.0, als=5.0, unified=25.0)) is None
    late = overrun(auto_run(47.0, als=6.0, unified=39.0))
    assert late is not None
    assert (late.part, late.part_thought, late.part_took) == ("unified", 20.0, 39.0)
    assert "took 47 s, longer than the 30 s it was given: unified took 39.0 s" in late.sentence()
    weighing = overrun(auto_run(60.0, als=6.0, unified=10.0))
    assert weighing is not None
    assert (weighing.part, weighing.part_took) == (None, 44.0)
    assert overrun(run_of("ease", seconds=1e6, findings={})) is None
