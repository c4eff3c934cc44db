"""An exported explanation, made again: whether it still holds, else what is not as it was."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from core.data.durable import sha256_file
from core.data.store import Workspace
from core.errors import Corrupt, NotFound
from core.explain import Explanation, refine
from core.pipeline.loaded_run import LoadedRun, load_run
from core.pipeline.replay_record import HOLDS, Difference, Record, ValueDifference
from core.runs import artifact
from core.runs.artifact import Run

__all__ = ["Difference", "Replay", "ValueDifference", "replay"]
MOST_LISTED = 20  # values that moved, the furthest first


@dataclass(frozen=True)
class Replay:
    """Whether an exported explanation comes out the same again."""

    ok: bool  # the file is as it was written, and no value, score or base moved
    run: str  # that was asked
    largest_difference: float | None = None  # of max(1, |score|); None: nothing could be computed
    moved: int | None = None  # values that moved by more than 1e-6 · max(1, |score|)
    differs: tuple[Difference, ...] = ()  # of the values that moved the furthest 20

    def to_json(self) -> dict[str, Any]:
        """As `recscope explain --replay FILE --json` has it."""
        return {**vars(self), "differs": [each.to_json() for each in self.differs]}


def replay(workspace: Workspace, path: Path, *, run: Run | None = None) -> Replay:
    """Whether the explanation in this file comes out the same again; it needs only the run.

    Args:
        workspace: Where the run is.
        path: What ExplanationDocument.write wrote.
        run: Ask this run instead of the one that was explained.

    Raises:
        BadInput: no such file or run, or the file is damaged.
    """
    record = Record.read(path)
    if run is None and (run := artifact.open_run(workspace, record.run_id)) is None:
        raise NotFound(
            f"{path.name} explains run {record.run_id}, which is not here: copy it into "
            f"{workspace.runs_folder}, or name another run to be asked"
        )
    changes = tuple(record.changes(run))
    try:
        loaded = load_run(workspace, run, device=record.device)
    except Corrupt:
        return Replay(ok=False, run=run.id, differs=(*changes, *_damaged(run)))
    obstacle, explanation = _explained_again(loaded, record, changes)
    if explanation is None:
        return Replay(ok=False, run=run.id, differs=(*changes, *obstacle))
    largest, moved = record.compared(explanation)
    return Replay(
        ok=record.sealed and largest <= HOLDS,
        run=run.id,
        largest_difference=largest,
        moved=len(moved),
        differs=(*changes, *moved[:MOST_LISTED]),
    )


def _damaged(run: Run) -> Iterator[Difference]:
    """The run's files that are not what was written."""
    for name, then in run.meta["sha256"].items():
        path = run.folder / name
        now = sha256_file(path) if path.exists() else None
        if now != then:
            yield Difference(name, then, now)


def _explained_again(
    loaded: LoadedRun, record: Record, changes: tuple[Difference, ...]
) -> tuple[list[Difference], Explanation | None]:
    """What stands in the way of computing it again, or nothing and the explanation."""
    unknown = record.unknown(loaded.items)
    if unknown:
        return [Difference(f"item {name}", "known", "unknown") for name in unknown], None
    try:
        explanation = _again(loaded, record)
    except (IndexError, RuntimeError) as error:
        if not changes:
            raise
        reason = f"the model cannot be asked ({str(error).splitlines()[0]})"
        return [Difference("history", "asked", reason)], None
    if not np.array_equal(explanation.players, record.players):
        return [Difference("players", len(record.values), len(explanation.values))], None
    return [], explanation


def _again(loaded: LoadedRun, record: Record) -> Explanation:
    """The explanation after as many evaluations as it had, or the last if there were never so many.

    When a sampled one is good enough can hang on the last digit of another machine.
    """
    against = None if record.against is None else int(loaded.items.encode([record.against])[0])
    steps = refine(
        loaded.model,
        record.query(loaded.items),
        loaded.items.encode(record.items),
        n_items=len(loaded.items),
        against=against,
        seed=record.seed,
        per_player=record.per_player,
    )
    for explanation in steps:
        if explanation.evaluations == record.evaluations:
            break
    return explanation
