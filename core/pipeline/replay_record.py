"""What an exported explanation says, read and checked, and what of it is no longer so."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from core.errors import BadInput, NotFound
from core.explain import Explanation
from core.pipeline.explanation_record import COLUMNS, FORMAT, VERSION, code_versions, seal
from core.runs.artifact import Run
from core.runs.config import settle_device
from core.types import PAD, Array, Ints, Queries, Vocab

HOLDS = 1e-6  # of max(1, |score|): how far a number may move
MOST_PER_PLAYER = 10_000


@dataclass(frozen=True)
class Difference:
    """Something that is not as it was when the explanation was exported."""

    what: str  # "run", "file", the name of a file of the run, of a version, …
    then: Any
    now: Any

    def to_json(self) -> dict[str, Any]:
        return {"what": self.what, "then": self.then, "now": self.now}


@dataclass(frozen=True)
class ValueDifference(Difference):
    """A value that moved by more than 1e-6 · max(1, |score|)."""

    item: Any  # the id of the item explained
    event: Any  # the id of the event's item
    position: int  # of the event in the history, from 0

    def to_json(self) -> dict[str, Any]:
        where = {"item": self.item, "event": self.event, "place": self.position}
        return {"what": self.what, **where, "then": self.then, "now": self.now}


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
                f"{path.name} is no explanation that was saved to be replayed, or it is "
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
        ids = [*self.history["item_id"], *self.items]
        ids += [] if self.against is None else [self.against]
        pairs = zip(ids, items.encode(ids), strict=True)
        return list(dict.fromkeys(item for item, code in pairs if code == PAD))

    def changes(self, run: Run) -> Iterator[Difference]:
        """What is no longer as it was, apart from what comes out."""
        then = self.content
        if not self.sealed:
            yield Difference("file", "sealed", "changed after it was written")
        pairs = {"run": (self.run_id, run.id)}
        for name, now in run.meta["sha256"].items():
            pairs[name] = (then["run"]["sha256"].get(name), now)
        pairs["code_version"] = (then["run"]["code_version"], run.meta["code_version"])
        pairs |= {name: (then["code"].get(name), now) for name, now in code_versions().items()}
        pairs["device"] = (then["device"], self.device)
        for what, (old, new) in pairs.items():
            if old != new:
                yield Difference(what, old, new)

    def compared(self, explanation: Explanation) -> tuple[float, list[ValueDifference]]:
        """The largest difference, in units of max(1, |score|), and the values that moved."""
        unit = np.maximum(1, np.abs(self.scores))
        apart = np.abs(explanation.values - self.values) / unit
        whole = [explanation.scores - self.scores, explanation.base - self.base]
        largest = max(apart.max(initial=0), (np.abs(whole) / unit).max())
        order = np.argsort(-apart, axis=None, kind="stable")
        order = order[apart.ravel()[order] > HOLDS]
        moved = zip(*np.unravel_index(order, apart.shape), strict=True)
        return float(largest), [
            self._moved(player, column, float(explanation.values[player, column]))
            for player, column in moved
        ]

    def _moved(self, player: int, column: int, now: float) -> ValueDifference:
        event = int(np.flatnonzero(self.players == player)[-1])
        return ValueDifference(
            what="value",
            then=float(self.values[player, column]),
            now=now,
            item=self.items[column],
            event=self.history["item_id"][event],
            position=event,
        )


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
