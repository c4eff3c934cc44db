"""What explain promises for every model in MODELS."""

from __future__ import annotations

from itertools import chain, combinations
from math import comb

import numpy as np
import pytest
import torch

from core.errors import BadInput, CoreError
from core.explain import Explanation, explain, refine
from core.explain.confidence import Confidence
from core.explain.contrast import Contrast
from core.explain.game import Game
from core.models import MODELS
from core.models.mlp_rating import MLPRating
from core.models.neural.gradient_model import GradientModel
from core.types import Additive, LinearInHistory, Queries, Recommender
from tests.models.test_contract import NOT_LINEAR, every_model, history
from tests.models.test_contract import fitted as fitted_anew

MADE: dict[str, Recommender] = {}  # only asked, so once is enough


def fitted(name, world):
    if name not in MADE:
        MADE[name] = fitted_anew(name, world)
    return MADE[name]


@pytest.fixture
def n_items(world):
    return world.interactions.n_items


def subsets(n):
    return chain.from_iterable(combinations(range(n), size) for size in range(n + 1))


def timed(*items: int) -> Queries:
    """A history that the log could have, with times and values."""
    n = len(items)
    return Queries(
        np.array([-1]),
        np.array([0, n]),
        np.array(items, np.int64),
        np.linspace(1, 2, n).astype(np.float32),
        times=np.arange(n) * 86_400 + 1_000_000_000,
        values=np.linspace(1, 5, n).astype(np.float32),
    )


def lifts(model, scores: torch.Tensor, query: Queries) -> np.ndarray:
    """How far scores (B, I) lie above the items that the history does not hold, float64.

    Above their mean; of a network, whose softmax says how likely each is, above the logarithm of
    the sum of exp(score), so that it is the logarithm of the share.
    """
    exact = scores.double().cpu().numpy()
    held = set(query.items.tolist())
    others = [item for item in range(exact.shape[1]) if item not in held]
    others = others if len(others) > 1 else list(range(exact.shape[1]))
    if isinstance(model, GradientModel) and not isinstance(model, MLPRating):
        return exact - np.log(np.exp(exact[:, others]).sum(axis=1, keepdims=True))
    return exact - exact[:, others].mean(axis=1, keepdims=True)


def by_definition(model, query: Queries, items) -> np.ndarray:
    """Shapley values (n, T) by the weighted sum over subsets, each asked for on its own."""
    n = len(query.items)
    v = {}
    for subset in subsets(n):
        keep = np.isin(np.arange(n), subset)[None]
        v[subset] = lifts(model, model.score(query.subsets(keep)), query)[0, items]
    values = np.zeros((n, len(items)))
    for i in range(n):
        for subset in v:
            if i not in subset:
                joined = tuple(sorted((*subset, i)))
                weight = 1 / (n * comb(n - 1, len(subset)))
                values[i] += weight * (v[joined] - v[subset])
    return values


@every_model
def test_linear_in_the_history_is_who_says_so(name, world):
    assert isinstance(fitted(name, world), LinearInHistory) == (name not in NOT_LINEAR)


