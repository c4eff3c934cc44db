"""What every model in MODELS promises."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from core.errors import BadInput, NotFitted
from core.models import MODELS
from core.models.ensemble import choice
from core.models.neural import training_state as course
from core.models.neural.gradient_model import GradientModel
from core.types import (
    EpochReport,
    Fades,
    FeatureBlock,
    Features,
    Holdout,
    Interactions,
    LinearInHistory,
    Queries,
    RatingPredictor,
    ReadsLatest,
    Recommender,
    Resumable,
    ScoresSubsets,
    TrainData,
)

SEQUENTIAL = {"transitions", "unified", "fusion"}  # without times the order of the rows is theirs
TRAINED = {name for name, kind in MODELS.items() if issubclass(kind, GradientModel)}  # by gradients
IMPERSONAL = {"popularity", "recent_popularity"}  # whatever the history, the same for all
RATERS = {name for name, kind in MODELS.items() if issubclass(kind, RatingPredictor)}
LINEAR = [name for name, kind in MODELS.items() if issubclass(kind, LinearInHistory)]
NOT_LINEAR = set(MODELS) - set(LINEAR)
FADING = [name for name, kind in MODELS.items() if hasattr(kind, "with_decay")]
RESUMABLE = [name for name, kind in MODELS.items() if issubclass(kind, Resumable)]

every_model = pytest.mark.parametrize("name", MODELS)
SLOW = {"recvae", "unified"}  # to fit three times
every_model_thrice = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in MODELS]
)


def fitted(name: str, train: TrainData, *, device: str = "cpu", **params: Any) -> Recommender:
    model = MODELS[name](MODELS[name].Config(**params))
    return model.fit(given_to(name, train, device), rng=np.random.default_rng(0), device=device)


@pytest.fixture(scope="module")
def fitted_once() -> Callable[[str, TrainData], Recommender]:
    """The model fitted to the world, which is always the same: for tests that only ask it."""
    models: dict[str, Recommender] = {}

    def of_the_world(name: str, world: TrainData) -> Recommender:
        if name not in models:
            models[name] = fitted(name, world)
        return models[name]

    return of_the_world


def given_to(name: str, train: TrainData, device: str = "cpu") -> TrainData:
    """A fusion is given components too."""
    if name != "fusion":
        return train
    parts = {other: fitted(other, train, device=device) for other in ("als", "transitions")}
    return replace(train, components=parts)


def history(*items: int) -> Queries:
    return Queries(
        np.array([-1]),
        np.array([0, len(items)]),
        np.array(items, np.int64),
        np.ones(len(items), np.float32),
    )


@every_model
def test_is_a_recommender(name):
    model = MODELS[name](MODELS[name].Config())
    assert isinstance(model, Recommender)
    assert model.device == "cpu"


def test_some_models_predict_ratings_and_some_are_linear_in_the_history():
    assert {"popularity", "item_knn", "user_knn", "mlp_rating", "unified"} <= RATERS
    assert {"popularity", "item_knn", "transitions", "ease", "gfcf", "content"} <= set(LINEAR)


CUT = {  # of a history only so many events count, by this setting
    name: setting.name
    for name, kind in MODELS.items()
    for setting in fields(kind.Config)
    if setting.name in ("max_len", "length")
}


@pytest.mark.parametrize("name", sorted(CUT.keys() | IMPERSONAL))
def test_reads_as_much_of_a_history_as_it_says(name, world):
    model = fitted(name, world, **({CUT[name]: 3} if name in CUT else {}))
    long = history(0, 5, 3, 1, 4, 2)
    assert isinstance(model, ReadsLatest)
    assert model.reads() == (3 if name in CUT else 0)
    torch.testing.assert_close(model.score(long), model.score(long.latest(model.reads())))
    if name in CUT:
        assert not torch.allclose(model.score(long), model.score(long.latest(2)))


def test_a_fusion_reads_what_its_components_do(world):
    def reads(*names: str) -> int | None:
        parts = {name: fitted(name, world) for name in names}
        return fitted_of(replace(world, components=parts)).reads()

    def fitted_of(train: TrainData) -> Recommender:
        return MODELS["fusion"]().fit(train, rng=np.random.default_rng(0))

    assert reads("popularity", "transitions") == 50
    assert reads("als", "transitions") is None


@pytest.mark.parametrize("name", FADING)
def test_another_decay_scores_as_if_it_was_fitted_with_it(name, world, queries):
    model = fitted(name, world)
    assert isinstance(model, Fades)
    before = model.score(queries)
    other, again = model.with_decay(0.35), fitted(name, world, history_decay=0.35)
    assert other.config == again.config
    assert torch.equal(other.score(queries), again.score(queries))
    assert not torch.equal(other.score(queries), before)
    state = again.state()
    assert {key: (value == state[key]).all() for key, value in other.state().items()} == (
        dict.fromkeys(state, True)
    )
    assert torch.equal(model.score(queries), before), "the model itself stays"


def test_some_models_can_fade_otherwise_than_they_were_fitted():
    linear = {"item_knn", "user_knn", "transitions", "ease", "als", "content", "gfcf"}
    assert set(FADING) == linear


@every_model
def test_refuses_before_fit(name, queries):
    model = MODELS[name](MODELS[name].Config())
    with pytest.raises(NotFitted):
        model.score(queries)
    with pytest.raises(NotFitted):
        model.state()
    if isinstance(model, ScoresSubsets):
        with pytest.raises(NotFitted):
            model.score_subsets(queries[:1], np.zeros((1, 0), bool), np.zeros(1, np.int64))
    if name in RATERS:
        with pytest.raises(NotFitted):
            model.predict(queries, np.zeros(len(queries), np.int64))


@every_model
def test_scores_every_item_and_alone_as_in_a_batch(name, fitted_once, world, queries):
    model = fitted_once(name, world)
    scores = model.score(queries)
    assert scores.shape == (len(queries), world.interactions.n_items)
    assert scores.dtype == torch.float32
    assert torch.isfinite(scores).all()
    for b in range(len(queries)):
        torch.testing.assert_close(model.score(queries[b : b + 1])[0], scores[b])
    assert model.score(queries[:0]).shape == (0, world.interactions.n_items)


@every_model
def test_parts_of_a_history_are_scored_as_histories(name, fitted_once, world, queries):
    model, some = fitted_once(name, world), np.array([3, 0, 5])
    if isinstance(model, ScoresSubsets):
        for b in range(len(queries)):
            query, rng = queries[b : b + 1], np.random.default_rng(b)
            keep = rng.random((20, len(query.items))) < np.linspace(0, 1, 20)[:, None]
            found = model.score_subsets(query, keep, some)
            torch.testing.assert_close(found, model.score(query.subsets(keep))[:, some])


@every_model
def test_state_survives_the_round_trip_exactly(name, fitted_once, world, queries):
    model = fitted_once(name, world)
    state = model.state()
    for array in state.values():
        assert isinstance(array, np.ndarray)
    stored = {key: array.copy() for key, array in state.items()}
    for array in stored.values():
        array.flags.writeable = False
    again = MODELS[name](model.config).load(stored)
    assert model.device == again.device == "cpu"
    assert torch.equal(again.score(queries), model.score(queries))
    assert again.state().keys() == state.keys()
    for key, array in again.state().items():
        np.testing.assert_array_equal(array, state[key])
        assert array.dtype == state[key].dtype
    if name in RATERS:
        items = np.arange(len(queries))
        np.testing.assert_array_equal(again.predict(queries, items), model.predict(queries, items))


@pytest.mark.slow
@every_model_thrice
def test_equal_seeds_give_equal_states_and_a_second_fit_forgets(name, world, queries):
    other = replace(world, interactions=world.interactions.where(np.arange(21) % 3 > 0))
    model = fitted(name, other)
    model.score(queries)
    model.fit(given_to(name, world), rng=np.random.default_rng(0))
    fresh = fitted(name, world).state()
    assert model.state().keys() == fresh.keys()
    for key, array in model.state().items():
        np.testing.assert_array_equal(array, fresh[key])
    without_values = replace(world, interactions=replace(world.interactions, values=None))
    model.fit(given_to(name, without_values), rng=np.random.default_rng(0))
    assert not any("rating" in key for key in model.state())


class Memory:
    """Checkpoints that are kept here."""

    def __init__(self, kept: dict[str, Any], name: str = "") -> None:
        self.kept, self.name = kept, name

    def read(self) -> Any:
        return self.kept.get(self.name)

    def write(self, state: Any) -> None:
        self.kept[self.name] = {name: array.copy() for name, array in state.items()}

    def part(self, name: str) -> Memory:
        return Memory(self.kept, f"{self.name}.{name}")


@pytest.mark.slow
@pytest.mark.parametrize("name", RESUMABLE)
@pytest.mark.parametrize("stop_after", [2, 5])
def test_an_interrupted_fit_goes_on_as_if_it_had_not_been(name, stop_after, monkeypatch):
    monkeypatch.setattr(course, "SELDOM_S", 0.0)
    monkeypatch.setattr(course, "SHARE", 1e9)
    monkeypatch.setattr(choice, "ENOUGH_EVENTS", 0)
    train = with_validation(checkerboard(8, 10)[0])
    quick = {"epochs": 6, "patience": 6, "refit": stop_after == 2}
    if name == "fusion":
        neural = fitted("unified", train, **quick, dim=8)
        train = replace(train, components={"a": fitted("ease", train), "b": neural})
    settings = quick if name in TRAINED else {}

    reports = []

    def stop(report: EpochReport) -> None:
        reports.extend([] if report.rows_per_second is None else [report])
        if len(reports) == stop_after:
            raise KeyboardInterrupt

    def fit(memory: Memory | None, on_epoch: Any = None) -> Any:
        model = MODELS[name](MODELS[name].Config(**settings))
        if memory:
            model.resume_at(memory)
        return model.fit(train, rng=np.random.default_rng(0), on_epoch=on_epoch)

    memory = Memory({})
    with pytest.raises(KeyboardInterrupt):
        fit(memory, stop)
    assert memory.kept
    resumed, fresh = fit(memory), fit(None)
    again, whole = resumed.state(), fresh.state()
    assert again.keys() == whole.keys()
    for key, array in again.items():
        np.testing.assert_array_equal(array, whole[key])
    kept, wanted = (getattr(model, "snapshots", {}) for model in (resumed, fresh))
    assert list(kept) == list(wanted)
    assert bool(kept) == (name in REMEMBERING)
    for epoch, vectors in kept.items():
        np.testing.assert_array_equal(vectors, wanted[epoch])


REMEMBERING = sorted(name for name in TRAINED if hasattr(MODELS[name], "encode_items"))


@pytest.mark.parametrize("name", REMEMBERING)
@pytest.mark.parametrize("refit", [True, False])
def test_what_the_items_were_after_some_epochs_is_kept_and_changes_nothing(
    name, refit, monkeypatch
):
    train = with_validation(checkerboard(8, 10)[0])
    settings = {"epochs": 6, "patience": 2, "refit": refit}

    def fit() -> Any:
        model = MODELS[name](MODELS[name].Config(**settings))
        return model.fit(train, rng=np.random.default_rng(0))

    model = fit()
    kept, own = model.snapshots, model.encode_items().numpy()
    last = model.best_epoch if refit else min(6, model.best_epoch + 2)
    powers = {epoch for epoch in (1, 2, 4) if epoch <= last}
    assert list(kept) == sorted({*powers, model.best_epoch, last})
    assert all(vectors.shape == own.shape for vectors in kept.values())
    np.testing.assert_array_equal(kept[model.best_epoch], own)
    others = [vectors for epoch, vectors in kept.items() if epoch != model.best_epoch]
    assert not any(np.array_equal(vectors, own) for vectors in others)
    monkeypatch.setattr(GradientModel, "_marking", lambda *args, **options: None)
    without = fit()
    assert not without.snapshots
    assert without.best_epoch == model.best_epoch
    for key, array in without.state().items():
        np.testing.assert_array_equal(array, model.state()[key])


@pytest.mark.parametrize("name", REMEMBERING)
def test_an_epoch_is_kept_as_a_shorter_training_would_have_ended(name):
    train = TrainData(checkerboard(8, 10)[0])
    long, short = (fitted(name, train, epochs=epochs) for epochs in (5, 4))
    assert list(long.snapshots) == [1, 2, 4, 5]
    np.testing.assert_array_equal(long.snapshots[4], short.encode_items().numpy())


def with_validation(log: Interactions) -> TrainData:
    """The last event of each user held out."""
    last = log.queries().ages == 0
    train = log.where(~last)
    asked = Holdout(train.queries(), log.items[last], np.arange(log.n_users + 1))
    return TrainData(train, validation=asked, train_and_validation=log)


@every_model
def test_scoring_leaves_the_model_and_the_queries_as_they_were(name, fitted_once, world, queries):
    model = fitted_once(name, world)
    before = {key: array.copy() for key, array in model.state().items()}
    weights = queries.weights.copy()
    model.score(queries)
    for key, array in model.state().items():
        np.testing.assert_array_equal(array, before[key])
    np.testing.assert_array_equal(queries.weights, weights)


@every_model
def test_ranks_by_popularity_without_a_history(name, world):
    params = {"window_days": 0} if name == "recent_popularity" else {}
    log = world.interactions
    if name == "auto":  # its trends would tell items of equal counts apart
        world = replace(world, interactions=replace(log, times=None))
    scores = fitted(name, world, **params).score(history())[0].numpy()
    counts = np.bincount(log.items, log.weights, minlength=log.n_items)
    for a in range(len(counts)):
        for b in range(len(counts)):
            if name not in TRAINED:
                assert (scores[a] > scores[b]) == (counts[a] > counts[b])
            elif counts[a] > max(0, 2 * counts[b] - 1):  # by shares of log2(1 + weight)
                assert scores[a] > scores[b]


@every_model
def test_an_unknown_user_is_scored_by_history_alone(name, fitted_once, world):
    model = fitted_once(name, world)
    strange, idle = history(2, 4), replace(history(2, 4), users=np.array([7]))
    assert torch.equal(model.score(strange), model.score(idle))


@every_model
def test_survives_the_smallest_logs(name, features, queries):
    for n_events in (0, 1):
        log = Interactions(
            np.zeros(n_events, np.int64),
            np.full(n_events, 3),
            np.ones(n_events, np.float32),
            n_users=8,
            n_items=8,
            times=np.full(n_events, 1_600_000_000),
        )
        scores = fitted(name, TrainData(log, item_features=features)).score(queries)
        assert scores.shape == (len(queries), 8)
        assert torch.isfinite(scores).all()


@every_model
def test_later_events_count_more_where_documented(name, fitted_once, world):
    model = fitted_once(name, world)
    there, back = model.score(history(0, 1, 5)), model.score(history(5, 1, 0))
    assert torch.allclose(there, back) == (name in IMPERSONAL)


@pytest.mark.slow
@every_model
def test_a_log_without_times_has_no_later_events(name, world):
    timeless = replace(world, interactions=replace(world.interactions, times=None))
    model = fitted(name, timeless)
    there, back = model.score(history(0, 1, 5)), model.score(history(5, 1, 0))
    same = torch.allclose(there, back, atol=1e-6)  # sums of another order near 0
    assert same == (name not in SEQUENTIAL)


@pytest.mark.parametrize("name", LINEAR)
@given(data=st.data())
def test_scores_are_the_base_and_a_sum_over_events(name, data):
    """Doubling an event's weight adds what it gave, whatever else is in the history."""
    log, features = checkerboard(6, 10)
    model = fitted(name, TrainData(log, item_features=features))
    items = data.draw(st.lists(st.integers(0, log.n_items - 1), max_size=6))
    query = history(*items)
    base, scores = model.score(history())[0], model.score(query)[0]
    total = base.clone()
    for event in range(len(items)):
        doubled = query.weights.copy()
        doubled[event] = 2
        total += model.score(replace(query, weights=doubled))[0] - scores
    torch.testing.assert_close(total, scores, atol=1e-5, rtol=1e-5)


