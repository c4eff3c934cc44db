"""The history that is explained: one, and a stranger's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from core.errors import BadInput
from core.types import PAD, Queries, ReadsLatest, Recommender


def anonymous(queries: Queries) -> Queries:
    """The same as strangers': who did it plays no part in what is explained."""
    return replace(queries, users=np.full(len(queries), PAD))


def one_history(query: Queries) -> Queries:
    """The same history as a stranger's.

    Raises:
        BadInput: not one history.
    """
    if len(query) != 1:
        raise BadInput(f"one history is explained at a time, not {len(query)}")
    return anonymous(query)


def events_read(model: Recommender, query: Queries) -> int:
    """How many events of this one history, the latest, the model's scores go by at most."""
    most = model.reads() if isinstance(model, ReadsLatest) else None
    n = len(query.items)
    return n if most is None else min(n, most)
