"""Which two events matter together: what both add beyond what each adds by itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np

from core.explain import shapley
from core.explain.contrast import Contrast
from core.explain.explanation import SURE, Explanation
from core.explain.game import Game
from core.types import Array, Ints, LinearInHistory, Queries, Recommender

STRONGEST = 5  # players, each two of whom are looked at where there are more than can be enumerated
DRAWN = 64  # sets of others that each of these pairs joins
CLAIMED = 0.1  # of Σ |value|, below which nothing is said of a pair
ENOUGH = 6  # pairs, from which on one must stand out from the others
STANDS_OUT = 3.0  # times as large as the pair in the middle


@dataclass(frozen=True)
class Interaction:
    """What two players do together: above 0 they strengthen each other, below 0 they overlap.

    The Shapley interaction index: the mean over sets S of the others, of uniform size, of
    v(S + both) - v(S + first) - v(S + second) + v(S). Grabisch and Roubens, Int. J. Game Theory 28,
    1999.
    """

    first: int  # player of the explanation, before `second`
    second: int
    value: float  # in the units of the score
    se: float  # standard error; 0 where exact
    claimed: bool  # surely not 0, and not small beside what events do by themselves

    @property
    def together(self) -> bool:
        """Whether one does more where the other is; else one does what the other has done."""
        return self.value > 0


def interactions(
    model: Recommender, query: Queries, explanation: Explanation, column: int, *, n_items: int
) -> tuple[Interaction, ...]:
    """Pairs of an explanation's players, the strongest interaction first.

    All pairs by all coalitions of at most 12 players; of more, the pairs of the five that matter
    most, each over 64 sets of the others that the explanation's seed draws. None where scores are
    sums over the events: there a later event only makes an earlier one older, whatever it is.

    They are of the score less the mean of all, also where the values are of the item's share: there
    whatever makes an item likely leaves less for the next event to add, so that all pairs overlap.

    Args:
        model: That was explained.
        query: The history that was explained.
        explanation: By the events of the history.
        column: Of the item in it.
        n_items: Items in the catalogue.
    """
    if isinstance(model, LinearInHistory):
        return ()
    item, n = explanation.items[column : column + 1], len(explanation.values)
    game = Game(
        model,
        query,
        item,
        n_items,
        explanation.players,
        against=explanation.against,
        contrast=Contrast.ITEM if explanation.contrast is Contrast.ITEM else Contrast.MEAN,
    )
    sizes = np.abs(explanation.values[:, column])
    if n <= shapley.MOST_ENUMERATED:
        values = game(shapley.coalitions(n)).sum(axis=2)[:, 0]
        size = float(np.abs(shapley.from_coalitions(values[:, None])).sum())
        pairs = [
            (first, second, float(_exact(values, n, first, second)), 0.0)
            for first, second in combinations(range(n), 2)
        ]
    else:
        order = np.argsort(-np.abs(explanation.values[:, column]), kind="stable")
        rng = np.random.default_rng(explanation.seed)
        chosen = combinations(sorted(order[:STRONGEST].tolist()), 2)
        sampled = list(_sampled(game, chosen, rng))
        pairs = [(first, second, value, se) for first, second, value, se, _ in sampled]
        # what events do by themselves is known of the strongest alone: scaled up to all of them
        alone = float(np.mean([alone for *_, alone in sampled])) if sampled else 0.0
        size = alone * float(sizes.sum() / max(sizes[order[:STRONGEST]].mean(), 1e-300))
    least = max(CLAIMED * size, 1e-9 * max(1.0, abs(float(explanation.scores[column]))))
    if len(pairs) >= ENOUGH:  # what all pairs do, as where scores are put on a scale, is of none
        least = max(least, STANDS_OUT * float(np.median([abs(value) for _, _, value, _ in pairs])))
    found = [
        Interaction(first, second, value, se, abs(value) - SURE * se > least)
        for first, second, value, se in pairs
    ]
    return tuple(sorted(found, key=lambda pair: -abs(pair.value)))


def _exact(values: Array, n: int, first: int, second: int) -> float:
    """From v of all `coalitions(n)`, (2^n,)."""
    numbers = np.arange(2**n)
    one, other = 1 << first, 1 << second
    without = numbers[(numbers & (one | other)) == 0]
    gains = values[without | one | other] - values[without | one] - values[without | other]
    gains = gains + values[without]
    sizes = np.array([int(number).bit_count() for number in without])
    weights = np.array([1 / ((n - 1) * comb(n - 2, size)) for size in range(n - 1)])
    return float(weights[sizes] @ gains)


def _sampled(
    game: Game, pairs: Iterable[tuple[int, int]], rng: np.random.Generator
) -> Iterable[tuple[int, int, float, float, float]]:
    """Over sets of the others that come before the pair in random orders, and their complements.

    Yields the pair, its interaction and the error, and how much one of the two does by itself.
    """
    for first, second in pairs:
        others: Ints = np.setdiff1d(np.arange(game.n), (first, second))
        sets = np.zeros((DRAWN, game.n), bool)
        for row in range(0, DRAWN, 2):
            drawn = rng.permutation(others)
            size = int(rng.integers(len(others) + 1))
            sets[row, drawn[:size]] = True
            sets[row + 1, drawn[size:]] = True
        joined = np.repeat(sets[None], 4, axis=0)
        joined[(0, 1), :, first] = True
        joined[(0, 2), :, second] = True
        v = game(joined.reshape(-1, game.n)).sum(axis=2)[:, 0].reshape(4, DRAWN)
        gains = (v[0] - v[1] - v[2] + v[3]).reshape(-1, 2).mean(axis=1)
        error = float(gains.std(ddof=1) / len(gains) ** 0.5)
        alone = np.abs([(v[0] + v[1] - v[2] - v[3]).mean(), (v[0] + v[2] - v[1] - v[3]).mean()]) / 2
        yield first, second, float(gains.mean()), error, float(alone.mean())
