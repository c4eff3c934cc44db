"""Faithfulness over people is the mean of each person's own, and its differences are paired."""

from __future__ import annotations

import numpy as np
import pytest

from core.errors import BadInput
from core.explain import explain
from core.explain.checks.faithfulness import MEASURES, faithfulness
from core.explain.checks.people import faithfulness_of_people
from core.types import Queries
from tests.explain.test_faithfulness import Encoding, Sum

N_ITEMS = 30


def histories(lengths, seed=0) -> Queries:
    rng = np.random.default_rng(seed)
    items = np.concatenate([rng.permutation(N_ITEMS)[:n] for n in lengths])
    return Queries(
        np.arange(len(lengths)),
        np.concatenate([[0], np.cumsum(lengths)]),
        items.astype(np.int64),
        np.ones(len(items), np.float32),
    )


def by_one(model, query: Queries) -> dict[str, float]:
    """The measures of one person's order by values, for the best item."""
    query = Queries(np.array([-1]), query.offsets, query.items, query.weights)
    scores = model.score(query)[0].numpy()
    scores[query.items] = -np.inf
    item = int(scores.argmax())
    values = explain(model, query, np.array([item]), n_items=N_ITEMS).values[:, 0]
    order = {"values": np.argsort(-values, kind="stable")}
    return faithfulness(model, query, item, order, n_items=N_ITEMS)["values"]


def test_figures_are_means_over_the_people_with_their_errors():
    model, queries = Encoding(1), histories([6, 4, 7, 5, 8, 0, 9])
    seen: list[tuple[str, float | None]] = []
    found = faithfulness_of_people(
        model, queries, n_items=N_ITEMS, on_progress=lambda *words: seen.append(words)
    )
    fitting = [0, 2, 3, 4, 6]  # five events or more
    assert (found.people, found.events) == (5, 7.0)
    assert seen[-1] == ("faithfulness", 1.0)
    people = [by_one(model, queries[np.array([b])]) for b in fitting]
    for name in MEASURES:
        own = np.array([one[name] for one in people])
        figure = found.means["values"][name]
        assert figure.mean == pytest.approx(own.mean())
        assert figure.se == pytest.approx(own.std(ddof=1) / 5**0.5)
        assert figure.people == 5


def test_values_are_ahead_where_they_should_be_and_differences_are_signed():
    found = faithfulness_of_people(Encoding(2), histories([8] * 40, 3), n_items=N_ITEMS)
    assert set(found.ahead) == {"random", "cosine", "leave-one-out", "10-cluster SHAP"}
    for name in ("POS@1", "NEG@1"):
        ahead = found.ahead["random"][name]
        assert ahead.mean > 2 * ahead.se  # as far as this score is nearly a sum
    for order, figures in found.ahead.items():
        for name, ahead in figures.items():
            gap = found.means["values"][name].mean - found.means[order][name].mean
            assert ahead.mean == pytest.approx(gap if MEASURES[name] else -gap, abs=1e-12)


def test_the_seed_decides_and_who_is_left_out_is_left_out():
    model, queries = Encoding(2), histories([7] * 12, 3)
    few = [
        faithfulness_of_people(model, queries, n_items=N_ITEMS, people=4, seed=s) for s in (1, 1, 2)
    ]
    assert few[0] == few[1] != few[2]
    assert few[0].people == 4


def test_of_very_long_histories_the_latest_count():
    long = histories([20, 20])
    queries = Queries(
        long.users,
        np.array([0, 250, 500]),
        np.tile(long.items[:25] % 20, 20),
        np.ones(500, np.float32),
    )

    class Latest(Encoding):
        def score(self, queries):
            assert queries.lengths.max() <= 200
            return super().score(queries) * 0.01

    found = faithfulness_of_people(Latest(4), queries, n_items=N_ITEMS)
    assert found.events == 200


def test_what_cannot_be_measured():
    with pytest.raises(BadInput, match="people must be at least 2, not 1"):
        faithfulness_of_people(Encoding(0), histories([6, 6]), n_items=N_ITEMS, people=1)
    with pytest.raises(BadInput, match=r"1 of 3 people have 5 events or more"):
        faithfulness_of_people(Encoding(0), histories([6, 3, 4]), n_items=N_ITEMS)
    with pytest.raises(BadInput, match="no item vectors"):
        faithfulness_of_people(Sum(0), histories([6, 6]), n_items=N_ITEMS)
