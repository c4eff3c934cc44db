"""An exported explanation, made again: whether it still holds, else what is not as it was."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from core import artifact
from core.artifact import Run
from core.data.store import Workspace, sha256_file
from core.errors import Corrupt, NotFound
from core.pipeline.answers import Ready, ready
from core.pipeline.record import HOLDS, Change, Record

if TYPE_CHECKING:
    from core.explain import Explanation

MOST_TOLD = 20  # values that moved, the furthest first


def replay(workspace: Workspace, path: Path, *, run: Run | None = None) -> dict[str, Any]:
    """Whether the explanation in this file comes out the same again; it needs only the run.

    Args:
        workspace: Where the run is.
        path: What `export` wrote.
        run: Ask this run instead of the one that was explained.

    Returns:
        {ok, run, largest_difference, moved, differs: [{what, then, now}]}. ok: the file is as it
        was written, and no value, score or base moved by more than 1e-6 · max(1, |score|), in
        which unit the largest difference is; it is None where nothing could be computed. `moved`
        counts the values that did; the furthest are among what differs.

    Raises:
        BadInput: no such file or run, or the file is damaged.
    """
    record = Record.read(path)
    if run is None and (run := artifact.open_run(workspace, record.run_id)) is None:
        raise NotFound(
            f"{path.name} explains run {record.run_id}, which is not here: copy it into "
            f"{workspace.runs_folder}, or name another run to be asked"
        )
    differs = [*record.changes(run)]
    result = {"ok": False, "run": run.id, "largest_difference": None, "moved": None}
    try:
        loaded = ready(workspace, run, device=record.device)
    except Corrupt:
        return {**result, "differs": [*differs, *_damaged(run)]}
    unknown = record.unknown(loaded.items)
    if unknown:
        lost = [{"what": f"item {name}", "then": "known", "now": "unknown"} for name in unknown]
        return {**result, "differs": differs + lost}
    try:
        found = _again(loaded, record)
    except (IndexError, RuntimeError) as error:
        if not differs:
            raise
        said = f"the model cannot be asked ({str(error).splitlines()[0]})"
        return {**result, "differs": [*differs, {"what": "history", "then": "asked", "now": said}]}
    if not np.array_equal(found.players, record.players):
        then, now = len(record.values), len(found.values)
        return {**result, "differs": [*differs, {"what": "players", "then": then, "now": now}]}
    largest, moved = record.compared(found)
    result |= {"ok": record.sealed and largest <= HOLDS, "largest_difference": largest}
    return {**result, "moved": len(moved), "differs": differs + moved[:MOST_TOLD]}


def _damaged(run: Run) -> Iterator[Change]:
    """The run's files that are not what was written."""
    for name, then in run.meta["sha256"].items():
        path = run.folder / name
        now = sha256_file(path) if path.exists() else None
        if now != then:
            yield {"what": name, "then": then, "now": now}


def _again(loaded: Ready, record: Record) -> Explanation:
    """The explanation after as many evaluations as it had, or the last if there were never so many.

    When a sampled one is good enough can hang on the last digit of another machine.
    """
    from core.explain import refined

    against = None if record.against is None else int(loaded.items.encode([record.against])[0])
    steps = refined(
        loaded.model,
        record.query(loaded.items),
        loaded.items.encode(record.items),
        n_items=len(loaded.items),
        against=against,
        seed=record.seed,
        per_player=record.per_player,
    )
    for found in steps:
        if found.evaluations == record.evaluations:
            break
    return found
