"""The time that may be spent on a fusion, and what is left of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from core.models.common.deadline import Deadline
from core.models.ensemble.choice import NETWORK, Choice
from core.types import EpochReport, OnEpoch

# Shares of the time: for the files, for the weights, for how fast one model's histories fade.
SAVING, WEIGHING, FADING = 0.05, 0.1, 0.01
ENOUGH = 0.25  # of a network's usual passes: from so many on it has weight beside the others
KNOWN = 0.5  # seconds that parts were thought to take, from which on they tell the machine's speed


class Budget:
    """The time of one fit, from its beginning to the files, and what became of it."""

    def __init__(self, began: float, seconds: float) -> None:
        self.end, self.seconds = Deadline(began + seconds), seconds
        self.once: dict[str, float] = {}  # seconds by component, fitted the first time
        self.took: dict[str, float] = {}  # the same, fitted for good as well
        self._thought = self._spent = 0.0

    def telling(self, on_epoch: OnEpoch | None) -> OnEpoch | None:
        """Tells of the whole how many seconds are left: by what is done, at most all there are."""
        if on_epoch is None:
            return None

        def tell(report: EpochReport) -> None:
            left, done = self.end.left, report.share
            if done > 0:
                left = min(left, (self.seconds - left) * (1 - done) / done)
            on_epoch(replace(report, seconds_left=round(max(0.0, left), 1)))

        return tell

    @property
    def slowness(self) -> float:
        """How many times as long parts took as was thought, as far as that is known."""
        return self._spent / self._thought if self._thought > KNOWN else 1.0

    @contextmanager
    def fitting(self, name: str) -> Iterator[None]:
        """Inside, this component is fitted."""
        began = time.perf_counter()
        yield
        seconds = time.perf_counter() - began
        self.once.setdefault(name, seconds)
        self.took[name] = round(self.took.get(name, 0.0) + seconds, 3)

    def compare(self, choice: Choice) -> None:
        """Learns how slow the machine is from what this took; a network takes what it is given."""
        if choice.model != NETWORK:
            self._thought += choice.seconds / 2  # it was thought of as fitted twice
            self._spent += self.once[choice.name]

    def saved_by(self) -> Deadline:
        """By then all is fitted, so that the files can be written."""
        return Deadline(self.end.at - SAVING * self.seconds)

    def weighed_by(self) -> Deadline:
        """By then the weights are found: what was fitted once fits again after it."""
        finals = sum(self.once.values())
        left = self.saved_by().left
        return Deadline.within(max(0.0, max(left - finals, WEIGHING * left)))

    @property
    def _free(self) -> float:
        """Seconds for what was not thought of yet: all that was fitted once is fitted again."""
        return self.saved_by().left - WEIGHING * self.seconds - sum(self.once.values())

    def late(self, choice: Choice) -> dict[str, float] | None:
        """None if there is time for it; else the seconds that it would take and that are left.

        A network can be stopped, but takes as many as for the fewest passes that are of use.
        """
        need = self.slowness * choice.seconds * (ENOUGH if choice.model == NETWORK else 1)
        left = self._free
        return {"seconds": need, "left": max(0.0, left)} if need > left else None

    def probed_by(self, *, twice: bool) -> Deadline:
        """When a network has to stop; with `twice` it has to be fitted again."""
        return Deadline.within(max(0.0, self._free / 2 if twice else self._free))

    def faded_by(self) -> Deadline:
        """By then it is found how fast a model's histories should fade."""
        return Deadline.within(min(FADING * self.seconds, self._free))