@every_model
def test_values_are_those_of_the_definition_and_add_up(name, world, n_items):
    model = fitted(name, world)
    query, items = timed(0, 2, 1, 0, 3), np.arange(n_items)
    found = explain(model, query, items, n_items=n_items)
    expected = by_definition(model, query, items)
    scale = max(1.0, float(np.abs(expected).max()))
    np.testing.assert_allclose(found.values, expected, atol=2e-6 * scale)
    whole, empty = model.score(query), model.score(history())
    np.testing.assert_allclose(found.scores, lifts(model, whole, query)[0], rtol=1e-6, atol=1e-5)
    np.testing.assert_allclose(found.base, lifts(model, empty, query)[0], rtol=1e-6, atol=1e-5)
    np.testing.assert_allclose(found.raw_scores, whole[0].double().numpy(), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(found.raw_base, empty[0].double().numpy(), rtol=1e-6)
    assert (found.gap <= 1e-5 * np.maximum(1, np.abs(found.scores))).all()
    assert found.exact
    assert set(found.confidence) == {Confidence.exact()}
    if isinstance(model, Additive):
        np.testing.assert_allclose(found.by_component.sum(axis=2), found.values, atol=1e-9)
        np.testing.assert_allclose(
            found.component_values().sum(axis=0), found.scores - found.base, atol=1e-6
        )
        assert found.components == model.adding


@every_model
def test_a_contrast_is_the_difference(name, world, n_items):
    model, query = fitted(name, world), timed(0, 2, 1)
    both = explain(model, query, [0, 3], n_items=n_items)
    contrast = explain(model, query, [0], against=3, n_items=n_items)
    np.testing.assert_allclose(
        contrast.values[:, 0], both.values[:, 0] - both.values[:, 1], atol=5e-6
    )
    assert contrast.scores[0] == pytest.approx(both.scores[0] - both.scores[1])
    # a float32 apart where a processor adds up two columns otherwise than one
    assert contrast.raw_scores[0] == pytest.approx(both.raw_scores[0], rel=1e-6)
    assert contrast.against == 3


@every_model
def test_what_moves_all_items_alike_is_worth_nothing(name, world, n_items):
    model, query = fitted(name, world), timed(0, 2, 1, 0, 3)
    found_by = Contrast.of(model)

    class Louder:
        """The same model, but every event raises all items by 7."""

        config = model.config
        gives_shares = found_by is Contrast.SHARE

        def score(self, queries):
            return model.score(queries) + 7.0 * torch.from_numpy(queries.lengths)[:, None]

    plain = explain(model, query, np.arange(n_items), n_items=n_items)
    found = explain(Louder(), query, np.arange(n_items), n_items=n_items)
    np.testing.assert_allclose(found.values, plain.values, atol=1e-4)
    np.testing.assert_allclose(found.raw_scores, plain.raw_scores + 35, rtol=1e-5)
    outside = [item for item in range(n_items) if item not in (0, 1, 2, 3)]
    if found_by is Contrast.MEAN:
        np.testing.assert_allclose(found.values[:, outside].mean(axis=1), 0, atol=1e-5)
    else:
        assert np.exp(found.scores[outside]).sum() == pytest.approx(1, abs=1e-5)
        assert np.exp(found.base[outside]).sum() == pytest.approx(1, abs=1e-5)


@every_model
def test_an_empty_history_has_nothing_to_attribute(name, world, n_items):
    found = explain(fitted(name, world), history(), [1], n_items=n_items)
    assert found.values.shape == (0, 1)
    assert found.scores == found.base
    assert found.of(0).gap == 0


@every_model
def test_a_long_history_adds_up_and_the_same_seed_says_the_same(name, world, n_items):
    model = fitted(name, world)
    items = np.random.default_rng(0).integers(0, n_items, 20)
    query = timed(*items)
    *_, first = refine(model, query, [0, 2], n_items=n_items, per_player=10, seed=3)
    again = explain(model, query, [0, 2], n_items=n_items, per_player=10, seed=3)
    np.testing.assert_array_equal(first.values, again.values)
    assert first.values.shape == (20, 2)
    assert first.evaluations <= 10 * 20 + 2
    if not isinstance(model, LinearInHistory):
        assert first.method == "permutations"
        if first.values.any():
            other = explain(model, query, [0, 2], n_items=n_items, per_player=10, seed=4)
            assert (other.values != first.values).any()


def test_who_asks_plays_no_part(world, n_items):
    model = fitted("user_knn", world)
    asked = world.interactions.queries(np.array([1]))
    stranger = Queries(np.array([-1]), asked.offsets, asked.items, asked.weights, asked.times)
    known = explain(model, asked, [0], n_items=n_items)
    np.testing.assert_array_equal(
        known.values, explain(model, stranger, [0], n_items=n_items).values
    )


def test_of_many_events_the_oldest_are_one_player(world, n_items):
    model = fitted("als", world)
    query = timed(*(np.arange(230) % n_items))
    found = explain(model, query, [1], n_items=n_items, per_player=4)
    assert len(found.values) == 200
    assert (found.players == np.maximum(np.arange(230) - 30, 0)).all()
    assert explain(fitted("ease", world), query, [1], n_items=n_items).values.shape == (230, 1)


def test_what_does_not_add_up_does_not_exist(world, n_items):
    found = explain(fitted("ease", world), timed(0, 1), [2], n_items=n_items)
    with pytest.raises(CoreError, match="does not add up"):
        Explanation(
            **{
                **{f: getattr(found, f) for f in found.__dataclass_fields__},
                "values": found.values + 1e-3,
            }
        )


def test_a_score_that_is_no_number_is_refused(world, n_items):
    class Astray(MODELS["popularity"]):
        def score(self, queries):
            return torch.full((len(queries), n_items), torch.nan)

        shares = None

    model = Astray().fit(world, rng=np.random.default_rng(0))
    with pytest.raises(CoreError, match="not finite"):
        explain(model, timed(0, 1), [2], n_items=n_items)


def test_unknown_items_and_several_histories_are_refused(world, n_items, queries):
    model = fitted("ease", world)
    for items in ([], [n_items], [-1]):
        with pytest.raises(BadInput, match="items must be"):
            explain(model, timed(0), items, n_items=n_items)
    with pytest.raises(BadInput, match="one history"):
        explain(model, queries, [0], n_items=n_items)


def test_a_coalition_is_asked_once(world, n_items):
    model, asked = fitted("als", world), []

    class Counted:
        config = model.config

        def score(self, queries):
            asked.extend(np.diff(queries.offsets).tolist())
            return model.score(queries)

    game = Game(Counted(), timed(0, 1, 2), [0], n_items)
    keep = np.array([[1, 1, 0], [1, 1, 0], [0, 0, 0]], bool)
    first = game(keep)
    game(keep[:1])
    assert sorted(asked) == [0, 2]
    assert game.evaluations == 2
    np.testing.assert_array_equal(first[0], first[1])


def test_it_is_also_an_explanation_of_shap(world, n_items):
    pytest.importorskip("shap")
    found = explain(fitted("ease", world), timed(0, 1), [2, 3], n_items=n_items)
    theirs = found.to_shap(["A", "B"])
    assert theirs.values.shape == (2, 2)
    np.testing.assert_allclose(
        theirs.base_values + theirs.values.sum(axis=1), found.scores, rtol=1e-6
    )
