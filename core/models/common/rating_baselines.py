"""Ratings: what is to be expected of one, and how far it lies from that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self, TypeVar

import numpy as np

from core.errors import BadInput
from core.models.common.linear_history import StoredRows
from core.types import Array, Floats, Interactions, Queries

ITEM_RATINGS = "rating_item"  # in a state
DAMPING = 5.0  # how many average ratings each item and person is thought to have beside its own

Fitted = TypeVar("Fitted")


@dataclass(frozen=True, eq=False)
class RatingBaseline:
    """What is to be expected of a rating before looking at what goes with what.

    baseline(u, i) = mean + person(u) + item(i), with item(i) = Σ (r - mean) / (n + 5) over the
    item's n ratings and person(u) = Σ (r - mean - item) / (n + 5) over the person's, as in Funk's
    damped means (Koren, TiiS 2010, §2.1, without its fit).
    """

    mean: float
    item: Floats  # (I,)
    low: float  # no rating of the log lies outside low … high
    high: float

    @classmethod
    def fit(cls, log: Interactions) -> RatingBaseline | None:
        """The baseline of a log, None where it has no values."""
        if log.values is None or not (rated := np.isfinite(log.values)).any():
            return None
        items, values = log.items[rated], log.values[rated].astype(np.float64)
        mean = values.mean()
        total = np.bincount(items, values - mean, minlength=log.n_items)
        count = np.bincount(items, minlength=log.n_items)
        item = (total / (count + DAMPING)).astype(np.float32)
        return cls(float(mean), item, float(values.min()), float(values.max()))

    def residuals(self, queries: Queries) -> tuple[Array, Array]:
        """Person (B,), and rating - baseline of each event, (E,), NaN where it has no rating."""
        if queries.values is None:
            return np.zeros(len(queries)), np.full(len(queries.items), np.nan)
        left = queries.values - self.mean - self.item[queries.items].astype(np.float64)
        rated, rows = np.isfinite(left), queries.rows
        total = np.bincount(rows[rated], left[rated], minlength=len(queries))
        person = total / (np.bincount(rows[rated], minlength=len(queries)) + DAMPING)
        return person, left - person[rows]

    def predict(self, person: Array, items: Array, correction: Array | float = 0.0) -> Floats:
        """Baseline + correction of each pair, (B,), within the log's lowest and highest value."""
        expected = self.mean + person + self.item[items] + correction
        return np.clip(expected, self.low, self.high).astype(np.float32)

    def state(self) -> dict[str, Array]:
        """As arrays, for the state of a model."""
        return {
            ITEM_RATINGS: self.item,
            "rating_range": np.array([self.mean, self.low, self.high]),
        }

    @classmethod
    def load(cls, state: Mapping[str, Array]) -> RatingBaseline | None:
        """The baseline in a model's state, if any."""
        if ITEM_RATINGS not in state:
            return None
        mean, low, high = state["rating_range"].tolist()
        return cls(mean, state[ITEM_RATINGS], low, high)


@dataclass(frozen=True, eq=False)
class Ratings:
    """A log's ratings on one scale: z = (r - mean - item) / spread, NaN where there is none."""

    baseline: RatingBaseline
    spread: float

    @classmethod
    def of(cls, log: Interactions) -> Self | None:
        """Those of a log; None where it has none."""
        baseline = RatingBaseline.fit(log)
        if baseline is None or log.values is None:
            return None
        rated = log.values[np.isfinite(log.values)]
        return cls(baseline, max(float(rated.std(dtype=np.float64)), 1e-6))

    def state(self) -> dict[str, Array]:
        """As arrays, for the state of a model."""
        return self.baseline.state() | {"rating_spread": np.array(self.spread)}

    @classmethod
    def load(cls, state: Mapping[str, Array]) -> Self | None:
        """Those in a model's state, if any."""
        baseline = RatingBaseline.load(state)
        return None if baseline is None else cls(baseline, float(state["rating_spread"]))

    def z(self, events: Interactions | Queries) -> Floats:
        """How high each event is rated, (E,)."""
        if events.values is None:
            return np.full(len(events.items), np.nan, np.float32)
        z = (events.values - self.baseline.mean - self.baseline.item[events.items]) / self.spread
        return np.where(np.isfinite(z), z, np.nan).astype(np.float32)

    def aims(self, log: Interactions) -> Floats:
        """The same of each event of a log, (E,), with its item's mean taken without it.

        item = Σ d / (n + 5) becomes (Σ d - d) / (n + 4), so z grows by (n + 5) / (n + 4).
        """
        z = self.z(log)
        counts = np.bincount(log.items[np.isfinite(z)], minlength=log.n_items)
        grown: Floats = z * (1 + 1 / (counts + DAMPING - 1))[log.items].astype(np.float32)
        return grown


def required(ratings: Fitted | None) -> Fitted:
    """What a model knows of ratings.

    Raises:
        BadInput: nothing, since its log has no values.
    """
    if ratings is None:
        raise BadInput(
            "ratings cannot be predicted: the log that this model was fitted on has no values; "
            "map a rating column to `value`"
        )
    return ratings


class PredictsRatings(StoredRows):
    """A model that keeps the rating baseline of its log beside what it learnt."""

    _ratings: RatingBaseline | None = None

    def _baseline(self) -> RatingBaseline:
        """The rating baseline.

        Raises:
            NotFitted: the model is not fitted.
            BadInput: its log has no values.
        """
        self._fitted()
        return required(self._ratings)

    def state(self) -> dict[str, Array]:
        """What was learnt, with rating_item (I,) and rating_range (3,) where the log has values."""
        return super().state() | ({} if self._ratings is None else self._ratings.state())

    def load(self, state: Mapping[str, Array], *, device: str = "cpu") -> Self:
        """Take up what an earlier fit learnt."""
        super().load(state, device=device)
        self._ratings = RatingBaseline.load(state)
        return self
