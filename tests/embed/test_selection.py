"""A selection beside the rest, by hand."""

from __future__ import annotations

import numpy as np

from core.embed import held_against_rest
from core.types import Interactions


def test_events_people_and_values_of_a_selection_and_of_the_rest():
    log = Interactions(
        users=np.array([0, 0, 0, 2, 2, 3]),
        items=np.array([0, 0, 1, 0, 3, 1]),
        weights=np.ones(6, np.float32),
        values=np.array([5, 4, 1, np.nan, 2, 3], np.float32),
        n_users=5,  # 1 and 4 did nothing
        n_items=5,  # nobody took 2 and 4
    )
    own, rest = held_against_rest(log, np.array([True, False, True, True, False]))
    assert (own.items, own.events, own.users) == (2, 4, 2)  # items 0 and 3; users 0 and 2
    assert (own.median_events, own.mean_value) == (2, np.float64(11 / 3))  # 3 and 1; 5, 4, 2
    assert (rest.items, rest.events, rest.users) == (1, 2, 2)  # item 1; users 0 and 3
    assert (rest.median_events, rest.mean_value) == (2, 2)
    nothing, everything = held_against_rest(log, np.zeros(5, bool))
    assert (nothing.items, nothing.events, nothing.users) == (0, 0, 0)
    assert np.isnan([nothing.median_events, nothing.mean_value]).all()
    assert (everything.items, everything.events, everything.users) == (3, 6, 3)
