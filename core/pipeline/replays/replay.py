"""An exported explanation, made again: whether it still holds, else what is not as it was."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.data.durable import sha256_file
from core.data.store import Workspace
from core.errors import Corrupt, NotFound, TooLarge
from core.pipeline.described import with_described
from core.pipeline.labels import Labels
from core.pipeline.loaded_run import LoadedRun, load_run
from core.pipeline.replays.again import explained_again, made_again
from core.pipeline.replays.compare import WHOLE, Tolerance, leaves, settled
from core.pipeline.replays.difference import Difference, Missing, Pair, ValueDifference, told_of
from core.pipeline.replays.limits import SECONDS
from core.pipeline.replays.record import Record
from core.pipeline.replays.seal import Verdict, is_own, workspace_key
from core.recommend.time_limit import time_limit
from core.runs import artifact
from core.runs.artifact import Run

__all__ = ["Difference", "Replay", "ValueDifference", "replay"]
MOST_VALUES_LISTED = 20  # values that moved, the furthest first
MOST_LISTED = 100  # other differences


@dataclass(frozen=True)
class Replay:
    """Whether an exported explanation comes out the same again."""

    ok: bool  # nothing in the file was changed, as far as that can be told, and all came out again
    run: str  # that was asked
    seal: Verdict
    largest_difference: float | None = None  # of max(1, |score|); None: nothing could be computed
    moved: int | None = None  # values that moved by more than 1e-6 · max(1, |score|)
    differs: tuple[Difference, ...] = ()  # of the values that moved the furthest 20
    omitted: int = 0  # differences beyond those listed
    unchecked: tuple[str, ...] = ()  # entries that only the dataset, which is not here, tells

    def to_json(self) -> dict[str, Any]:
        """As `recscope explain --replay FILE --json` has it."""
        differs = [each.to_json() for each in self.differs]
        return {**vars(self), "differs": differs, "unchecked": list(self.unchecked)}


def replay(
    workspace: Workspace, path: Path, *, run: Run | None = None, seconds: float = SECONDS
) -> Replay:
    """Whether the explanation in this file comes out the same again; it needs only the run.

    All that can be computed again is, and compared; the rest of the file rests on its seal. What
    only the dataset tells (labels, what the user did) is compared where the dataset is here.

    Args:
        workspace: Where the run is.
        path: What ExplanationDocument.write wrote.
        run: Ask this run instead of the one that was explained.
        seconds: For which the run may be asked.

    Raises:
        NotFound: an item that nobody took is explained, and this run's model reads no content.
        BadInput: no such file or run, the file is damaged, or it asks for more than is replayed.
        Corrupt: the workspace's key, or the dataset, is not what was written.
    """
    record = Record.read(path)
    key = workspace_key(workspace)
    verdict = record.seal.verdict(record.text, key)
    explained = artifact.open_run(workspace, record.run_id)
    if run is None and (run := explained) is None:
        raise NotFound(
            f"{path.name} explains run {record.run_id}, which is not here: copy it into "
            f"{workspace.runs_folder}, or name another run to be asked"
        )
    own = key is not None and explained is not None and is_own(explained, key)
    refused = verdict == Verdict.CHANGED or (verdict == Verdict.FOREIGN and own)
    try:
        loaded = with_described(load_run(workspace, run, device=record.device), record.described)
    except Corrupt:
        differs = (*_seal_difference(verdict), *_damaged(run))
        return Replay(ok=False, run=run.id, seal=verdict, differs=differs)
    try:
        with time_limit(seconds):
            compared = _compared(loaded, record, verdict)
    except TimeoutError:
        raise TooLarge(
            f"{path.name} was not made again within {seconds:g} seconds: ask on a faster machine, "
            "or export an explanation of fewer items"
        ) from None
    differs = (*_seal_difference(verdict), *compared.differs)
    return Replay(**{**vars(compared), "ok": compared.ok and not refused, "differs": differs})


def _seal_difference(verdict: Verdict) -> Iterator[Difference]:
    if verdict == Verdict.CHANGED:
        yield Difference("file", "sealed", "changed after it was written")
    if verdict == Verdict.FOREIGN:
        yield Difference("seal", "of this workspace", "not sealed by this workspace")


def _damaged(run: Run) -> Iterator[Difference]:
    """The run's files that are not what was written."""
    for name, then in run.meta["sha256"].items():
        path = run.folder / name
        now = sha256_file(path) if path.exists() else None
        if now != then:
            yield Difference(name, then, now)


def _compared(loaded: LoadedRun, record: Record, verdict: Verdict) -> Replay:
    """The record beside the same made again by this run."""
    run, other = loaded.run.id, record.run_id != loaded.run.id
    if unknown := record.unknown(loaded.items):
        differs = [Difference(f"item {str(name)[:40]}", "known", "unknown") for name in unknown]
        omitted = max(0, len(differs) - MOST_LISTED)
        return Replay(False, run, verdict, differs=tuple(differs[:MOST_LISTED]), omitted=omitted)
    try:
        explanation = explained_again(loaded, record, other=other)
    except (IndexError, RuntimeError) as error:
        reason = f"the model cannot be asked ({str(error).splitlines()[0]})"
        return Replay(False, run, verdict, differs=(Difference("history", "asked", reason),))
    explanation = settled(explanation, record.content.get("stability"))
    again = made_again(Labels(loaded, record.with_dataset), record, explanation)
    tolerance, pairs = Tolerance.of(explanation), list(leaves(again.then, again.now))
    apart = [tolerance.apart(pair) or 0.0 for pair in pairs if pair[0][0] in WHOLE]
    different = [pair for pair in pairs if not tolerance.same(pair)]
    moved: list[Pair] = []
    rest: list[Pair] = []
    for pair in different:
        is_value = pair[0][0] == "values" and tolerance.apart(pair) is not None
        (moved if is_value else rest).append(pair)
    moved.sort(key=lambda pair: -(tolerance.apart(pair) or 0.0))
    listed = [*rest[:MOST_LISTED], *moved[:MOST_VALUES_LISTED]]
    proven = verdict == Verdict.SEALED
    return Replay(
        ok=all(_is_harmless(pair, proven=proven, other=other) for pair in different),
        run=run,
        seal=verdict,
        largest_difference=max(apart, default=0.0),
        moved=len(moved),
        differs=tuple(told_of(explanation, record.content, pair) for pair in listed),
        omitted=len(different) - len(listed),
        unchecked=() if proven else again.unchecked,
    )


def _is_harmless(pair: Pair, *, proven: bool, other: bool) -> bool:
    """Whether a difference is told, but no reason for an explanation not to hold.

    What computes may be another version; another run may be asked on purpose. What the workspace's
    own key vouches for may be a name that was changed since, or an entry that is not computed.
    """
    path, _, now = pair
    if path[0] in ("code", "device") or (other and path[0] == "run"):
        return True
    return proven and (path == ("run", "name") or (isinstance(now, Missing) and len(path) == 1))
