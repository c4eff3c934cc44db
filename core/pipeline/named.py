"""What people call the events of a history, and items."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.pipeline.explanations.as_json import NamedItem
from core.pipeline.labels import Labels
from core.pipeline.loaded_run import LoadedRun
from core.types import Queries


@dataclass(frozen=True)
class HistoryEvent:
    """An event of a history, as people name it."""

    number: int  # from 1, the oldest
    item: Any  # its id
    label: str
    timestamp: str | int | None  # UTC, or an order number; None where the log has no times

    def to_json(self) -> dict[str, Any]:
        return dict(vars(self))


class Names:
    """What the events of a history and some items are called."""

    def __init__(self, loaded: LoadedRun, query: Queries, items: Iterable[int]) -> None:
        self.query, self.names = query, Labels(loaded)
        codes = np.concatenate([query.items, np.array(list(items), np.int64)]).astype(np.int64)
        self.labels = self.names.labels(codes)
        self.ids = dict(zip(codes.tolist(), loaded.items.decode(codes).tolist(), strict=True))

    def item(self, code: int) -> NamedItem:
        return NamedItem(self.ids[code], self.labels[code])

    def events(self, positions: Iterable[int]) -> Iterator[HistoryEvent]:
        for at in positions:
            code = int(self.query.items[at])
            time = None if self.query.times is None else int(self.query.times[at])
            time_said = None if time is None else self.names.time(time)
            yield HistoryEvent(at + 1, self.ids[code], self.labels[code], time_said)
