"""What suits which data, and that the models are fitted and judged as they should be."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from scipy import sparse

from core.data.split import split_log
from core.errors import TooLarge
from core.findings import ChoiceFindings
from core.models.als import ALS
from core.models.common.deadline import NEVER, Deadline
from core.models.common.validation import ValidationQueries
from core.models.content import Content
from core.models.ensemble import auto
from core.models.ensemble.auto import Auto, AutoConfig
from core.models.ensemble.budget import Budget
from core.models.ensemble.choice import Choice, Facts, choose
from core.models.ensemble.fading import well_faded
from core.models.ensemble.newcomers import newcomers
from core.models.popularity import Popularity
from core.models.transitions import Transitions
from core.models.unified import Unified
from core.types import EpochReport, Fades, FeatureBlock, Features, Interactions, TrainData

RETAIL = Facts(
    events=150_000,
    users=22_000,
    items=12_000,
    length=10,
    ordered=True,
    days=400,
    attributes=True,
    device="cpu",
    memory=16 * 2**30,
)


def taken(facts: Facts) -> set[str]:
    return {choice.model for choice in choose(facts) if choice.taken}


def why_not(facts: Facts, model: str) -> str:
    found = {choice.model: choice for choice in choose(facts)}[model]
    assert not found.taken
    return found.why


def params(facts: Facts, model: str) -> Any:
    return {choice.model: choice for choice in choose(facts)}[model].params


def test_a_shop_gets_the_graph_content_linear_models_and_the_transformer():
    assert taken(RETAIL) == {
        "popularity",
        "recent_popularity",
        "content",
        "transitions",
        "item_knn",
        "als",
        "ease",
        "gfcf",
        "unified",
    }


def test_what_the_data_do_not_have_is_not_used():
    assert "nothing is known" in why_not(replace(RETAIL, attributes=False), "content")
    unordered = replace(RETAIL, ordered=False, days=0)
    assert "no order" in why_not(unordered, "transitions")
    assert "no order" in why_not(unordered, "unified")
    assert "gfcf" in taken(unordered)
    assert "too few to have a trend" in why_not(replace(RETAIL, days=3), "recent_popularity")
    assert "does not say on which days" in why_not(unordered, "recent_popularity")
    assert "900 events are too few" in why_not(replace(RETAIL, events=900), "unified")


@pytest.mark.parametrize(
    ("days", "windows"), [(4, [1]), (30, [1, 7]), (400, [7, 30, 90]), (8_000, [90, 365, 1000])]
)
def test_trends_are_as_long_as_the_log_allows(days: float, windows: list[int]):
    found = [
        choice
        for choice in choose(replace(RETAIL, days=days))
        if choice.model == "recent_popularity"
    ]
    assert [choice.params["window_days"] for choice in found] == windows
    assert [choice.name for choice in found] == [f"recent_popularity {n} d" for n in windows]
    assert all(choice.taken for choice in found)


def test_the_filter_keeps_more_of_a_larger_graph():
    sets = replace(RETAIL, ordered=False)
    assert params(sets, "gfcf")["rank"] == 352
    assert params(replace(sets, items=500), "gfcf")["rank"] == 64
    assert params(replace(sets, users=10**6, items=10**5), "gfcf")["rank"] == 1024


def test_memory_is_kept_to():
    assert "would need 149 GiB" in why_not(replace(RETAIL, items=100_000), "ease")


def test_what_costs_least_comes_first_and_networks_last():
    *counted, first, second = choose(RETAIL)
    assert counted[0].model == "popularity", "whatever the time, something is there"
    assert [c.seconds for c in counted] == sorted(c.seconds for c in counted)
    assert (first.model, second.model) == ("unified", "unified")
    small, large = (
        [choice.model for choice in choose(replace(RETAIL, items=n))] for n in (3_000, 20_000)
    )
    assert small.index("ease") < small.index("als")
    assert large.index("ease") > large.index("als")


def test_long_histories_and_a_gpu_change_the_settings():
    films = replace(RETAIL, length=150, events=1_000_000)
    assert params(films, "transitions")["gap"] == 10
    assert params(films, "unified")["max_len"] > params(RETAIL, "unified")["max_len"]
    on_gpu = params(replace(films, device="cuda"), "unified")
    assert on_gpu["dim"] == 256
    assert on_gpu.get("loss", "auto") == "auto"
    assert params(films, "unified")["loss"] == "sampled"
    few = params(replace(films, events=100_000), "unified")
    assert (few["max_len"], few["batch"]) == (50, 20), "so that there are enough steps"


def test_a_network_is_begun_where_a_quarter_of_its_passes_fit_and_another_where_time_is_left():
    first, second = [choice for choice in choose(RETAIL) if choice.model == "unified"]
    assert second.params == first.params
    assert (first.name, second.name) == ("unified", "unified 2")
    usual = first.seconds
    budget = Budget(time.perf_counter(), usual)
    assert budget.late(first) is None
    budget.once["unified"] = usual / 2  # and again for good
    assert budget.late(second) is None
    budget.once["unified"] = 0.7 * usual
    late = budget.late(second)
    assert late is not None
    assert late["seconds"] == pytest.approx(usual / 4)
    left = second.left_out(**late)
    assert (left.taken, left.reason) == (False, "another_late")
    assert f"another would take {usual / 4:,.0f} s, and {late['left']:,.0f} s are left" in left.why
    short = Budget(time.perf_counter(), usual / 4).late(first)
    assert short is not None
    assert first.left_out(**short).reason == "late_at_least"
    slow = Budget(time.perf_counter(), usual)
    slow._thought, slow._spent = 1.0, 4.0
    assert slow.late(first) is not None


def test_every_choice_is_a_valid_config():
    from core.models import MODELS

    for facts in (RETAIL, replace(RETAIL, length=150, device="cuda"), replace(RETAIL, events=0)):
        for choice in choose(facts):
            MODELS[choice.model].Config(**choice.params)
            assert choice.why


def test_the_facts_are_those_of_the_log(world):
    facts = Facts.of(world, "cpu")
    assert (facts.events, facts.users, facts.items) == (21, 8, 8)
    assert facts.length == 4  # 1 + 2 + 2 + 3 + 4 events come before the middle one's history ends
    assert facts.days == 40
    assert facts.attributes
    assert not Facts.of(replace(world, item_features=Features()), "cpu").attributes
    timeless = replace(world, interactions=replace(world.interactions, times=None))
    assert not Facts.of(timeless, "cpu").ordered


def test_each_model_is_judged_without_the_validation_events_and_kept_with_them(
    shop_log, monkeypatch
):
    seen: list[tuple[str, int, int]] = []

    def spy(kind: Any) -> None:
        fit = kind.fit

        def noted(self: Any, train: TrainData, **rest: Any) -> Any:
            seen.append((kind.__name__, len(train.interactions), getattr(self.config, "epochs", 0)))
            return fit(self, train, **rest)

        monkeypatch.setattr(kind, "fit", noted)

    spy(Popularity)
    spy(Unified)
    small = {"dim": 8, "epochs": 30, "patience": 2}
    choices = [
        Choice("popularity", {}, True, "visitors", 1.0),
        Choice("unified", small, True, "network", 3.0),
        Choice("ease", {}, False, "few_items", 5.0, about={"items": 12}),
    ]
    monkeypatch.setattr(auto, "choose", lambda facts: choices)
    reports: list[Any] = []
    model = Auto(AutoConfig()).fit(
        shop_log,
        rng=np.random.default_rng(0),
        on_epoch=reports.append,
    )
    names = [name for name, _, _ in seen]
    assert names == ["Popularity", "Unified", "Unified"], "what has no weight is fitted once"
    assert [size for _, size, _ in seen] == [160, 160, 200]
    assert seen[1][2] == 30
    assert seen[2][2] < 30, "for good it learns for as many epochs as were best"
    assert list(model.components) == ["unified"], "the rest is of no use here, and dropped"
    done = [report.done for report in reports]
    assert done == sorted(done)
    assert done[-1] == pytest.approx(1)
    found = model.findings()
    assert [choice.model for choice in found.choices] == ["popularity", "unified", "ease"]
    assert found.choices[1].took > found.choices[0].took, "the network was fitted twice"
    assert found.choices[2].took is None
    assert found.validation >= found.components[0].validation


@pytest.fixture
def shop_log() -> TrainData:
    """240 events of 40 people who go round 12 items, with the last ones for validation."""
    rng = np.random.default_rng(0)
    items = np.concatenate([(start + np.arange(6)) % 12 for start in rng.integers(0, 12, 40)])
    n = len(items)
    users, times = np.repeat(np.arange(40), 6), np.arange(n)
    log = Interactions(users, items, np.ones(n, np.float32), 40, 12, times)
    parts = split_log(log, "leave-last-out", validation=True)
    return TrainData(parts.train, None, None, parts.validation, parts.train_and_validation)


def test_a_time_that_is_over_leaves_what_is_there_at_once(shop_log):
    model = Auto(AutoConfig(minutes=0.1))
    model.began_at(time.perf_counter() - 3600)
    model.fit(shop_log, rng=np.random.default_rng(0))
    assert list(model.components) == ["popularity"]
    late = [choice for choice in model.findings().choices if choice.reason == "late"]
    assert {"transitions", "als", "ease"} <= {choice.model for choice in late}
    assert all("0 s are left" in choice.why for choice in late)


def test_the_clock_counts_from_where_it_is_told_and_once(shop_log):
    model = Auto(AutoConfig(minutes=0.1))
    model.began_at(time.perf_counter() - 3600)
    model.fit(shop_log, rng=np.random.default_rng(0))
    model.fit(shop_log, rng=np.random.default_rng(0))  # from now: all the time is there
    assert "transitions" in {c.model for c in model.findings().choices if c.took is not None}


def test_parts_that_take_longer_than_thought_leave_less_for_others():
    budget = Budget(time.perf_counter(), 100)
    slow = Choice("als", {}, True, "large_too", 10.0)
    assert budget.late(replace(slow, seconds=80)) is None
    budget.once["als"] = 20.0
    budget._thought, budget._spent = 5.0, 20.0
    assert budget.slowness == 4
    told = budget.late(replace(slow, seconds=20))
    assert told is not None
    assert told["seconds"] == 80
    assert told["left"] == pytest.approx(100 - 5 - 10 - 20, abs=1)
    # what was fitted once is fitted again after the weights
    assert budget.weighed_by().left == pytest.approx(100 - 5 - 20, abs=1)
    assert budget.probed_by(twice=True).left == pytest.approx(65 / 2, abs=1)
    assert budget.faded_by().left <= 1
    budget.once["als"] = 90.0
    assert budget.faded_by().left <= 0, "what is left is for fitting again"


def test_what_does_not_fit_into_memory_is_left_out_and_said(shop_log, monkeypatch):
    def refuse(self: Any, train: TrainData, **rest: Any) -> Any:
        raise TooLarge("als would need 40 GiB, and 2 are free")

    monkeypatch.setattr(ALS, "fit", refuse)
    names = ("popularity", "als", "transitions")
    choices = [Choice(name, {}, True, "every_log", 1.0) for name in names]
    monkeypatch.setattr(auto, "choose", lambda facts: choices)
    model = Auto(AutoConfig()).fit(shop_log, rng=np.random.default_rng(0))
    assert "als" not in model.components
    assert "transitions" in model.components
    told = {choice.model: choice for choice in model.findings().choices}["als"]
    assert (told.taken, told.took) == (False, None)
    assert told.why == "needs more memory than is free"


def test_what_no_longer_fits_when_it_is_fitted_again_is_left_out_and_said(shop_log, monkeypatch):
    fit = Transitions.fit

    def refuse_again(self: Any, train: TrainData, **rest: Any) -> Any:
        if train.validation is None:
            raise TooLarge("transitions would need 40 GiB, and 2 are free")
        return fit(self, train, **rest)

    names = ("popularity", "als", "transitions")
    choices = [Choice(name, {}, True, "every_log", 1.0) for name in names]
    monkeypatch.setattr(auto, "choose", lambda facts: choices)
    whole = Auto(AutoConfig()).fit(shop_log, rng=np.random.default_rng(0))
    assert "transitions" in whole.components, "else this shows nothing"
    monkeypatch.setattr(Transitions, "fit", refuse_again)
    model = Auto(AutoConfig()).fit(shop_log, rng=np.random.default_rng(0))
    findings = model.findings()
    assert set(model.components) == set(whole.components) - {"transitions"}
    assert [component.name for component in findings.components] == list(model.components)
    assert findings.validation == whole.findings().validation
    told = {choice.model: choice for choice in findings.choices}["transitions"]
    assert (told.taken, told.reason) == (False, "too_large_again")
    scores = model.score(shop_log.interactions.queries())
    assert scores.isfinite().all()
    assert all(sum(component.weights) > 0 for component in findings.components[:1])


def test_the_seconds_that_are_left_are_those_of_the_whole(shop_log, monkeypatch):
    names = ("popularity", "als", "transitions")
    choices = [Choice(name, {}, True, "every_log", 1.0) for name in names]
    monkeypatch.setattr(auto, "choose", lambda facts: choices)
    told: list[EpochReport] = []
    Auto(AutoConfig(minutes=1)).fit(shop_log, rng=np.random.default_rng(0), on_epoch=told.append)
    assert [report.share for report in told] == sorted(report.share for report in told)
    assert all(0 <= report.seconds_left <= 60 for report in told)
    assert told[-1].seconds_left == 0
    halfway: list[EpochReport] = []
    tell = Budget(time.perf_counter() - 30, 120).telling(halfway.append)
    tell(EpochReport(1, 2, seconds_left=5.0, done=0.6))
    tell(EpochReport(1, 2, done=0.1))
    assert halfway[0].seconds_left == pytest.approx(20, abs=1), "as 30 s are to .6"
    assert halfway[1].seconds_left == pytest.approx(90, abs=1), "not 270: it ends by the clock"


def test_a_network_ends_when_its_time_is_over_with_the_best_it_has(shop_log):
    model = Unified(Unified.Config(dim=8, epochs=1000, patience=1000, refit=False))
    model.stop_by(Deadline.within(0.3))
    began = time.perf_counter()
    model.fit(shop_log, rng=np.random.default_rng(0))
    assert time.perf_counter() - began < 20, "a thousand epochs take minutes"
    assert 1 <= model.best_epoch < 1000
    assert np.isfinite(model.score(shop_log.validation.queries).numpy()).all()
    over = Unified(Unified.Config(dim=8, epochs=5, refit=False))
    over.stop_by(Deadline(0.0))  # one step, so that there is something
    over.fit(shop_log, rng=np.random.default_rng(0))
    assert over.best_epoch == 1


class Folder:
    """A checkpoint in memory."""

    def __init__(self) -> None:
        self.states: dict[str, Any] = {}
        self.name = ""

    def read(self) -> Any:
        return self.states.get(self.name)

    def write(self, state: Any) -> None:
        self.states[self.name] = dict(state)

    def part(self, name: str) -> Folder:
        part = Folder()
        part.states, part.name = self.states, f"{self.name}/{name}"
        return part


def test_what_an_interrupted_fit_had_finished_is_not_fitted_again(shop_log, monkeypatch):
    monkeypatch.setattr(auto, "WORTH_KEEPING", -1.0)
    choices = [
        Choice("popularity", {}, True, "visitors", 1.0),
        Choice("transitions", {}, True, "ordered", 1.0),
        Choice("unified", {"dim": 8, "epochs": 3}, True, "network", 3.0),
    ]
    monkeypatch.setattr(auto, "choose", lambda facts: choices)
    place, fits = Folder(), []
    for kind in (Popularity, Transitions, Unified):
        fit = kind.fit

        def noted(self: Any, train: TrainData, fit: Any = fit, **rest: Any) -> Any:
            fits.append(type(self).__name__)
            return fit(self, train, **rest)

        monkeypatch.setattr(kind, "fit", noted)
    scores = []
    for _ in range(2):
        model = Auto(AutoConfig())
        model.resume_at(place)
        model.fit(shop_log, rng=np.random.default_rng(0))
        scores.append(model.score(shop_log.validation.queries))
    assert 3 < len(fits) <= 6, "once each, those with weight twice; the second time none"
    assert len(fits) == len(place.states)
    torch.testing.assert_close(scores[0], scores[1])


def test_a_kept_fit_that_fades_otherwise_is_not_taken_up(shop_log, monkeypatch):
    monkeypatch.setattr(auto, "WORTH_KEEPING", -1.0)
    names = ("popularity", "transitions")
    choices = [Choice(name, {}, True, "every_log", 1.0) for name in names]
    monkeypatch.setattr(auto, "choose", lambda facts: choices)
    place = Folder()
    for decay in (0.3, 0.9):

        def faded(model: Any, *rest: Any, decay: float = decay) -> Any:
            return model.with_decay(decay) if isinstance(model, Fades) else model

        monkeypatch.setattr(auto, "well_faded", faded)
        model = Auto(AutoConfig())
        model.resume_at(place)
        model.fit(shop_log, rng=np.random.default_rng(0))
        transitions = model.components["transitions"]
        assert transitions.config.history_decay == decay
        assert transitions.state()["decay"] == pytest.approx(decay)


def fashion() -> TrainData:
    """300 people over 150 days; whoever comes late takes the new items 10 and 11, not the old."""
    rng = np.random.default_rng(3)
    rows = []
    for user in range(300):
        day, late = user / 2, user >= 260
        choice = np.array([10, 11, 8, 9]) if late else np.arange(8)
        p = np.array([0.45, 0.45, 0.05, 0.05]) if late else np.full(8, 1 / 8)
        rows += [(user, i, day + n / 10) for n, i in enumerate(rng.choice(choice, 3, False, p))]
    users, items, days = (np.array(column) for column in zip(*rows, strict=True))
    times = (1_500_000_000 + days * 86_400).astype(np.int64)
    log = Interactions(users, items, np.ones(len(users), np.float32), 300, 12, times)
    parts = split_log(log, "none", validation=True)
    return TrainData(parts.train, None, None, parts.validation, parts.train_and_validation)


def test_newcomers_are_shown_what_newcomers_took():
    train = fashion()
    before, held_out = newcomers(train.train_and_validation)
    assert held_out.queries.lengths.tolist() == [0] * len(held_out)
    first = train.train_and_validation.times[np.isin(train.train_and_validation.users, [285])]
    assert before.times.max() < first.min()
    assert set(held_out.targets.tolist()) <= {8, 9, 10, 11}
    assert not np.isin(before.users, held_out.queries.users).any()
    model = Auto(AutoConfig()).fit(train, rng=np.random.default_rng(0))
    nobody = train.interactions.queries(np.arange(1))[:1].subsets(np.zeros((1, 2), bool))
    best = model.score(nobody)[0].argsort(descending=True)[:2].tolist()
    assert sorted(best) == [10, 11], "most people ever took others"
    counts = np.bincount(train.interactions.items, minlength=12)
    assert counts[10] < counts[:8].mean()


def test_a_log_without_days_or_newcomers_says_nothing_of_them(shop_log):
    assert newcomers(shop_log.train_and_validation) is None  # in mere order
    log = fashion().train_and_validation
    assert newcomers(replace(log, times=None)) is None
    regulars = replace(log, users=np.sort(log.users % 5), n_users=5)
    assert newcomers(regulars) is None


def turned(loyal: int = 0) -> TrainData:
    """100 people who took three items of one kind, two of another, then two more of that.

    The last of them, the loyal, in the end take two more of the first kind instead.
    """
    rng = np.random.default_rng(5)
    rows = []
    for user in range(100):
        first, then = rng.choice(4, 2, replace=False)
        old, new = (6 * kind + rng.permutation(6) for kind in (first, then))
        ends = new[2:4] if user < 100 - loyal else old[3:5]
        rows += [(user, item) for item in (*old[:3], *new[:2], *ends)]
    users, items = np.array(rows).T
    ones = np.ones(len(users), np.float32)
    log = Interactions(users, items, ones, 100, 24, np.arange(len(users)))
    kinds = sparse.csr_matrix(np.eye(4).repeat(6, axis=0))
    parts = split_log(log, "leave-last-out", validation=True)
    return TrainData(
        parts.train,
        Features(categorical=FeatureBlock(tuple("abcd"), kinds)),
        None,
        parts.validation,
        parts.train_and_validation,
    )


def test_a_history_fades_as_is_surely_better_on_validation():
    train = turned()
    asked = train.validation

    def content(decay: float) -> Any:
        return Content(Content.Config(history_decay=decay)).fit(train, rng=np.random.default_rng(0))

    # the latest two events outweigh the three before them: 1 + d > d² + d³ + d⁴
    chosen = well_faded(content(1.0), asked, NEVER)
    assert chosen.config.history_decay == 0.8
    queries = train.validation.queries
    torch.testing.assert_close(chosen.score(queries), content(0.8).score(queries))
    good = content(0.7)
    assert well_faded(good, asked, NEVER) is good, "another is as good, none better"
    slow = content(1.0)
    assert well_faded(slow, asked, Deadline(0.0)) is slow
    mixed = turned(loyal=50).validation
    few = mixed[np.arange(35, 60)]  # 15 who turned and ten loyal ones
    gains = ValidationQueries(few).gains
    gained = gains(content(0.8).score, 25) - gains(slow.score, 25)
    assert 0 < gained.mean() < gained.std() / 5
    assert well_faded(slow, few, NEVER) is slow, "better by no more than a standard error"


def test_auto_fits_for_good_with_the_fading_that_was_best(monkeypatch):
    choices = [Choice("content", {"history_decay": 1.0}, True, "attributes", 1.0)]
    monkeypatch.setattr(auto, "choose", lambda facts: choices)
    model = Auto(AutoConfig()).fit(turned(), rng=np.random.default_rng(0))
    (found,) = model.findings().choices
    assert found.decay == 0.8
    assert found.params["history_decay"] == 0.8
    assert "an event counts 0.80 of the one after it" in found.why
    assert model.components["content"].config.history_decay == 0.8
    assert ChoiceFindings.from_json(found.to_json()) == found
    unordered = turned()
    log = replace(unordered.interactions, times=None)
    model.fit(replace(unordered, interactions=log), rng=np.random.default_rng(0))
    assert model.findings().choices[0].decay is None
