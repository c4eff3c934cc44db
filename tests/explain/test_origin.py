"""The origin of a reason against gradients taken by torch, and against training again without."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import origin as bench
import pytest
import torch

from core.errors import BadInput
from core.explain import origin
from core.explain.origin import Origins, before, has_last_layer, origins
from core.models import MODELS
from core.runs.config import model_config
from core.types import PAD, Interactions, Queries, TrainData

NETWORKS = ("unified", "two_tower", "lightgcn", "simgcl")
CAUSE, ITEM = 1, 2


def fitted(name: str, log: Interactions):
    model = MODELS[name](model_config(name, {"epochs": 4, "dim": 8, "batch": 4}))
    return model.fit(TrainData(log), rng=np.random.default_rng(0))


def somebody(items: list[int], *, times: bool) -> Queries:
    n = len(items)
    when = 1_700_000_000 + np.arange(n) if times else None
    return Queries(np.array([PAD]), np.array([0, n]), np.array(items), np.ones(n, np.float32), when)


def without_times(log: Interactions) -> Interactions:
    return replace(log, times=None)


def history(log: Interactions, step: int) -> Queries:
    """What its person did before this event; without times, with other items."""
    events = np.arange(len(log))
    same = log.users == log.users[step]
    if log.times is not None:
        keep = same & (events < step)
    else:
        keep = same & (log.items != log.items[step])
    return log.where(keep).queries(log.users[[step]])


def test_which_networks_have_a_last_layer_and_the_others_say_so(log):
    plain = [name for name, kind in MODELS.items() if has_last_layer(kind(kind.Config()))]
    assert plain == [name for name in MODELS if name in NETWORKS]
    popular = MODELS["popularity"](model_config("popularity", {}))
    popular.fit(TrainData(log), rng=np.random.default_rng(0))
    with pytest.raises(BadInput, match="networks that learn a vector") as refused:
        origins(popular, somebody([1, 3], times=True), 1, 2, log, n_items=log.n_items)
    assert all(name in str(refused.value) for name in NETWORKS)


@pytest.mark.parametrize("times", [True, False])
@pytest.mark.parametrize("name", NETWORKS)
def test_influence_is_that_of_gradients_of_the_items_vectors(log, name, times):
    log = log if times else without_times(log)
    model = fitted(name, log)
    query = somebody([4, CAUSE, 3], times=times)
    vectors = model.encode_items().double().requires_grad_()
    probe = log.queries()[np.flatnonzero(np.diff(log.offsets))]
    scores = model.score(probe).double()
    linear = model.encode(probe).double() @ vectors.detach().T
    scale = float(((scores[0] - scores[1]) * (linear[0] - linear[1])).sum())
    scale /= float((linear[0] - linear[1]).square().sum())
    offset = (scores - scale * linear).mean(dim=0)  # the last layer is linear, or this fails:
    torch.testing.assert_close(scale * linear + offset, scores, atol=1e-4, rtol=1e-4)

    def logits(asked: Queries) -> torch.Tensor:
        return scale * model.encode(asked).double() @ vectors.T + offset

    with_it, without = logits(query), logits(query.subsets(query.items[None] != CAUSE))
    others = np.setdiff1d(np.arange(log.n_items), query.items)
    lifts = [each[0, ITEM] - each[0, others].mean() for each in (with_it, without)]
    (wanted,) = torch.autograd.grad(lifts[0] - lifts[1], vectors)
    taught = {}
    for user in range(log.n_users):
        steps = np.flatnonzero(log.users == user)
        steps = [step for step in steps if len(history(log, step).items)]
        if ITEM not in log.items[steps]:
            continue
        loss = torch.zeros((), dtype=torch.float64)
        for step in steps:
            chances = torch.log_softmax(logits(history(log, step))[0], dim=0)
            loss = loss - np.log2(1 + log.weights[step]) * chances[log.items[step]]
        (gradient,) = torch.autograd.grad(loss, vectors)
        taught[user] = -float((gradient * wanted).sum())
    traced = origins(model, query, CAUSE, ITEM, log, n_items=log.n_items)
    assert sorted(traced.users.tolist()) == sorted(taught)
    assert traced.takers == len(taught)
    assert np.all(np.diff(traced.influence) <= 0)
    expected = np.array([taught[user] for user in traced.users.tolist()])
    size = np.abs(expected).max()
    np.testing.assert_allclose(traced.influence * scale**2, expected, atol=1e-4 * size)
    assert traced.value == pytest.approx(float((lifts[0] - lifts[1]).detach()), abs=1e-4)


@pytest.mark.parametrize("times", [True, False])
def test_what_an_event_is_foretold_from(log, times):
    log = log if times else without_times(log)
    steps = np.array([3, 6, 20, 12])
    asked = before(log, steps)
    for row, step in enumerate(steps.tolist()):
        expected = history(log, step)
        np.testing.assert_array_equal(asked[[row]].items, expected.items)
        np.testing.assert_array_equal(asked[[row]].weights, expected.weights)
        if times:
            np.testing.assert_array_equal(asked[[row]].times, expected.times)
    assert (asked.users == PAD).all()


def test_the_event_that_made_the_step_is_the_one_whose_loss_unmakes_most_of_it(log):
    model = fitted("two_tower", log)
    query = somebody([4, CAUSE, 3], times=True)
    traced = origins(model, query, CAUSE, ITEM, log, n_items=log.n_items, top=2)
    whole, without = model.encode(query.subsets(np.array([[1, 1, 1], [1, 0, 1]], bool))).double()
    for user, taken, because in zip(traced.users, traced.taken, traced.because, strict=True):
        assert log.users[taken] == user
        assert log.items[taken] == ITEM
        if user not in traced.users[:2]:
            assert because == PAD
            continue
        assert log.users[because] == user
        events = np.flatnonzero((log.users == user) & (np.arange(len(log)) < taken))
        left = {}
        for event in events.tolist():
            rest = log.where(np.isin(np.arange(len(log)), events) & (np.arange(len(log)) != event))
            state = model.encode(rest.queries([user])).double()[0]
            left[event] = float(state @ (whole - without))
        assert left[int(because)] == pytest.approx(min(left.values()))


def test_of_too_many_people_those_of_the_strongest_step_are_looked_at(log, monkeypatch):
    model, query = fitted("lightgcn", log), somebody([4, CAUSE, 3], times=True)
    every = origins(model, query, CAUSE, ITEM, log, n_items=log.n_items)
    monkeypatch.setattr(origin, "MOST_PEOPLE", 2)
    few = origins(model, query, CAUSE, ITEM, log, n_items=log.n_items)
    assert len(few.users) == 2 < len(every.users) == few.takers
    alike = dict(zip(every.users.tolist(), every.influence.tolist(), strict=True))
    for user, influence in zip(few.users.tolist(), few.influence.tolist(), strict=True):
        assert influence == pytest.approx(alike[user])


def test_only_the_latest_events_of_a_person_are_looked_at(log, monkeypatch):
    monkeypatch.setattr(origin, "MOST_EVENTS", 2)
    np.testing.assert_array_equal(before(log, np.array([3])).items, log.items[1:3])


def test_shares_add_up_and_leave_out_who_taught_the_contrary():
    ones = np.zeros(3, np.int64)
    traced = Origins(1, 2, 0.5, 3, ones, np.array([3.0, 1.0, -2.0]), ones, ones)
    assert traced.shares.tolist() == [0.75, 0.25, 0.0]
    nobody = Origins(1, 2, 0.5, 1, ones[:1], np.array([-1.0]), ones[:1], ones[:1])
    assert nobody.shares.tolist() == [0.0]


def test_a_cause_must_be_in_the_history_and_another_item(log):
    model = fitted("lightgcn", log)
    for items, cause, item in (([1, 3], 4, 2), ([1, 3], 3, 3)):
        with pytest.raises(BadInput, match="cause must be an item of the history"):
            origins(model, somebody(items, times=True), cause, item, log, n_items=log.n_items)


def test_of_an_item_that_nobody_took_nobody_taught_anything(log):
    traced = origins(
        fitted("lightgcn", log), somebody([1, 3], times=True), 1, 7, log, n_items=log.n_items
    )
    assert traced.takers == len(traced.users) == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "small"),
    [
        ("two_tower", {"dim": 16, "batch": 128, "epochs": 15}),
        ("lightgcn", {"dim": 16, "batch": 256, "epochs": 30}),
    ],
)
def test_without_their_origins_a_network_learns_less_of_its_reasons(monkeypatch, name, small):
    monkeypatch.setitem(bench.SMALL, name, small)
    log = bench.planted_log(0, 160)
    model, rng = bench.fitted(name, log, 0), np.random.default_rng(3)
    people = [bench.asked(rng, group) for group in range(bench.GROUPS)]
    reasons = [(bench.A + group, bench.B + group) for group in range(bench.GROUPS)]
    first = [
        origins(model, query, *reason, log, n_items=bench.N_ITEMS).users[:4]
        for query, reason in zip(people, reasons, strict=True)
    ]
    taught = np.unique(np.concatenate(first))
    others = bench.alike(log, taught, rng)
    assert not set(taught) & set(others)

    def value(model) -> float:
        pairs = zip(people, reasons, strict=True)
        return float(np.mean([bench.value(model, query, *reason) for query, reason in pairs]))

    left = [value(bench.fitted(name, bench.without(log, who), 0)) for who in (taught, others)]
    assert left[0] < 0.9 * value(model)
    assert left[0] < 0.85 * left[1]