def checkerboard(n_users: int, n_items: int) -> tuple[Interactions, Features]:
    """Even users took the even items, odd users the odd ones; each left a different one out."""
    events = [
        (u, i)
        for u in range(n_users)
        for i in range(u % 2, n_items, 2)
        if i // 2 != u // 2 % (n_items // 2)
    ]
    users, items = np.array(events).T
    order = np.lexsort((np.random.default_rng(4).random(len(users)), users))  # no order to learn
    items = items[order]
    times = np.arange(len(users)) + 1_600_000_000
    log = Interactions(users, items, np.ones(len(users), np.float32), n_users, n_items, times)
    parity = np.eye(2)[np.arange(n_items) % 2]
    return log, Features(categorical=FeatureBlock(("even", "odd"), sparse.csr_matrix(parity)))


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(MODELS.keys() - IMPERSONAL))
def test_learns_the_checkerboard(name):
    log, features = checkerboard(20, 10)
    scores = fitted(name, TrainData(log, item_features=features)).score(log.queries()).numpy()
    scores[log.users, log.items] = -np.inf
    users = np.arange(20)
    np.testing.assert_array_equal(scores.argmax(axis=1), users // 2 % 5 * 2 + users % 2)


@every_model
def test_config_tells_its_limits_and_keeps_to_them(name):
    config = MODELS[name].Config
    for field in fields(config):
        assert field.metadata["help"]
        if isinstance(field.default, bool):
            wrong: list[Any] = ["nonsense", 2]
        elif "choices" in field.metadata:
            assert field.default in field.metadata["choices"]
            wrong = ["nonsense"]
        elif isinstance(field.default, str):
            wrong = [2]
        else:
            low, high = field.metadata["min"], field.metadata["max"]
            assert field.metadata["step"] > 0
            assert low <= field.default <= high
            for value in (low, high):
                config(**{field.name: value})
            wrong = [low - 1, high + 1, float("nan"), "many"]
        for value in wrong:
            with pytest.raises(BadInput, match=field.name):
                config(**{field.name: value})


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
@every_model
def test_the_gpu_gives_the_same(name, world, queries):
    on_cpu = fitted(name, world)
    on_gpu = fitted(name, world, device="cuda")
    if name in TRAINED:  # steps in bf16 lead elsewhere; the same weights still score the same
        assert torch.isfinite(on_gpu.score(queries)).all()
        on_gpu.load(on_cpu.state(), device="cuda")
    scores = on_gpu.score(queries)
    assert on_gpu.device == scores.device.type == "cuda"
    close = 1e-3 if name in TRAINED else 1e-5
    torch.testing.assert_close(scores.cpu(), on_cpu.score(queries), atol=close, rtol=close)
    loaded = MODELS[name](on_gpu.config).load(on_gpu.state(), device="cuda")
    assert loaded.device == "cuda"
    assert loaded.load(on_gpu.state()).device == "cpu"
    assert torch.equal(loaded.score(queries), scores)
