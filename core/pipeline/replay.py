"""An exported explanation, made again: whether it still holds, else what is not as it was."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from core.data.durable import sha256_file
from core.data.store import Workspace
from core.errors import BadInput, Corrupt, NotFound
from core.pipeline.explanation_record import COLUMNS, FORMAT, VERSION, code_versions, seal
from core.pipeline.loaded_run import LoadedRun, load_run
from core.runs import artifact
from core.runs.artifact import Run
from core.runs.config import settle_device
from core.types import PAD, Array, Ints, Queries, Vocab

if TYPE_CHECKING:
    from core.explain import Explanation

HOLDS = 1e-6  # of max(1, |score|): how far a number may move
MOST_PER_PLAYER = 10_000
MOST_TOLD = 20  # values that moved, the furthest first

Change = dict[str, Any]  # {what, then, now}; of a value also item, event (its item), place


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
        loaded = load_run(workspace, run, device=record.device)
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


def _again(loaded: LoadedRun, record: Record) -> Explanation:
    """The explanation after as many evaluations as it had, or the last if there were never so many.

    When a sampled one is good enough can hang on the last digit of another machine.
    """
    from core.explain import refine

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
    for found in steps:
        if found.evaluations == record.evaluations:
            break
    return found


@dataclass(frozen=True, eq=False)
class Record:
    """What an exported file says, checked so far as to be computed with."""

    content: Mapping[str, Any]
    sealed: bool  # whether it is as it was written
    history: Mapping[str, Any]  # columns, as arrays where they are numbers
    players: Ints  # (E,) the player that each event is
    items: list[Any]  # (T,) ids
    against: Any
    seed: int
    per_player: int
    evaluations: int
    values: Array  # (n, T)
    scores: Array  # (T,)
    base: Array  # (T,)

    @classmethod
    def read(cls, path: Path) -> Self:
        """The record in this file.

        Raises:
            NotFound: no such file.
            BadInput: it is no export, damaged, or of a newer Recscope.
        """
        try:
            content = json.loads(path.read_text("utf-8"))
            if content["format"] != FORMAT:
                raise ValueError
            if content["format_version"] > VERSION:
                raise BadInput(
                    f"{path.name} was written by a newer Recscope (format "
                    f"{content['format_version']}, this one reads up to {VERSION}): update it"
                )
            with np.errstate(over="ignore"):  # a number that is none of ours
                return cls._of(content)
        except OSError as error:
            raise NotFound(f"{str(path)!r} cannot be read: {error.strerror}") from None
        except (KeyError, TypeError, ValueError, OverflowError, AttributeError, RecursionError):
            raise BadInput(
                f"{path.name} is no explanation that recscope explain --out wrote, or it is "
                "damaged: export it again"
            ) from None

    @classmethod
    def _of(cls, content: dict[str, Any]) -> Self:
        """ValueError, TypeError, … where something has another form than it was written in."""
        rest = {name: value for name, value in content.items() if name != "seal"}
        history = _columns(content)
        players = np.array(content["players"], np.int64).reshape(len(history["item_id"]))
        _check(np.array_equal(np.unique(players), np.arange(n := players.max(initial=-1) + 1)))
        items = list(content["items"])
        shapes = {"values": (len(items), n), "scores": (len(items),), "base": (len(items),)}
        figures = {name: np.array(content[name], np.float64) for name in shapes}
        for name, shape in shapes.items():
            _check(figures[name].shape == shape and bool(np.isfinite(figures[name]).all()))
        counts = {name: content[name] for name in ("seed", "per_player", "evaluations")}
        _check(all(type(count) is int and count >= 0 for count in counts.values()))
        _check(len(items) > 0 and 1 <= counts["per_player"] <= MOST_PER_PLAYER)
        for name in ("id", "code_version"):
            _check(isinstance(content["run"][name], str))
        _check(isinstance(content["run"]["sha256"], dict) and isinstance(content["code"], dict))
        _check(content["device"] in ("cpu", "cuda"))
        return cls(
            content=content,
            sealed=content["seal"] == seal(rest),
            history=history,
            players=players,
            items=items,
            against=content["against"],
            **counts,
            values=figures["values"].T,
            scores=figures["scores"],
            base=figures["base"],
        )

    @property
    def run_id(self) -> str:
        """The run that was explained."""
        return str(self.content["run"]["id"])

    @property
    def device(self) -> str:
        """Where it was computed, if that is here too."""
        return "cpu" if self.content["device"] == "cpu" else settle_device("auto")

    def query(self, items: Vocab) -> Queries:
        """The history, as a stranger's."""
        columns = {field: self.history[name] for name, field in COLUMNS.items()}
        codes = items.encode(self.history["item_id"])
        weights, now = self.history["weight"], self.history["now"]
        offsets = np.array([0, len(codes)])
        return Queries(np.array([PAD]), offsets, codes, weights, now=now, **columns)

    def unknown(self, items: Vocab) -> list[Any]:
        """The ids that this vocabulary does not have, each once."""
        said = [*self.history["item_id"], *self.items]
        said += [] if self.against is None else [self.against]
        codes = items.encode(said)
        return list(dict.fromkeys(x for x, code in zip(said, codes, strict=True) if code == PAD))

    def changes(self, run: Run) -> Iterator[Change]:
        """What is no longer as it was, apart from what comes out."""
        then = self.content
        if not self.sealed:
            yield {"what": "file", "then": "sealed", "now": "changed after it was written"}
        pairs = {"run": (self.run_id, run.id)}
        for name, now in run.meta["sha256"].items():
            pairs[name] = (then["run"]["sha256"].get(name), now)
        pairs["code_version"] = (then["run"]["code_version"], run.meta["code_version"])
        pairs |= {name: (then["code"].get(name), now) for name, now in code_versions().items()}
        pairs["device"] = (then["device"], self.device)
        for what, (old, new) in pairs.items():
            if old != new:
                yield {"what": what, "then": old, "now": new}

    def compared(self, found: Explanation) -> tuple[float, list[Change]]:
        """The largest difference, in units of max(1, |score|), and the values that moved."""
        unit = np.maximum(1, np.abs(self.scores))
        apart = np.abs(found.values - self.values) / unit
        whole = np.abs([found.scores - self.scores, found.base - self.base]) / unit
        moved: list[Change] = []
        for place in np.argsort(-apart, axis=None, kind="stable"):
            player, item = divmod(int(place), len(self.items))
            if apart[player, item] <= HOLDS:
                break
            event = int(np.flatnonzero(self.players == player)[-1])
            moved.append(
                {
                    "what": "value",
                    "item": self.items[item],
                    "event": self.history["item_id"][event],
                    "place": event,
                    "then": float(self.values[player, item]),
                    "now": float(found.values[player, item]),
                }
            )
        return float(max(apart.max(initial=0), whole.max())), moved


def _columns(content: Mapping[str, Any]) -> dict[str, Any]:
    """The history's columns, all of one length; None where the log does not have one."""
    history, n = content["history"], len(content["history"]["item_id"])
    kinds = {"time": np.int64, "value": np.float32, "event": np.int64, "platform": np.int64}
    columns: dict[str, Any] = {
        name: None if history[name] is None else np.array(history[name], kind).reshape(n)
        for name, kind in kinds.items()
    }
    for name in ("event", "platform"):
        codes, names = columns[name], content[f"{name}_names"]
        _check(codes is None or bool(((codes >= PAD) & (codes < len(names))).all()))
    weights = np.array(history["weight"], np.float32).reshape(n)
    _check(bool((np.isfinite(weights) & (weights > 0)).all()))
    now: Ints | None = None if history["now"] is None else np.array(history["now"], int).reshape(1)
    ids = history["item_id"]
    _check(isinstance(ids, list) and isinstance(content["items"], list))
    named = [*ids, *content["items"], "" if content["against"] is None else content["against"]]
    _check(all(isinstance(name, str | int) for name in named))
    return {**columns, "item_id": ids, "weight": weights, "now": now}


def _check(holds: bool) -> None:
    if not holds:
        raise ValueError
