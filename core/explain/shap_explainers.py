"""The same game given to shap's own explainers: the cross-check of somebody who audits ours.

What shap calls a masker says what the model sees when some features are hidden. Here the features
are the events of one history, and what is hidden has not happened: the background is the history
without it. So v(S) is that of core.explain.game, asked by shap's code instead of ours.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from core.errors import BadInput
from core.explain.attribution import PER_PLAYER, pair_budgets, player_of_events, top_agreement
from core.explain.explanation import Explanation
from core.explain.game import Game
from core.types import Array, Queries, Recommender

EXACT, PERMUTATION = "shap-exact", "shap-permutation"
MOST_EXACT = 14  # players, of whom shap asks all 2^n coalitions

_SEEDED = threading.Lock()  # one at a time has numpy's global generator


class EventMasker:
    """The masker of one history for shap's explainers: a coalition is a row of 0 and 1, (1, n)."""

    def __init__(self, n_players: int) -> None:
        self.shape = (1, n_players)

    def __call__(self, mask: Array, row: Array) -> tuple[Array]:
        """The row (1, n) with only the players of this mask (n,) in it."""
        return (np.asarray(mask, np.float64)[None, :],)


def explain_with_shap(
    model: Recommender,
    query: Queries,
    items: Array,
    *,
    n_items: int,
    method: str,
    against: int | None = None,
    seed: int = 0,
    per_player: int = PER_PLAYER,
) -> Explanation:
    """Why the model scores these items as it does, by shap's exact or permutation explainer.

    The game is that of core.explain.explain. By permutations shap is asked twice, each time for
    half of the histories, so that there is something to tell the stability by; the values are the
    mean of both. numpy's global generator, which shap seeds, is left as it was.

    Args:
        model: Fitted or loaded.
        query: One history. Of whom it is plays no part.
        items: Codes (T,) of the items to explain.
        n_items: Items in the catalogue.
        method: "shap-exact" or "shap-permutation".
        against: Explain score - score of this item, for each of the items, instead.
        seed: Of the permutations.
        per_player: Histories asked for per player, about, by permutations.

    Raises:
        BadInput: no such method or item, not one history, or too many events for shap-exact.
        CoreError: the values do not add up.
    """
    if method not in (EXACT, PERMUTATION):
        raise BadInput(f"there is no method {method!r}: choose {EXACT} or {PERMUTATION}")
    groups = player_of_events(len(query.items))
    game = Game(model, query, items, n_items, groups, against=against)
    items = game.items
    if method == EXACT and game.n > MOST_EXACT:
        raise BadInput(
            f"{EXACT} asks for all 2^n histories of n events, and this history has {game.n}: it "
            f"takes at most {MOST_EXACT}; choose {PERMUTATION}"
        )

    def v(keep: Array) -> Array:
        """Of coalitions (M, n) the scores of the items, (M, T)."""
        scores: Array = game(np.asarray(keep) > 0.5).sum(axis=2)
        return scores

    ends = np.stack([np.zeros(game.n), np.ones(game.n)])
    base, scores = v(ends)
    if not game.n:
        values, se, stability = np.zeros((0, len(items))), np.zeros((0, len(items))), None
    elif method == EXACT:
        values, se, stability = _exact(v, game.n, len(items)), np.zeros((game.n, len(items))), None
    else:
        values, se, stability = _permuted(v, game.n, len(items), seed, per_player)
    raw_base, raw_scores = game.scores(ends)[:, :-1].sum(axis=2)
    return Explanation(
        items=items,
        players=game.groups,
        scores=scores,
        base=base,
        raw_scores=raw_scores,
        raw_base=raw_base,
        values=values,
        se=se,
        method=method,
        evaluations=game.evaluations,
        seed=seed,
        stability=np.ones(len(items)) if stability is None else stability,
        against=against,
        contrast=game.contrast,
    )


def _exact(v: Callable[[Array], Array], n: int, t: int) -> Array:
    """Shapley values (n, T) by shap.ExactExplainer."""
    import shap  # here: it brings numba, and only these methods need it

    with _global_generator_kept():
        explainer = shap.ExactExplainer(v, EventMasker(n))
        found = explainer(np.ones((1, n)), max_evals=2**n, silent=True)
    return np.asarray(found.values, np.float64).reshape(n, t)


def _permuted(
    v: Callable[[Array], Array], n: int, t: int, seed: int, per_player: int
) -> tuple[Array, Array, Array]:
    """Values and standard errors (n, T), and the stability (T,), by shap.PermutationExplainer."""
    import shap  # here: it brings numba, and only these methods need it

    pairs = max(1, pair_budgets(n, per_player)[-1] // 2)  # in each half
    halves, errors = [], []
    with _global_generator_kept():
        for half in (0, 1):
            own_seed = int(np.random.SeedSequence([seed, half]).generate_state(1)[0])
            explainer = shap.PermutationExplainer(v, EventMasker(n), seed=own_seed)
            found = explainer(
                np.ones((1, n)), max_evals=pairs * (2 * n + 1), error_bounds=True, silent=True
            )
            halves.append(np.asarray(found.values, np.float64).reshape(n, t))
            errors.append(np.asarray(found.error_std).reshape(n, t) / np.sqrt(2 * pairs))
    se = np.hypot(*errors) / 2
    return (halves[0] + halves[1]) / 2, se, top_agreement(*halves)


@contextmanager
def _global_generator_kept() -> Iterator[None]:
    """Whatever the body does to numpy's global generator, it is afterwards as it was."""
    with _SEEDED:
        before = np.random.get_state()  # noqa: NPY002  shap seeds it and draws from it
        try:
            yield
        finally:
            np.random.set_state(before)  # noqa: NPY002
