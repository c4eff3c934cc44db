"""The fusion against loops over components, people and items; what it may choose and must not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import BadInput
from core.evaluate import evaluate
from core.evaluate.metrics import ndcg
from core.evaluate.ranking import rank
from core.models import MODELS
from core.models.als import ALS, ALSConfig
from core.models.common.deadline import Deadline
from core.models.common.validation import validation_score
from core.models.ease import EASE
from core.models.ensemble.fusion import Fusion, FusionConfig
from core.models.ensemble.fusion_weights import Pairs, best_weights, cross_fitted, segment
from core.models.transitions import Transitions
from core.types import Holdout, Interactions, Queries, TrainData


@dataclass(frozen=True)
class TableConfig:
    refit: bool = True


class Table:
    """Scores that are given, a row per user code; notes what it is fitted on."""

    Config: ClassVar[type] = TableConfig
    fits: ClassVar[list[tuple[Any, TrainData]]] = []
    scores: ClassVar[dict[Any, Any]] = {}

    def __init__(self, config: Any) -> None:
        self.config = config

    def fit(self, train: TrainData, **_: Any) -> Table:
        self.fits.append((self.config, train))
        return self

    def score(self, queries: Queries) -> torch.Tensor:
        table = torch.as_tensor(self.scores[type(self)], dtype=torch.float32)
        return table[torch.from_numpy(queries.users)]


class Other(Table):
    """Another one."""


@pytest.fixture(scope="module", autouse=True)
def _in_models():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(MODELS, "table", Table)
        patch.setitem(MODELS, "other", Other)
        yield


def asked(n_users: int, n_items: int, targets: list[list[int]], seen: int = 1) -> TrainData:
    """Everybody took items 0 … seen - 1, in turn, and is asked about these targets."""
    users, items = np.repeat(np.arange(n_users), seen), np.tile(np.arange(seen), n_users)
    log = Interactions(users, items, np.ones(len(users), np.float32), n_users, n_items)
    offsets = np.cumsum([0, *map(len, targets)])
    holdout = Holdout(log.queries(), np.concatenate(targets).astype(np.int64), offsets)
    return TrainData(log, validation=holdout, train_and_validation=log)


def fused(train: TrainData, scores: dict[Any, Any], **params: Any) -> Fusion:
    Table.scores, Table.fits = scores, []
    models = {kind.__name__: kind(TableConfig()) for kind in scores}
    config = FusionConfig(**params)
    return Fusion(config).fit(replace(train, components=models), rng=np.random.default_rng(0))


def components(world: TrainData) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    models = (ALS(ALSConfig(dim=4)), Transitions(), EASE())
    return {type(one).__name__: one.fit(world, rng=rng) for one in models}


def fitted(world: TrainData, **params: Any) -> Fusion:
    train = replace(world, components=components(world))
    return Fusion(FusionConfig(**params)).fit(train, rng=np.random.default_rng(1))


def _segments(lengths: Any) -> Any:
    return (lengths >= 1) + 1 * (lengths >= 5)


def test_scores_are_those_by_hand(world, queries):
    model = fitted(world, scale="history")
    weights = np.array([[0.1, 0.5, 0.4], [0.2, 0.5, 0.3], [0.6, 0.3, 0.1], *np.eye(2, 3)])
    model.load(model.state() | {"weights": weights.astype(np.float32)})
    got = model.score(queries).numpy()
    parts = [one.score(queries).double().numpy() for one in model.components.values()]
    for b, length in enumerate(queries.lengths):
        row = _segments(length)
        total = np.zeros(8)
        for c, scores in enumerate(parts):
            total += weights[row, c] * (scores[b] - scores[b].mean()) / scores[b].std()
        np.testing.assert_allclose(got[b], total, atol=1e-4)
    np.testing.assert_allclose(model.contributions(queries).sum(0).numpy(), got, atol=1e-5)


def test_a_frozen_scale_is_one_for_all_of_a_segment(world, queries):
    model = fitted(world, scale="frozen")
    log = world.interactions
    lengths, total = log.queries().lengths, np.zeros((len(queries), 8))
    for one in components(world).values():
        everyone = one.score(log.queries()).double().numpy()
        for b, length in enumerate(queries.lengths):
            own = everyone[_segments(lengths) == _segments(length)]
            mean, spread = own.mean(axis=1).mean(), own.std(axis=1).mean()
            scores = one.score(queries[b : b + 1])[0].double().numpy()
            total[b] += (scores - mean) / spread / 3
    np.testing.assert_allclose(model.score(queries).numpy(), total, atol=1e-4)


def test_ranks_are_counted_from_the_best_and_ties_share_one():
    train = asked(1, 4, [[3]])
    model = fused(train, {Table: [[5, 7, 7, 1]], Other: [[0, 3, 2, 1]]}, method="ranks")
    got = model.score(train.validation.queries)[0]
    expected = [1 / 63 + 1 / 64, 1 / 61 + 1 / 61, 1 / 61 + 1 / 62, 1 / 64 + 1 / 63]
    np.testing.assert_allclose(got.numpy(), np.array(expected) / 2, rtol=1e-6)


def test_what_a_component_adds_to_all_scores_or_multiplies_them_by_changes_nothing():
    rng = np.random.default_rng(3)
    train = asked(30, 20, [[int(i)] for i in rng.integers(1, 20, 30)])
    one, other = rng.normal(size=(2, 30, 20))
    plain = fused(train, {Table: one, Other: other})
    shifted = fused(train, {Table: 40 * one + 7, Other: other})
    asks = train.validation.queries
    Table.scores = {Table: one, Other: other}
    before = plain.score(asks)
    Table.scores = {Table: 40 * one + 7, Other: other}
    torch.testing.assert_close(shifted.score(asks), before, atol=1e-4, rtol=1e-4)


def test_noise_gets_no_weight_and_two_halves_of_the_truth_share_it():
    rng = np.random.default_rng(5)
    n = 400
    targets = rng.integers(1, 50, n)
    truth = np.zeros((n, 50))
    truth[np.arange(n), targets] = 3
    left = truth * (np.arange(n) % 2)[:, None] + rng.normal(size=(n, 50))
    right = truth * (np.arange(n) % 2 == 0)[:, None] + rng.normal(size=(n, 50))
    train = asked(n, 50, [[int(i)] for i in targets])
    both = fused(train, {Table: left, Other: right}).findings()
    shares = [component.weights[0] for component in both.components]
    assert 0.3 < shares[0] < 0.7
    assert both.validation > 1.2 * max(component.validation for component in both.components)
    noise = fused(train, {Table: truth + rng.normal(size=(n, 50)), Other: rng.normal(size=(n, 50))})
    assert noise.findings().components[1].weights[0] < 0.15


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(["frozen", "history"]))
def test_one_component_has_all_the_weight_where_the_sum_is_surely_worse(seed, scale):
    rng = np.random.default_rng(seed)
    targets = [rng.choice(np.arange(2, 30), size=rng.integers(1, 4), replace=False).tolist()]
    targets += [[int(i)] for i in rng.integers(2, 30, 11)]
    scores = {Table: rng.normal(size=(12, 30)), Other: rng.pareto(1, size=(12, 30))}
    found = fused(asked(12, 30, targets, seen=2), scores, scale=scale).findings()
    best = max(component.validation for component in found.components)
    if [1.0] * 5 in [list(component.weights) for component in found.components]:
        assert found.validation <= best + 1e-9
    else:  # twelve people: a standard error is that of a mean of their figures
        assert found.validation >= best - 1 / 12**0.5


def test_the_figure_of_the_sum_is_of_people_whose_events_gave_no_weights():
    """Of noise, weights that are best for these people seem to be worth more than they are."""
    inside, across = [], []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        ahead = torch.from_numpy(rng.normal(0, 1, size=(150, 30, 9)).astype(np.float32))
        pairs = Pairs(ahead, torch.ones(150).long(), torch.full((150,), 2))
        weights = best_weights(pairs)[2]
        inside.append(pairs.ndcg(weights))
        across.append(cross_fitted(pairs)[0])
        fresh = torch.from_numpy(rng.normal(0, 1, size=(2000, 30, 9)).astype(np.float32))
        others = Pairs(fresh, torch.ones(2000).long(), torch.full((2000,), 2))
        inside[-1] -= others.ndcg(weights)  # what it is worth to people never seen
        across[-1] -= others.ndcg(weights)
    errors = [np.std(gaps, ddof=1) / 30**0.5 for gaps in (inside, across)]
    assert np.mean(inside) > 2 * errors[0]
    assert np.mean(across) < 2 * errors[1]


def test_weights_are_chosen_by_models_that_do_not_know_the_answers(world):
    train = asked(3, 6, [[2], [3], [4]])
    fused(train, {Table: np.eye(3, 6), Other: np.eye(3, 6)})
    assert len(Table.fits) == 2
    for config, given_data in Table.fits:
        assert config == TableConfig(refit=False)
        assert given_data.train_and_validation is None
        assert not given_data.components
        assert given_data.interactions is train.interactions
    assert Table.fits[0][1].validation is train.validation


def test_without_validation_all_weigh_alike(world):
    assert fitted(world).findings().components[2].weights == (0.3333,) * 5
    assert fitted(world).findings().validation is None


def test_two_runs_at_least_and_no_fusion_of_fusions(world):
    with pytest.raises(BadInput, match="two runs or more, not 0"):
        Fusion().fit(world, rng=np.random.default_rng(0))
    nested = replace(world, components={"als": ALS(), "both": fitted(world)})
    with pytest.raises(BadInput, match="both is a fusion itself"):
        Fusion().fit(nested, rng=np.random.default_rng(0))


def test_competitors_are_the_best_of_each_without_the_history():
    train = asked(2, 6, [[1, 2], [3]], seen=1)
    scores = torch.tensor(
        [[[9.0, 1, 2, 3, 4, 5], [9, 5, 4, 3, 2, 1]], [[0.0, 6, 5, 1, 2, 3], [1, 2, 3, 4, 5, 6]]]
    )
    pairs = Pairs.of(
        lambda q: scores[:, torch.from_numpy(q.users)],
        train.validation,
        np.random.default_rng(0),
        1,
    )
    assert pairs.ahead.shape == (3, 6, 2)  # each competitor once
    assert pairs.counts.tolist() == [2, 2, 1]
    assert pairs.people == 2
    leads = [sorted(row[torch.isfinite(row[:, 0])].tolist()) for row in pairs.ahead]
    assert leads[0] == [[1, -1], [2, -5], [3, -4], [4, -3]]  # items 2, 3, 4, 5 against item 1
    assert leads[1] == [[-1, 1], [1, -4], [2, -3], [3, -2]]  # items 1, 3, 4, 5 against item 2
    assert leads[2] == [[-2, 2], [-1, 1], [1, -1], [2, -2]]  # items 1, 2, 4, 5 against item 3


def test_ndcg_of_leads_by_hand():
    ahead = torch.tensor([[-1.0, -2, -np.inf], [0, -1, -np.inf], [1, 2, 3], [1, -2, -3]])
    both = 1 + 1 / np.log2(3)  # of the query with two targets, at rank 4 and 2
    gain = 1 + 1 / np.log2(3) + (1 / np.log2(5) + 1 / np.log2(3)) / both
    pairs = Pairs(ahead[..., None], torch.tensor([1, 1, 2, 2]), torch.zeros(4))
    assert pairs.of_leads(ahead) == pytest.approx(gain / 3)
    assert Pairs(ahead[..., None], torch.ones(1).long(), torch.zeros(1)).of_leads(
        torch.ones(1, 10)
    ) == pytest.approx(0)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6))
def test_what_weights_are_chosen_by_is_what_is_evaluated(seed):
    rng = np.random.default_rng(seed)
    targets = [1 + rng.choice(39, rng.integers(1, 15), replace=False) for _ in range(9)]
    train = asked(9, 40, [some.tolist() for some in targets])
    scores = torch.from_numpy(rng.normal(size=(2, 9, 40)).astype(np.float32))
    held_out, weights = train.validation, rng.random(2)

    class Sum:
        def score(self, queries: Queries) -> torch.Tensor:
            own = scores[:, torch.from_numpy(queries.users)].double()
            return (own * torch.from_numpy(weights)[:, None, None]).sum(dim=0)

    pairs = Pairs.of(lambda q: scores[:, torch.from_numpy(q.users)], held_out, rng, 4)
    found = evaluate(Sum(), held_out, train=train.interactions, ks=(10,)).summary["ndcg@10"]
    assert pairs.ndcg(weights) == pytest.approx(found["mean"])
    measure = validation_score(Sum().score, held_out, rng, 4)
    assert measure() == pytest.approx(found["mean"])


def test_weights_are_as_good_as_the_best_of_a_fine_grid():
    rng = np.random.default_rng(2)
    ahead = torch.from_numpy(rng.normal(-1, 1, size=(6000, 40, 2)).astype(np.float32))
    alone = torch.ones(6000, dtype=torch.int64)
    pairs = Pairs(ahead, alone, torch.zeros(6000, dtype=torch.int64))
    found = best_weights(pairs)
    grid = [pairs.ndcg(np.array([w, 1 - w])) for w in np.linspace(0, 1, 101)]
    assert pairs.ndcg(found[0]) >= 0.99 * max(grid)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    np.testing.assert_allclose(found[1:], np.tile(found[1], (4, 1)))  # no pairs of their own


def test_weights_of_few_people_lean_on_a_mix():
    rng = np.random.default_rng(2)
    ahead = torch.from_numpy(rng.normal((-1, -0.9), 1, size=(6000, 40, 2)).astype(np.float32))
    pairs = Pairs(ahead, torch.ones(6000, dtype=torch.int64), torch.zeros(6000, dtype=torch.int64))
    some = pairs.where(torch.arange(20))
    few, many = best_weights(some)[0], best_weights(pairs)[0]
    alone = np.array([some.of_leads(some.ahead[..., c]) for c in (0, 1)]) ** 4
    assert np.abs(few - alone / alone.sum()).max() <= 20 / 320 + 1e-9
    assert 0.3 < many[0] < 0.7


def test_what_no_list_can_hold_is_a_miss_for_the_figure_and_no_pair():
    """The first person's targets are 1 (seen) and 2, the second's 3 (seen) alone."""
    history = Queries(np.arange(2), np.array([0, 1, 2]), np.array([1, 3]), np.ones(2, np.float32))
    held_out = Holdout(history, np.array([1, 2, 3]), np.array([0, 2, 3]))
    scores = torch.tensor([[[0.0, 9, 5, 1], [0, 1, 2, 9]]])
    parts = lambda q: scores[:, torch.from_numpy(q.users)]  # noqa: E731
    pairs = Pairs.of(parts, held_out, np.random.default_rng(0), 4)
    assert (pairs.counts.tolist(), pairs.totals.tolist(), pairs.answerable) == ([1], [2], 0.5)

    class Model:
        def score(self, queries: Queries) -> torch.Tensor:
            return parts(queries)[0]

    places = rank(Model(), held_out, 10, n_items=4, hide_seen=True).places
    assert pairs.figure(pairs.ahead[..., 0]) == pytest.approx(ndcg(places, 10).mean())


def test_time_that_is_over_ends_the_search_with_what_was_found():
    rng = np.random.default_rng(2)
    ahead = torch.from_numpy(rng.normal(-1, 1, size=(60, 40, 3)).astype(np.float32))
    pairs = Pairs(ahead, torch.ones(60).long(), torch.zeros(60).long())
    np.testing.assert_allclose(best_weights(pairs, Deadline(0.0)).sum(axis=1), 1)


def test_other_weights_must_be_better_for_enough_people():
    def pairs(better: int, targets: int) -> Pairs:
        """Of 100 people; for some of them component 1 puts all targets before the competitor."""
        ahead = torch.ones(100, targets, 1, 2)
        ahead[:better, ..., 1] = -1
        counts = torch.full((100 * targets,), targets)
        return Pairs(ahead.reshape(-1, 1, 2), counts, torch.zeros_like(counts))

    one, other = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    for targets in (1, 3):  # not more sure with more targets of the same people
        assert not pairs(3, targets).surely_better(other, one)  # 1.8 standard errors
        assert pairs(5, targets).surely_better(other, one)  # 2.3
        assert not pairs(5, targets).surely_better(one, other)
        assert not pairs(5, targets).surely_better(one, one)


def test_segments_are_by_length():
    lengths = [0, 4, 5, 19, 20, 99, 100, 500]
    n = sum(lengths)
    asks = Queries(
        np.arange(8), np.cumsum([0, *lengths]), np.zeros(n, np.int64), np.ones(n, np.float32)
    )
    assert segment(asks).tolist() == [0, 1, 2, 2, 3, 3, 4, 4]


class Ranking(Table):
    """Ranks candidates by its scores upside down."""

    def rank(self, queries: Queries, items: Any) -> torch.Tensor:
        return -self.score(queries).gather(1, torch.from_numpy(items))


@pytest.mark.parametrize("ranker", [False, True])
def test_the_second_stage_orders_what_the_first_one_finds(ranker, monkeypatch):
    first = np.array([[9.0, 5, 7, 1, 3], [1, 2, 3, 4, 5]])
    second = np.array([[10.0, 30, 20, 99, 50], [5, 4, 3, 2, 1]])
    later = Ranking if ranker else Other
    monkeypatch.setitem(Table.scores, Table, first)
    monkeypatch.setitem(Table.scores, later, second)
    train = asked(2, 5, [[1], [2]])
    parts = {"a": Table(TableConfig()), "b": later(TableConfig())}
    model = Fusion(FusionConfig(method="stages", candidates=3))
    if ranker:
        monkeypatch.setitem(MODELS, "ranking", Ranking)
    model.fit(replace(train, components=parts), rng=np.random.default_rng(0))
    queries = train.validation.queries
    order = model.score(queries).argsort(dim=1, descending=True).tolist()
    # of 0, 2, 1 (9, 7, 5) by the second; then 4, 3. Of 4, 3, 2 (5, 4, 3); then 1, 0.
    found = [[1, 2, 0], [2, 3, 4]]
    assert order == [
        (here[::-1] if ranker else here) + rest
        for here, rest in zip(found, [[4, 3], [1, 0]], strict=True)
    ]
    told = model.findings()
    assert told.candidates == 3
    alone = [component.validation for component in told.components]
    assert alone[0] == pytest.approx(ndcg_of([[2, 1, 4, 3], [4, 3, 2, 1]], [1, 2]))
    unseen = [[item for item in row if item] for row in order]
    assert told.validation == pytest.approx(ndcg_of(unseen, [1, 2]))
    with pytest.raises(BadInput, match="nothing is added up"):
        model.contributions(queries)


def ndcg_of(order: list[list[int]], targets: list[int]) -> float:
    places = [row.index(target) for row, target in zip(order, targets, strict=True)]
    return float(np.mean([1 / np.log2(place + 2) for place in places]))


def test_all_as_candidates_is_the_second_alone_and_a_third_stage_is_refused(world, queries):
    parts: dict[str, Any] = {
        "a": EASE().fit(world, rng=np.random.default_rng(0)),
        "b": Transitions().fit(world, rng=np.random.default_rng(0)),
    }
    config = FusionConfig(method="stages", candidates=8)
    model = Fusion(config).fit(replace(world, components=parts), rng=np.random.default_rng(0))
    torch.testing.assert_close(model.score(queries), parts["b"].score(queries))
    few = Fusion(FusionConfig(method="stages", candidates=2))
    few.fit(replace(world, components=parts), rng=np.random.default_rng(0))
    scores = few.score(queries)
    again = Fusion(few.config).load(few.state())
    assert torch.equal(again.score(queries), scores)
    with pytest.raises(BadInput, match="in stages needs two runs, not 3"):
        Fusion(config).fit(
            replace(world, components={**parts, "c": parts["a"]}), rng=np.random.default_rng(0)
        )
