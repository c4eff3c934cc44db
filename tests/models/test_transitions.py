"""The transition graph against plain loops."""

from __future__ import annotations

import numpy as np
import pytest

from core.models.transitions import Transitions, TransitionsConfig


def looped(log, config):
    """T (I, I), step by step as its recipe reads."""
    n = log.n_items
    a = np.zeros((n, n))
    for user in range(log.n_users):
        events = [e for e in range(len(log)) if log.users[e] == user]
        for i, earlier in enumerate(events):
            for j, later in enumerate(events):
                if 1 <= j - i <= config.gap:
                    weight = (log.weights[earlier] * log.weights[later]) ** 0.5
                    a[log.items[earlier], log.items[later]] += (
                        config.gap_decay ** (j - i - 1) * weight
                    )

    def norm(m):
        out = np.zeros_like(m)
        for x in range(n):
            for y in range(n):
                if m[x, y]:
                    out[x, y] = (
                        m[x, y]
                        / m[x].sum() ** config.row_exponent
                        / m[:, y].sum() ** config.column_exponent
                    )
        return out

    return norm(a) + config.backward * norm(a.T)


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"gap": 1, "backward": 0.0},
        {"gap": 2, "gap_decay": 0.5, "row_exponent": 1.0, "column_exponent": 0.0},
        {"length": 2, "history_decay": 0.3},
    ],
)
def test_scores_equal_loops_over_pairs(world, queries, params):
    config = TransitionsConfig(**params)
    model = Transitions(config).fit(world, rng=np.random.default_rng(0))
    graph = looped(world.interactions, config)
    base = model.state()["base"]
    for b, got in enumerate(model.score(queries).numpy()):
        one = queries[b : b + 1]
        expected = base.astype(float)
        for age, event in enumerate(reversed(range(len(one.items)))):
            if age < config.length:
                expected += one.weights[event] * config.history_decay**age * graph[one.items[event]]
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)
    assert base.max() == pytest.approx(1e-4 * graph[graph.any(axis=1)].max(axis=1).mean(), rel=1e-5)


def test_defaults_are_the_recipe():
    assert TransitionsConfig() == TransitionsConfig(
        gap=6,
        gap_decay=0.7,
        backward=0.5,
        row_exponent=0.5,
        column_exponent=0.3,
        history_decay=0.6,
        length=50,
    )
