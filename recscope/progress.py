"""How far something is, in place: in a notebook's cell, in a terminal's line, or line by line."""

from __future__ import annotations

import sys
import time
from importlib import import_module
from types import TracebackType
from typing import Any, Self

from core.cli import terminal
from core.types import EpochReport
from recscope import html

_SELDOM_S = 0.2  # between two changes of a cell: each is a message to the browser


class ProgressLine:
    """A core.types.Progress (and OnEpoch) that people see while the `with` block runs.

    In a notebook it is one line of the cell's output, gone at the end; elsewhere it is what the
    command line shows on standard error. `shown=False` says nothing.
    """

    def __init__(self, *, shown: bool = True) -> None:
        self._cell = _Cell() if shown and _in_notebook() else None
        self._line = terminal.progress() if shown and self._cell is None else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._cell:
            self._cell.clear()
        elif self._line:
            terminal.end_of_progress()

    def __call__(self, stage: str, share: float | None = None) -> None:
        """The stage under way, and its share that is done, 0 … 1, where that is known."""
        if self._cell:
            self._cell.show(stage, share)
        elif self._line:
            self._line(stage, share)

    def epoch(self, report: EpochReport) -> None:
        """A core.types.OnEpoch: what a fit says of an epoch that is done."""
        stage = f"fit, epoch {report.epoch} of {report.epochs}" if self._cell else "fit"
        self(stage, report.share)


class _Cell:
    """One line of a cell's output, replaced in place."""

    def __init__(self) -> None:
        display: Any = import_module("IPython.display")  # which only a notebook is sure to have
        self._html = display.HTML
        self._handle = display.display(self._html(""), display_id=True)
        self._began = time.monotonic()
        self._stage, self._written = "", 0.0

    def show(self, stage: str, share: float | None) -> None:
        now = time.monotonic()
        if stage == self._stage and now - self._written < _SELDOM_S:
            return
        self._stage, self._written = stage, now
        value = "" if share is None else f' value="{share:.3f}"'
        done = "" if share is None else f"{share:.0%} "
        bar = f'<progress max="1"{value}></progress>'
        self._handle.update(
            self._html(f"{bar} {html.text(stage)} {done}· {now - self._began:.0f} s")
        )

    def clear(self) -> None:
        self._handle.update(self._html(""))


def _in_notebook() -> bool:
    """Whether a cell of a notebook is being run, which shows HTML."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return shell is not None and getattr(shell, "kernel", None) is not None
