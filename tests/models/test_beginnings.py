"""Parts of a history as a tree, held against the beginnings written out."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from core.models.sequence.prefix_tree import prefix_tree

CPU = torch.device("cpu")


@given(
    keep=st.tuples(st.integers(1, 12), st.integers(1, 7)).flatmap(lambda s: arrays(bool, s)),
    most=st.integers(1, 40),
)
def test_every_part_is_there_once_with_its_beginnings(keep, most):
    seen = []
    for some in prefix_tree(keep, most, CPU):
        parts = [tuple(np.flatnonzero(keep[row])) for row in some.rows]
        told = [
            tuple(some.events[path[: len(part)]].tolist())
            for path, part in zip(some.paths, parts, strict=True)
        ]
        assert told == parts
        assert some.paths.shape[1] == max(map(len, parts))
        assert some.last.tolist() == [
            int(path[len(part) - 1]) for path, part in zip(some.paths, parts, strict=True)
        ]
        # Each beginning of each of these parts, once.
        known = [
            parts[part][: rank + 1]
            for part, rank in zip(some.parts.tolist(), some.ranks.tolist(), strict=True)
        ]
        assert [one[-1] for one in known] == some.events.tolist()
        assert sorted(known) == sorted({p[:n] for p in parts for n in range(1, len(p) + 1)})
        for order, part in zip(some.order.tolist(), parts, strict=True):
            assert order == [part.index(e) if e in part else len(order) for e in range(len(order))]
        seen += some.rows.tolist()
    assert sorted(seen) == np.flatnonzero(keep.any(axis=1)).tolist()


def test_no_more_beginnings_at_a_time_than_asked_but_for_one_part():
    keep = np.random.default_rng(0).random((500, 20)) < 0.5
    sizes = [len(some.events) for some in prefix_tree(keep, 300, CPU)]
    assert len(sizes) > 1
    assert max(sizes) <= 300 + 2 * 20
    assert sum(sizes) < 0.8 * keep.sum()  # much is shared


def test_nothing_is_kept():
    assert list(prefix_tree(np.zeros((3, 4), bool), 10, CPU)) == []
    assert list(prefix_tree(np.zeros((0, 4), bool), 10, CPU)) == []
    assert list(prefix_tree(np.zeros((3, 0), bool), 10, CPU)) == []
