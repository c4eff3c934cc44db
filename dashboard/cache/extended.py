"""A run that is asked about items which nobody took yet, as pages hand it on and caches know it."""

from __future__ import annotations

from dataclasses import dataclass

from core.runs.artifact import Run


@dataclass(frozen=True)
class ExtendedRun(Run):
    """A run whose catalogue has items beside those of its log; see core.pipeline.described."""

    described: tuple[str, ...] = ()  # their ids

    @classmethod
    def of(cls, run: Run, described: tuple[str, ...]) -> ExtendedRun:
        return cls(run.id, run.folder, run.meta, described)

    @property
    def stored(self) -> Run:
        """The run itself."""
        return Run(self.id, self.folder, self.meta)
