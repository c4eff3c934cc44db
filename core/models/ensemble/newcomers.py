"""What people without a history are shown: judged by those who came in the log's last period."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from core.models.ensemble.fusion_weights import Pairs, best_weights
from core.models.ensemble.score_fusion import ScoreFusion, ScoreFusionConfig
from core.models.popularity import CLOCK_TIMES, Popularity, RecentPopularity
from core.types import Array, Holdout, Interactions, Recommender, TrainData

PERIOD = 0.1  # of the events, the last ones
FEWEST = 20  # people who came in it, below which they say nothing
AT_ONCE = 2**22  # scores


def newcomers(log: Interactions) -> tuple[Interactions, Holdout] | None:
    """The log before its last period, and who came only in it, asked without a history.

    None where the log does not say when things happened, or fewer than 20 people came.
    """
    times = log.times
    if times is None or not len(times) or not CLOCK_TIMES[0] <= times.max() < CLOCK_TIMES[1]:
        return None
    cut = np.quantile(times, 1 - PERIOD, method="higher")
    before = log.where(times < cut)
    came = np.setdiff1d(log.users, before.users)
    if len(came) < FEWEST or not len(before):
        return None
    own = np.isin(log.users, came)
    offsets = np.searchsorted(log.users[own], np.append(came, log.n_users))
    return before, Holdout(before.queries(came), log.items[own], offsets)


def weights_of_newcomers(
    models: Mapping[str, Recommender],
    log: Interactions,
    config: ScoreFusionConfig,
    rng: np.random.Generator,
    device: str,
) -> tuple[Array, int] | None:
    """How much each of the models should count for people without a history, (C,), sum 1.

    Only those that count what is popular, each fitted anew to what came before the period. And how
    many people said so. None where there are fewer than two of them, or nothing to judge by.
    """
    counting = {
        name: model
        for name, model in models.items()
        if isinstance(model, Popularity | RecentPopularity)
    }
    if len(counting) < 2 or (apart := newcomers(log)) is None:
        return None
    before, held_out = apart
    train = TrainData(before)
    fitted = tuple(
        type(model)(model.config).fit(train, rng=rng, device=device) for model in counting.values()
    )
    fusion = ScoreFusion.alike(config, fitted, before.queries(np.arange(0)), device)
    block = max(1, AT_ONCE // (len(fitted) * log.n_items))
    pairs = Pairs.of(fusion.component_scores, held_out, rng, block)
    if pairs is None:
        return None
    found = dict(zip(counting, best_weights(pairs)[0], strict=True))
    return np.array([found.get(name, 0.0) for name in models]), len(held_out)
