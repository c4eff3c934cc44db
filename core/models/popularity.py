"""What most people take: the floor of every comparison, and what a visitor without history gets."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from core.models.common.linear_history import HistoryLinear
from core.models.common.rating_baselines import PredictsRatings, RatingBaseline
from core.models.common.settings import Settings, setting
from core.models.common.strengths import popularity, tie_breaker
from core.types import Array, Floats, Interactions, Ints, OnEpoch, Queries, TrainData

log = logging.getLogger(__name__)

DAY_S = 86_400
CLOCK_TIMES = (100_000_000, 10_000_000_000)  # years 1973 … 2286; others are order numbers


@dataclass(frozen=True)
class PopularityConfig(Settings):
    """Nothing to choose."""


class Popularity(PredictsRatings, HistoryLinear):
    """score(item) = Σ weights of its events, over all time; the history plays no part."""

    Config: ClassVar[type] = PopularityConfig

    def reads(self) -> int:
        """No event of a history counts."""
        return 0

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

    def reads(self) -> int:
        """No event of a history counts."""
        return 0

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


def clock_times(events: Interactions) -> Ints | None:
    """When they were, (E,) Unix seconds; None of order numbers, or if there is nothing."""
    times = events.times
    if times is None or not len(times) or not CLOCK_TIMES[0] <= times.max() < CLOCK_TIMES[1]:
        return None
    return times


def _recent(events: Interactions, config: Any) -> Floats:
    times = clock_times(events)
    if times is None:
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
