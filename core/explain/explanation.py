"""Why a model scores items as it does: a value for each event of a history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from core.errors import BadInput, CoreError
from core.explain.confidence import Confidence
from core.explain.contrast import Contrast
from core.types import Array, Ints

if TYPE_CHECKING:
    import shap

GAP = 1e-5  # of max(1, |score|), above which there is no explanation
TOP = 5  # players whose place among the first is looked at for stability
SURE = 2.0  # standard errors that a value must lie from 0
SAMPLED = ("permutations", "shap-permutation")  # methods whose values have standard errors


@dataclass(frozen=True, eq=False)
class Explanation:
    """base + Σ values = score for each of T items, or it does not exist.

    The players are the n events of a history, oldest first (or groups of them). `values` are
    Shapley values of the game v(S) = how far the model lifts the item above others (Contrast), for
    a history of the events S alone (Game): what happens without an event is what the model says to
    somebody who did all the same but that. `base` is v(∅), what somebody gets of whom nothing is
    known. `raw_scores` and `raw_base` are the model's own numbers, before anything is subtracted.

    Raises:
        CoreError: the values do not add up to within 1e-5 · max(1, |score|).
    """

    items: Ints  # (T,) codes; of a contrast the first minus `against`
    players: Ints  # (E,) the player that each event is; the oldest of many events are one together
    scores: Array  # (T,) float64, v of all events
    base: Array  # (T,) float64, v of none
    raw_scores: Array  # (T,) float64, what the model gives the item for the whole history
    raw_base: Array  # (T,) float64, what it gives the item for an empty one
    values: Array  # (n, T) float64
    se: Array  # (n, T) standard errors; 0 where exact
    # "closed form", "enumeration" or "permutations"; see core.explain.shap_explainers for shap's
    method: str
    evaluations: int  # histories that the model was asked for
    seed: int
    stability: Array  # (T,) share of the first five that two halves of the evaluations agree on
    against: int | None = None  # the item whose score is subtracted
    contrast: Contrast = Contrast.MEAN  # what the scores are held against
    components: tuple[str, ...] = ()  # C of an additive model
    # (n, T, C): what each component adds of the values
    by_component: Array = field(default_factory=lambda: np.zeros((0, 0, 0)))
    base_by_component: Array = field(default_factory=lambda: np.zeros((0, 0)))  # (T, C): Σ = base

    def __post_init__(self) -> None:
        gap, allowed = self.gap, GAP * np.maximum(1, np.abs(self.scores))
        if not (gap <= allowed).all():
            worst = int(np.argmax(np.nan_to_num(gap, nan=np.inf) / allowed))
            raise CoreError(
                f"the explanation of item {self.items[worst]} does not add up: base and values "
                f"miss the score {self.scores[worst]:.6g} by {gap[worst]:.3g}, at most "
                f"{allowed[worst]:.3g} is allowed; this is a fault of the model or of Recscope"
            )

    @property
    def gap(self) -> Array:
        """|base + Σ values - score|, (T,)."""
        gap: Array = np.abs(self.base + self.values.sum(axis=0) - self.scores)
        return gap

    @property
    def quantity(self) -> str:
        """What is explained, in words."""
        return self.contrast.value

    @property
    def exact(self) -> bool:
        """Whether nothing was sampled."""
        return self.method not in SAMPLED

    @property
    def confidence(self) -> tuple[Confidence, ...]:
        """How far the values of each item can be relied on, and why no further."""
        if self.exact:
            return (Confidence.exact(),) * len(self.items)
        pairs = zip(self.stability.tolist(), self.error.tolist(), strict=True)
        return tuple(Confidence.of_sample(agreement=share, error=error) for share, error in pairs)

    @property
    def error(self) -> Array:
        """The standard errors of all values together, relative to their length, (T,)."""
        size = np.linalg.norm(self.values, axis=0)
        error: Array = np.linalg.norm(self.se, axis=0) / np.maximum(size, 1e-9)
        return error

    @property
    def sure(self) -> Array:
        """Values that lie more than two standard errors from 0, (n, T)."""
        floor = 1e-9 * np.maximum(1, np.abs(self.scores))
        sure: Array = np.abs(self.values) > np.maximum(SURE * self.se, floor)
        return sure

    @property
    def moves(self) -> Array:
        """Whether any event moves the item at all, (T,) bool."""
        floor = 1e-9 * np.maximum(1, np.abs(self.scores))
        moves: Array = np.any(np.abs(self.values) > floor, axis=0)
        return moves

    def of(self, column: int) -> Explanation:
        """The explanation of the item in this column of the values alone."""
        own = slice(column, column + 1)
        if self.components:
            parts = self.by_component[:, own], self.base_by_component[own]
        else:
            parts = self.by_component, self.base_by_component
        return replace(
            self,
            items=self.items[own],
            scores=self.scores[own],
            base=self.base[own],
            raw_scores=self.raw_scores[own],
            raw_base=self.raw_base[own],
            values=self.values[:, own],
            se=self.se[:, own],
            stability=self.stability[own],
            by_component=parts[0],
            base_by_component=parts[1],
        )

    def component_values(self) -> Array:
        """What each component adds beyond its share of the base, (C, T); Σ = score - base."""
        total: Array = self.by_component.sum(axis=0).T
        return total

    def to_shap(self, names: Sequence[str]) -> shap.Explanation:
        """The same as shap's own object, for its plots: values (T, n), base_values (T,).

        Args:
            names: What each of the n players is called.

        Returns:
            A row for each item; `explanation[0]` is the one row that a waterfall draws. `data` is 1
            throughout: in the history that is explained every event happened.

        Raises:
            BadInput: not one name for each player.
        """
        import shap  # here: it brings numba and takes a second, and only this needs it

        if len(names) != len(self.values):
            raise BadInput(f"{len(self.values)} players need a name each, not {len(names)} names")
        return shap.Explanation(
            values=self.values.T,
            base_values=self.base,
            data=np.ones_like(self.values.T),
            feature_names=list(names),
            error_std=None if self.exact else self.se.T,
        )
