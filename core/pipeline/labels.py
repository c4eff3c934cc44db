"""What people call the items and events of a run, and by what the run knows an item."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import numpy as np

from core.data.dataset import kinds
from core.data.queries import item_labels
from core.data.store import DatasetInfo
from core.errors import NotFound
from core.pipeline.loaded_run import LoadedRun
from core.pipeline.training import learnt_from
from core.types import Array, Ints, Recommender


def with_id(label: str, item: object) -> str:
    """What an item is called, with its id where that is not said by the name already.

    >>> with_id("Solaris", 7), with_id("Solaris (7)", 7), with_id("7", 7)
    ('Solaris (7)', 'Solaris (7)', '7')
    """
    said = label == str(item) or label.endswith(f"({item})")
    return label if said else f"{label} ({item})"


@dataclass(frozen=True, eq=False)
class Labels:
    """What people call the items and events of a run; without its dataset only the ids are left."""

    loaded: LoadedRun
    described: bool = True  # False: as if the dataset was gone

    @cached_property
    def info(self) -> DatasetInfo | None:
        """The run's dataset, or None where it is gone."""
        if not self.described:
            return None
        with suppress(NotFound):
            return self.loaded.workspace.dataset(self.loaded.run.config.dataset)
        return None

    @cached_property
    def kinds(self) -> tuple[list[str], list[str]]:
        """The names of event types and of platforms, by code."""
        return kinds(self.info) if self.info else ([], [])

    def labels(self, codes: Array) -> dict[int, str]:
        """What each of these items is called, by code; its id where nothing is known."""
        codes = np.unique(codes)
        ids = self.loaded.items.decode(codes)
        names: Iterable[Any] = item_labels(self.info, ids) if self.info else ids
        return dict(zip(codes.tolist(), map(str, names), strict=True))

    def time(self, time: int) -> str | int:
        """A time as people write it, UTC; an order number as it is."""
        if self.info is None or self.info.time_kind != "clock":
            return time
        try:
            return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        except (ValueError, OverflowError):  # no year of ours
            return time

    def known_by(self, items: Array) -> list[str] | None:
        """By what the model knows each item: "events", else "content", or "nothing".

        Or "described", by its content too, where it is no item of the log. None without the
        dataset.
        """
        counts = self.taken
        if counts is None:
            return None
        data, model = self.loaded.load_dataset(), self.loaded.model
        described = data.item_features is not None and reads_content(model)
        unseen = "content" if described else "nothing"
        of_log = ["events" if counts[item] else unseen for item in items]
        new = map(self.loaded.is_described, items)
        return ["described" if is_new else by for by, is_new in zip(of_log, new, strict=True)]

    @cached_property
    def taken(self) -> Ints | None:
        """How many events of each item the model learnt from, (I,); None without the dataset."""
        if self.info is None:
            return None
        data, config = self.loaded.load_dataset(), self.loaded.run.config
        learnt = learnt_from(data, config, self.loaded.model)
        return np.bincount(learnt.items, minlength=len(self.loaded.items))


def reads_content(model: Recommender) -> bool:
    """Whether it, or a component of it, learns from what is known of the items."""
    components = getattr(model, "components", {})
    if components:
        return any(map(reads_content, components.values()))
    return model.needs_features and bool(getattr(model.config, "content", True))
