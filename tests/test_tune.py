"""Searches for settings: what is asked, what is proposed, what is kept, and what a kill changes."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import replace
from pathlib import Path

import optuna
import pytest

from core import cli, jobs, tune
from core.data.store import Workspace
from core.errors import BadInput
from core.models import MODELS
from core.runs import artifact
from core.runs.config import model_config
from core.runs.request import RunRequest
from core.tune.conduct import _judge, run_search
from core.tune.space import INSTEAD, SPACES, Range, default_space, domain
from core.tune.trials import JOURNAL, Trials
from core.types import EpochReport

RELEASED = Path(__file__).parent / "released" / "v0.1.0"


def searched(workspace, search):
    """The search made here, as `recscope tune` makes it."""
    folder = workspace.searches_folder / search.id
    with jobs.run_inline(
        workspace, folder, lambda: tune.prepare_search(workspace, search)
    ) as report:
        return run_search(workspace, search, report, report.stage)


def plan(workspace, model="ease", **options):
    bounds = {key: options.pop(key) for key in BOUNDS if key in options}
    return tune.plan_search(workspace, RunRequest("shop", model, device="cpu", **options), **bounds)


BOUNDS = ("space", "trials", "minutes", "evaluate")  # of a search; the rest is of its trainings


@pytest.mark.parametrize("model", MODELS)
def test_each_model_is_searched_or_says_what_to_do_instead(model):
    assert not (model in SPACES and model in INSTEAD)
    if model in SPACES:
        assert default_space(model)
    else:
        with pytest.raises(BadInput, match=model):
            default_space(model)


@pytest.mark.parametrize("model", SPACES)
def test_the_defaults_lie_in_the_space(model):
    for name, text in SPACES[model].items():
        where, default = domain(model, name, text), getattr(model_config(model, {}), name)
        if isinstance(where, Range):
            assert where.low <= default <= where.high
            assert where.tidy(default) == default
        else:
            assert default in where


def test_the_best_is_kept_as_a_run_and_the_defaults_come_first(shop):
    result = searched(shop, plan(shop, trials=7, name="best"))
    history = result.history
    assert history[0].params == result.defaults == {"l2": 100.0, "history_decay": 0.8}
    assert result.default_validation == history[0].validation
    best = max(history, key=lambda trial: trial.validation)
    assert result.best.params == best.params
    run = artifact.find_run(shop, "best")
    assert run.id == result.run
    assert best.params.items() <= run.config.params.items()
    assert sum(result.importance.values()) == pytest.approx(1, abs=0.01)
    assert tune.finished_searches(shop, shop.dataset("shop").id)[0].best == result.best


def test_what_a_newer_version_adds_to_a_search_is_left_and_what_is_no_search_is_not_there(tmp_path):
    shutil.copytree(RELEASED, tmp_path / "home")
    workspace = Workspace(tmp_path / "home")
    (file,) = workspace.searches_folder.glob("*/search.json")
    spec = json.loads(file.read_text())
    dataset = spec["config"]["dataset"]
    (as_it_was,) = tune.finished_searches(workspace, dataset)
    result = spec["result"]
    for entry in (spec, result, result["best"], *result["history"]):
        entry["of_tomorrow"] = {"any": 1}
    file.write_text(json.dumps(spec))
    assert tune.finished_searches(workspace, dataset) == [as_it_was]
    other = workspace.searches_folder / "000000000000"
    other.mkdir()
    for broken in ({"result": 5}, {**spec, "result": []}, {**spec, "result": {"best": {}}}):
        (other / "search.json").write_text(json.dumps(broken))
        assert tune.finished_searches(workspace, dataset) == [as_it_was]


def test_a_search_that_was_interrupted_makes_the_same_trials(shop, tmp_path):
    space = {"l2": "10..1000", "history_decay": "0.5..1"}
    whole = searched(shop, plan(shop, space=space, trials=9)).history
    folder = shop.searches_folder / plan(shop, space=space).id
    for path in folder.iterdir():
        path.unlink()
    search = plan(shop, space=space, trials=7)
    searched(shop, search)
    Trials(search, folder).propose()  # and then it is killed, in the middle of a line too
    with (folder / JOURNAL).open("ab") as journal:
        journal.write(b'{"op_code": 6, "wor')
    parts = searched(shop, plan(shop, space=space, trials=9)).history
    assert len(whole) == len(parts) == 9
    for one, other in zip(whole, parts, strict=True):
        assert replace(one, seconds=0) == replace(other, seconds=0)


def test_a_trial_behind_the_others_is_pruned(shop, tmp_path):
    trials = Trials(plan(shop), tmp_path)
    for _ in range(4):
        trial, _params = trials.propose()
        tell = _judge(trial, lambda _: None)
        for epoch in range(1, 6):
            tell(EpochReport(epoch, 5, validation=0.5))
        trials.finish(trial, 0.5)
    trial, _params = trials.propose()
    tell = _judge(trial, lambda _: None)
    tell(EpochReport(1, 5, validation=0.1))  # too early to say
    with pytest.raises(optuna.TrialPruned):
        tell(EpochReport(4, 5, validation=0.2))
    trials.give_up(trial)
    last = trials.history()[-1]
    assert (last.state, last.validation, last.epoch) == ("pruned", 0.2, 4)


@pytest.mark.parametrize(
    ("model", "asked", "sentence"),
    [
        ("ease", {"space": {"width": "1..2"}}, "ease has no parameter 'width'"),
        ("ease", {"space": {"l2": "9..1"}}, "the lower end first"),
        ("ease", {"space": {"l2": "5"}}, "--set l2=5 fixes it"),
        ("ease", {"space": {"l2": "x..9"}}, "l2 of ease must be a number"),
        ("ease", {"space": {"l2": "1..9"}, "params": {"l2": 3}}, "both set and searched"),
        ("ease", {"params": {"l2": 3, "history_decay": 1}}, "all that is searched of ease is set"),
        ("ease", {"trials": 0}, "1 to 1000 trials, not 0"),
        ("ease", {"minutes": -1.0}, "more than 0 minutes, not -1"),
        ("auto", {}, "auto chooses"),
        ("fusion", {}, "finds its weights"),
        ("popularity", {}, "recent_popularity has"),
    ],
)
def test_a_mistake_gets_one_sentence(shop, model, asked, sentence):
    with pytest.raises(BadInput, match=sentence):
        plan(shop, model, **asked)


@pytest.mark.slow
def test_a_job_that_is_stopped_goes_on_in_another_process(shop):
    search = plan(shop, "item_knn", trials=400)
    ident = tune.start_search(shop, search)
    deadline = time.monotonic() + 90
    while len(jobs.epochs(shop, ident)) < 2:
        assert time.monotonic() < deadline, jobs.log(shop, ident)
        time.sleep(0.05)
    assert jobs.cancel(shop, ident).state == "cancelled"
    made = len(Trials(search, shop.searches_folder / ident).counted())
    assert 2 <= made < 400
    assert tune.start_search(shop, plan(shop, "item_knn", trials=made + 1)) == ident
    while jobs.status(shop, ident).active:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert jobs.status(shop, ident).state == "done", jobs.log(shop, ident)
    assert tune.finished_searches(shop, search.config.dataset)[0].trials == made + 1


@pytest.mark.slow
def test_the_command_answers_in_json(shop, capsys):
    words = ["--search", "l2=10..1000", "--trials", "2", "--device", "cpu", "--evaluate", "--json"]
    asked = ["tune", "shop", "--model", "ease", *words, "--data-dir", str(shop.path)]
    assert cli.main(asked) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["model"], told["trials"], told["name"]) == ("ease", 2, "ease tuned")
    assert set(told["best"]) == {"params", "validation", "trial"}
    assert told["metrics"]["ndcg@10"]["mean"] >= 0
    assert cli.main([*asked[:-1], str(shop.path), "--trials", "0"]) == 2
