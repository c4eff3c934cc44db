"""Places of targets against a list sorted by hand: ties, hidden items, repeats, many targets."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from core.errors import BadInput
from core.evaluate.metrics import ndcg
from core.evaluate.ranking import rank
from core.models.common import places as places_module
from core.models.common.places import UNREACHABLE
from core.models.common.validation import validation_score
from core.types import Holdout, Queries


class Table:
    def __init__(self, scores, device="cpu"):
        self.scores = torch.as_tensor(np.asarray(scores), dtype=torch.float32, device=device)

    def score(self, queries):
        return self.scores[torch.from_numpy(queries.users).to(self.scores.device)]


def holdout_of(histories, targets):
    def jagged(lists):
        flat = np.array([x for one in lists for x in one], np.int64)
        return flat, np.cumsum([0, *map(len, lists)])

    items, offsets = jagged(histories)
    queries = Queries(np.arange(len(histories)), offsets, items, np.ones(len(items), np.float32))
    return Holdout(queries, *jagged(targets))


def by_sorting(row, seen, wanted):
    """Places in the worst order that the scores allow: of equal scores, targets last."""
    left = [item for item in range(len(row)) if item not in seen]
    order = sorted(left, key=lambda item: (-row[item], item in wanted, item))
    reached = sorted(order.index(item) + 1 for item in wanted if item not in seen)
    return reached + [UNREACHABLE] * len(wanted & seen)


@st.composite
def worlds(draw):
    b, i = draw(st.integers(1, 5)), draw(st.integers(1, 12))
    scores = draw(arrays(np.float32, (b, i), elements=st.sampled_from([-1.5, 0.0, 0.5, 1.0])))
    codes = st.lists(st.integers(0, i - 1), max_size=9)
    histories = draw(st.lists(codes, min_size=b, max_size=b))
    targets = draw(st.lists(codes, min_size=b, max_size=b).filter(any))
    return scores, histories, targets


@given(worlds(), st.integers(1, 5))
def test_validation_is_asked_exactly_as_evaluation(world, block):
    """Seen items hidden, also those that are wanted; ties against; a repeat counts once."""
    scores, histories, targets = world
    model, held_out = Table(scores), holdout_of(histories, targets)
    ranking = rank(model, held_out, 10, n_items=scores.shape[1], hide_seen=True)
    measure = validation_score(model.score, held_out, np.random.default_rng(0), block)
    assert measure() == pytest.approx(ndcg(ranking.places, 10).mean(), abs=1e-6)


@pytest.mark.parametrize("counted", [0, 2, 64])  # sort always, sort some, count always
@pytest.mark.parametrize("hide_seen", [True, False])
@given(worlds())
def test_equals_sorting(counted, hide_seen, world):
    scores, histories, targets = world
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(places_module, "COUNTED", counted)
        got = rank(
            Table(scores),
            holdout_of(histories, targets),
            3,
            n_items=scores.shape[1],
            hide_seen=hide_seen,
        )
    assert got.queries.tolist() == [b for b, wanted in enumerate(targets) if wanted]
    for n, b in enumerate(got.queries):
        mine = slice(got.places.offsets[n], got.places.offsets[n + 1])
        seen = set(histories[b]) if hide_seen else set()
        assert got.places.places[mine].tolist() == by_sorting(scores[b], seen, set(targets[b]))
        assert set(got.targets[mine].tolist()) == set(targets[b])
        assert got.places.candidates[n] == scores.shape[1] - len(seen)
        left = sorted((s for i, s in enumerate(scores[b]) if i not in seen), reverse=True)
        assert got.cut_tied[n] == (len(left) > 3 and left[2] == left[3])


def test_a_tie_counts_against_the_target():
    """Constant scores put the target last, not first."""
    got = rank(Table(np.zeros((1, 50))), holdout_of([[7]], [[3]]), 5, n_items=50, hide_seen=True)
    assert got.places.places.tolist() == [49]
    assert got.cut_tied.tolist() == [True]


def test_a_repeated_target_counts_once():
    scores = [[5.0, 4.0, 3.0]]
    got = rank(Table(scores), holdout_of([[]], [[2, 0, 2, 2]]), 2, n_items=3, hide_seen=True)
    assert got.targets.tolist() == [0, 2]
    assert got.places.places.tolist() == [1, 3]


def test_more_targets_than_are_counted_one_by_one():
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 50, (4, 400)).astype(np.float32)
    targets = [rng.choice(400, n, replace=False).tolist() for n in (200, 1, 65, 64)]
    got = rank(Table(scores), holdout_of([[0, 1]] * 4, targets), 9, n_items=400, hide_seen=True)
    for b in range(4):
        mine = slice(got.places.offsets[b], got.places.offsets[b + 1])
        assert got.places.places[mine].tolist() == by_sorting(scores[b], {0, 1}, set(targets[b]))


def test_blocks_do_not_change_the_places():
    rng = np.random.default_rng(1)
    scores = rng.normal(size=(2500, 4000)).astype(np.float32)
    targets = rng.integers(0, 4000, (2500, 1))
    shares = []
    got = rank(
        Table(scores),
        holdout_of([[]] * 2500, targets.tolist()),
        5,
        n_items=4000,
        hide_seen=True,
        on_progress=lambda stage, share: shares.append((stage, share)),
    )
    expected = (scores >= np.take_along_axis(scores, targets, 1)).sum(axis=1)
    np.testing.assert_array_equal(got.places.places, expected)
    assert len(shares) > 1
    assert shares == sorted(shares)
    assert shares[-1] == ("evaluate", 1)


def test_without_targets_there_is_nothing_to_rank():
    with pytest.raises(BadInput, match="no query has a target"):
        rank(Table([[1.0]]), holdout_of([[]], [[]]), 1, n_items=1, hide_seen=True)


@pytest.mark.parametrize("bad", [-1, 3])
def test_targets_outside_the_catalogue_are_refused(bad):
    with pytest.raises(BadInput, match=r"0 … 2"):
        rank(Table([[1.0] * 3]), holdout_of([[]], [[bad]]), 1, n_items=3, hide_seen=True)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_ranks_as_the_cpu_does():
    rng = np.random.default_rng(2)
    scores = rng.integers(0, 300, (900, 5000)).astype(np.float32)
    histories = rng.integers(0, 5000, (900, 30)).tolist()
    targets = [rng.integers(0, 5000, n).tolist() for n in rng.integers(0, 90, 900)]
    holdout = holdout_of(histories, targets)
    there, here = (
        rank(Table(scores, device), holdout, 20, n_items=5000, hide_seen=True)
        for device in ("cuda", "cpu")
    )
    np.testing.assert_array_equal(there.places.places, here.places.places)
    np.testing.assert_array_equal(there.places.candidates, here.places.candidates)
    np.testing.assert_array_equal(there.items, here.items)
    np.testing.assert_array_equal(there.cut_tied, here.cut_tied)
