from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from core.errors import BadInput
from core.types import PAD, EpochReport, Interactions, Queries, Vocab

N_ITEMS = 5
ids = st.lists(st.integers(-(2**63), 2**63 - 1), unique=True) | st.lists(st.text(), unique=True)
histories = st.lists(st.lists(st.integers(0, N_ITEMS - 1), max_size=6), max_size=6)


def vocab(keys: list) -> Vocab:
    whole = bool(keys) and isinstance(keys[0], int)
    return Vocab(np.array(keys, np.int64 if whole else object))


def queries(items: list[list[int]]) -> Queries:
    flat = [item for own in items for item in own]
    return Queries(
        users=np.arange(len(items)) + 100,
        offsets=np.concatenate([[0], np.cumsum([len(own) for own in items], dtype=np.int64)]),
        items=np.array(flat, np.int64),
        weights=np.linspace(1, 2, len(flat), dtype=np.float32),
        times=np.arange(len(flat)) * 10,
        now=np.arange(len(items)) + 1000,
    )


def unpacked(q: Queries) -> list[tuple[int, list[int], list[float], list[int], int]]:
    """Each query as plain Python: user, items, weights, times, now."""
    cuts = [slice(q.offsets[b], q.offsets[b + 1]) for b in range(len(q))]
    return [
        (
            int(q.users[b]),
            q.items[cut].tolist(),
            q.weights[cut].tolist(),
            q.times[cut].tolist(),
            int(q.now[b]),
        )
        for b, cut in enumerate(cuts)
    ]


@given(ids)
def test_ids_come_back_from_their_codes(keys):
    v = vocab(keys)
    assert v.encode(keys).tolist() == list(range(len(keys)))
    assert v.decode(np.arange(len(keys))).tolist() == keys
    assert len(v) == len(keys)


@given(st.lists(st.integers(), unique=True, min_size=1))
def test_either_form_of_an_id_is_understood(keys):
    keys = [key % 2**60 for key in keys]
    keys = sorted(set(keys))
    assert vocab(keys).encode([str(key) for key in keys]).tolist() == list(range(len(keys)))


def test_unknown_ids_have_no_code():
    assert vocab(["a", "007"]).encode(["b", "7", 7, "", None, "007"]).tolist() == [PAD] * 5 + [1]


def test_a_huge_step_takes_the_first():
    q = queries([[1], [2, 3]])
    assert unpacked(q[:: 2**63]) == unpacked(q)[:1]


@given(histories, st.data())
def test_a_slice_of_queries_is_a_slice_of_each_array(items, data):
    q = queries(items)
    part = data.draw(st.slices(len(items)))
    assert unpacked(q[part]) == unpacked(q)[part]


@given(histories, st.data())
def test_positions_and_masks_pick_queries(items, data):
    q = queries(items)
    if items:
        places = data.draw(st.lists(st.integers(0, len(items) - 1)))
        assert unpacked(q[np.array(places, np.int64)]) == [unpacked(q)[b] for b in places]
    mask = data.draw(arrays.arrays(bool, len(items)))
    assert unpacked(q[mask]) == [own for own, on in zip(unpacked(q), mask, strict=True) if on]


@given(histories, st.integers(0, 7))
def test_latest_keeps_the_end(items, n):
    kept = queries(items).latest(n)
    assert [own[1] for own in unpacked(kept)] == [
        own[len(own) - min(n, len(own)) :] for own in items
    ]
    full = unpacked(queries(items))
    assert [own[3] for own in unpacked(kept)] == [own[3][max(0, len(own[3]) - n) :] for own in full]


@given(histories)
def test_rows_and_ages_say_where_an_event_is(items):
    q = queries(items)
    assert q.rows.tolist() == [b for b, own in enumerate(items) for _ in own]
    assert q.ages.tolist() == [age for own in items for age in reversed(range(len(own)))]
    assert q.lengths.tolist() == [len(own) for own in items]


@given(histories)
def test_the_matrix_sums_repeats(items):
    q = queries(items)
    expected = np.zeros((len(items), N_ITEMS))
    for row, item, weight in zip(q.rows, q.items, q.weights, strict=True):
        expected[row, item] += weight
    before = q.items.copy(), q.weights.copy()
    np.testing.assert_allclose(q.matrix(N_ITEMS).toarray(), expected, rtol=1e-6)
    ones = q.matrix(N_ITEMS, np.ones(len(q.items)))
    assert ones.sum() == len(q.items)
    assert ones.dtype == np.float32
    np.testing.assert_array_equal(q.items, before[0])  # the arrays are shared: nobody may sort them
    np.testing.assert_array_equal(q.weights, before[1])


def test_queries_check_their_offsets():
    q = queries([[1], [2, 3]])
    with pytest.raises(BadInput, match="3 entries and end at 3, not 3 entries that end at 2"):
        replace(q, offsets=np.array([0, 1, 2]))
    with pytest.raises(BadInput, match="3 entries"):
        replace(q, offsets=np.array([0, 3]))


def test_interactions_give_everyone_as_queries_without_a_copy(small_world):
    q = small_world.queries()
    assert len(q) == small_world.n_users
    assert q.items is small_world.items
    assert q[3:4].items.tolist() == [3, 4, 0, 1, 2]
    chosen = small_world.queries(np.array([4, 2]))
    assert chosen.users.tolist() == [4, 2]
    assert chosen.items.tolist() == [4, 5, 0, 2, 5]


def test_users_without_events_have_empty_histories(small_world):
    nobody = small_world.where(small_world.users != 2)
    assert nobody.n_users == small_world.n_users
    assert nobody.queries().lengths.tolist() == [5, 4, 0, 5, 2, 1]
    assert len(nobody.values) == len(nobody) == 17


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"n_items": 5}, r"item codes must lie in 0 … 4, not 0 … 5"),
        ({"n_users": 5}, r"user codes must lie in 0 … 4, not 0 … 5"),
        ({"items": np.full(20, -1)}, "item codes"),
        ({"users": np.arange(20)[::-1] // 4}, "sorted by user"),
        ({"times": np.arange(20)[::-1]}, "sorted by time"),
    ],
)
def test_interactions_refuse_what_would_mislead(small_world, change, sentence):
    with pytest.raises(BadInput, match=sentence):
        replace(small_world, **change)


def test_an_empty_log_is_a_log():
    none = np.array([], np.int64)
    empty = Interactions(none, none, none.astype(np.float32), n_users=0, n_items=0)
    assert len(empty) == 0
    assert len(empty.queries()) == 0


def test_a_report_of_an_epoch_has_the_figures_that_there_are():
    loss = EpochReport(2, 4, loss=0.5)
    assert loss.share == 0.5
    assert loss.to_json() == {"epoch": 2, "epochs": 4, "loss": 0.5}
    begun = replace(EpochReport(0, 1), component="als", done=0.25)
    assert begun.share == 0.25
    assert list(begun.to_json()) == ["epoch", "epochs", "component", "done"]


def test_a_report_of_training_by_gradients_says_what_it_lacks():
    line = EpochReport(1, 9, loss=3.0, best_epoch=1, rows_per_second=9.5, seconds_left=8.0)
    assert line.to_json() == {
        "epoch": 1,
        "epochs": 9,
        "loss": 3.0,
        "validation": None,
        "best_epoch": 1,
        "rows_per_second": 9.5,
        "gpu": None,
        "memory": None,
        "memory_of": None,
        "seconds_left": 8.0,
    }
    within = replace(line, refit=True, done=0.8, component="unified")
    assert list(within.to_json())[-3:] == ["refit", "done", "component"]
