"""What most people take: the floor of every comparison, and what a visitor without history gets."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from core.errors import BadInput
from core.models.blocks import HistoryLinear, Settings, popularity, setting, tie_breaker
from core.types import Array, Floats, Interactions, OnEpoch, Queries, TrainData

log = logging.getLogger(__name__)

DAY_S = 86_400
CLOCK_TIMES = (100_000_000, 10_000_000_000)  # years 1973 … 2286; others are order numbers
DAMPING = 5.0  # how many average ratings each item and person is thought to have beside its own


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
        if log.values is None or not (known := np.isfinite(log.values)).any():
            return None
        items, values = log.items[known], log.values[known].astype(np.float64)
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
        known, rows = np.isfinite(left), queries.rows
        total = np.bincount(rows[known], left[known], minlength=len(queries))
        person = total / (np.bincount(rows[known], minlength=len(queries)) + DAMPING)
        return person, left - person[rows]

    def predict(self, person: Array, items: Array, correction: Array | float = 0.0) -> Floats:
        """Baseline + correction of each pair, (B,), within the log's lowest and highest value."""
        expected = self.mean + person + self.item[items] + correction
        return np.clip(expected, self.low, self.high).astype(np.float32)

    def state(self) -> dict[str, Array]:
        """As arrays, for the state of a model."""
        return {
            "rating_item": self.item,
            "rating_range": np.array([self.mean, self.low, self.high]),
        }

    @classmethod
    def load(cls, state: Mapping[str, Array]) -> RatingBaseline | None:
        """The baseline in a model's state, if any."""
        if "rating_item" not in state:
            return None
        mean, low, high = state["rating_range"].tolist()
        return cls(mean, state["rating_item"], low, high)


class PredictsRatings(HistoryLinear):
    """A model that keeps the rating baseline of its log beside what it learnt."""

    _ratings: RatingBaseline | None = None

    def _baseline(self) -> RatingBaseline:
        """The rating baseline.

        Raises:
            NotFitted: the model is not fitted.
            BadInput: its log has no values.
        """
        self._fitted()
        if self._ratings is None:
            raise BadInput(
                "ratings cannot be predicted: the log that this model was fitted on has no values; "
                "map a rating column to `value`"
            )
        return self._ratings

    def state(self) -> dict[str, Array]:
        """What was learnt, with rating_item (I,) and rating_range (3,) where the log has values."""
        return super().state() | ({} if self._ratings is None else self._ratings.state())

    def load(self, state: Mapping[str, Array], *, device: str = "cpu") -> Self:
        """Take up what an earlier fit learnt."""
        super().load(state, device=device)
        self._ratings = RatingBaseline.load(state)
        return self


@dataclass(frozen=True)
class PopularityConfig(Settings):
    """Nothing to choose."""


class Popularity(PredictsRatings):
    """score(item) = Σ weights of its events, over all time; the history plays no part."""

    Config: ClassVar[type] = PopularityConfig

    def fit(
        self,
        train: TrainData,
        *,
        rng: np.random.Generator,
        device: str = "cpu",
        on_epoch: OnEpoch | None = None,
    ) -> Self:
        """Count the events."""
        self._keep(popularity(train.interactions), None, 1.0, device)
        self._ratings = RatingBaseline.fit(train.interactions)
        return self

    def predict(self, queries: Queries, items: Array) -> Floats:
        """Mean + person + item, see RatingBaseline; (B,)."""
        baseline = self._baseline()
        return baseline.predict(baseline.residuals(queries)[0], items)


@dataclass(frozen=True)
class RecentPopularityConfig(Settings):
    """Which events count."""

    window_days: float = setting(
        30.0, "Days before the log's last event that count; 0: all", min=0, max=36_500, step=1
    )
    half_life_days: float = setting(
        0.0, "An event this many days old counts half; 0: no fading", min=0, max=36_500, step=1
    )


class RecentPopularity(HistoryLinear):
    """score(item) = Σ weights of its events in the last days of the log, fading if asked to.

    Days are counted back from the log's last event, also when a query says what time it is. A log
    without clock times counts as a whole, and a warning is logged. Among items that recent
    events leave equal, those of all time decide (see tie_breaker).
    """

    Config: ClassVar[type] = RecentPopularityConfig

    def fit(
        self,
        train: TrainData,
        *,
        rng: np.random.Generator,
        device: str = "cpu",
        on_epoch: OnEpoch | None = None,
    ) -> Self:
        """Count the recent events."""
        self._keep(_recent(train.interactions, self.config), None, 1.0, device)
        return self


def _recent(events: Interactions, config: Any) -> Floats:
    times = events.times
    if times is None or not len(times) or not CLOCK_TIMES[0] <= times.max() < CLOCK_TIMES[1]:
        log.warning("The log has no clock times, so recent popularity counts all of its events.")
        return popularity(events)
    age_days = (times.max() - times) / DAY_S
    weights = np.asarray(events.weights, np.float64)
    if config.window_days:
        weights = weights * (age_days <= config.window_days)
    if config.half_life_days:
        weights = weights * 0.5 ** (age_days / config.half_life_days)
    recent = np.bincount(events.items, weights, minlength=events.n_items).astype(np.float32)
    return recent + tie_breaker(events, 1.0)
