"""Blocks, hiding and the k best, against the obvious numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from core.errors import BadInput, CoreError
from core.models.common.places import HIDDEN, hide_seen_items
from core.recommend.top_k import recommend, score_blocks, top_k
from core.types import PAD, Queries


class Table:
    """A model whose scores are a table, a row per user; it remembers how it was asked."""

    def __init__(self, scores):
        self.scores = torch.as_tensor(np.asarray(scores), dtype=torch.float32)
        self.asked = []

    def score(self, queries):
        self.asked.append(len(queries))
        return self.scores[torch.from_numpy(queries.users)]


class Cached(Table):
    """Hands out its own memory, as a popularity model does: one row for everybody."""

    def score(self, queries):
        return self.scores[:1].expand(len(queries), -1)


def queries_of(histories, users=None):
    offsets = np.cumsum([0, *map(len, histories)])
    items = np.array([item for h in histories for item in h], np.int64)
    users = np.arange(len(histories)) if users is None else np.array(users)
    return Queries(users, offsets, items, np.ones(len(items), np.float32))


def by_sorting(scores, histories, k):
    """The dumb way: sort (-score, code) of what is not in the history."""
    rows = []
    for row, seen in zip(scores, histories, strict=True):
        left = [(-score, item) for item, score in enumerate(row) if item not in seen]
        rows.append([item for _, item in sorted(left)][:k])
        rows[-1] += [PAD] * (k - len(rows[-1]))
    return np.array(rows, np.int64).reshape(len(histories), k)


@st.composite
def worlds(draw):
    """Scores with many ties, and histories with repeats."""
    b, i = draw(st.integers(1, 5)), draw(st.integers(1, 12))
    scores = draw(arrays(np.float32, (b, i), elements=st.sampled_from([-1.5, 0.0, 0.5, 1.0])))
    histories = draw(st.lists(st.lists(st.integers(0, i - 1), max_size=8), min_size=b, max_size=b))
    return scores, histories


@given(worlds(), st.integers(1, 15))
def test_equals_sorting_by_score_then_code(world, k):
    scores, histories = world
    found = recommend(Table(scores), queries_of(histories), k, n_items=scores.shape[1])
    np.testing.assert_array_equal(found.items, by_sorting(scores, histories, k))
    expected = np.where(found.items == PAD, -np.inf, np.take_along_axis(scores, found.items, 1))
    np.testing.assert_array_equal(found.scores, expected)


@given(worlds(), st.integers(1, 15))
def test_nothing_is_hidden_when_seen_items_are_kept(world, k):
    scores, histories = world
    n_items = scores.shape[1]
    found = recommend(Table(scores), queries_of(histories), k, n_items=n_items, hide_seen=False)
    np.testing.assert_array_equal(found.items, by_sorting(scores, [[]] * len(scores), k))


def test_a_large_tie_gives_the_lowest_codes():
    """Large enough for torch.topk to choose otherwise."""
    scores = torch.zeros(3, 5000)
    scores[1, 4000:4005] = 1.0
    items, _ = top_k(scores, 8)
    assert items[0].tolist() == list(range(8))
    assert items[1].tolist() == [4000, 4001, 4002, 4003, 4004, 0, 1, 2]


def test_k_beyond_the_catalogue_is_padded():
    found = recommend(Table([[1.0, 3.0, 2.0]]), queries_of([[1]]), 5, n_items=3)
    assert found.items.tolist() == [[2, 0, PAD, PAD, PAD]]
    assert found.scores.tolist() == [[2.0, 1.0, HIDDEN, HIDDEN, HIDDEN]]


def test_everything_seen_leaves_an_empty_list():
    found = recommend(Table([[1.0, 3.0]]), queries_of([[1, 0, 1]]), 2, n_items=2)
    assert found.items.tolist() == [[PAD, PAD]]


def test_no_queries_give_no_lists():
    model = Table(np.zeros((1, 3)))
    found = recommend(model, queries_of([]), 4, n_items=3)
    assert found.items.shape == found.scores.shape == (0, 4)
    assert model.asked == []


@pytest.mark.parametrize("k", [0, -3])
def test_k_below_one_is_refused(k):
    with pytest.raises(BadInput, match=f"at least 1, not {k}"):
        recommend(Table([[1.0]]), queries_of([[]]), k, n_items=1)


@pytest.mark.parametrize(("n", "rows", "limit"), [(10, 100, 400), (10, 100, 3), (7, 23, 28 * 5)])
def test_blocks_stay_within_their_bound_and_cover_every_query_once(n, rows, limit):
    model = Table(np.arange(rows * n).reshape(rows, n))
    seen = []
    for part, scores in score_blocks(model, queries_of([[]] * rows), n, limit=limit):
        assert scores.nelement() * 4 <= max(limit, 4 * n)
        assert torch.equal(scores, model.scores[part])
        seen += range(part.start, part.stop)
    assert seen == list(range(rows))


def test_a_large_catalogue_gets_few_queries_a_block():
    """Nothing of this size is made: the scores are one number, expanded."""

    class Flat:
        def score(self, queries):
            return torch.zeros(1, 1).expand(len(queries), 40_000_000)

    blocks = score_blocks(Flat(), queries_of([[]] * 3), 40_000_000)
    assert [part for part, _ in blocks] == [slice(0, 1), slice(1, 2), slice(2, 3)]


def test_blocks_do_not_change_the_lists():
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 9, (3000, 4000)).astype(np.float32)
    model, histories = Table(scores), rng.integers(0, 4000, (3000, 6)).tolist()
    found = recommend(model, queries_of(histories), 7, n_items=4000)
    assert len(model.asked) > 1
    np.testing.assert_array_equal(found.items[::97], by_sorting(scores[::97], histories[::97], 7))


def test_hiding_does_not_write_into_the_model():
    model = Cached([[3.0, 2.0, 1.0]])
    found = recommend(model, queries_of([[0], [1]]), 1, n_items=3)
    assert found.items.tolist() == [[1], [0]]
    assert model.scores.tolist() == [[3.0, 2.0, 1.0]]


def test_hiding_marks_exactly_the_history():
    queries = queries_of([[2, 2], [], [0, 1]])
    hidden = hide_seen_items(torch.ones(3, 3), queries) == HIDDEN
    assert hidden.tolist() == [[False, False, True], [False] * 3, [True, True, False]]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_scores_that_are_no_numbers_are_refused(bad):
    with pytest.raises(CoreError, match="not finite"):
        recommend(Table([[1.0, bad, 2.0]]), queries_of([[]]), 1, n_items=3)


def test_scores_of_another_shape_are_refused():
    with pytest.raises(CoreError, match=r"\(1, 3\) scores, not \(1, 4\)"):
        recommend(Table([[1.0, 2.0, 3.0]]), queries_of([[]]), 1, n_items=4)
