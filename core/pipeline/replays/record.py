"""What an exported explanation says, read and checked so far as to be computed with."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from core.errors import BadInput
from core.explain.contrast import Contrast
from core.pipeline.replays.document import COLUMNS, DATASET, FORMAT, GIVEN, VERSION
from core.pipeline.replays.limits import check_counts
from core.pipeline.replays.seal import Seal, canonical
from core.pipeline.replays.strict_json import read_strictly
from core.runs.config import settle_device
from core.types import PAD, Array, Ints, Queries, Vocab

RUN_ID = re.compile("[0-9a-f]{12}")  # as core.runs.config.run_id makes them
KINDS = {"time": np.int64, "value": np.float32, "event": np.int64, "platform": np.int64}
LARGEST = 2**63  # seeds and counts beyond are none of ours


@dataclass(frozen=True, eq=False)
class History:
    """The events of a record, oldest first."""

    items: tuple[Any, ...]  # (E,) ids
    weights: Array  # (E,) float32
    columns: Mapping[str, Array | None]  # by field of Queries, (E,); None where the log has none
    now: Ints | None  # (1,)
    from_dataset: bool  # else it was handed in

    def query(self, items: Vocab) -> Queries:
        """The same in this vocabulary, as a stranger's; every item is known there."""
        codes = items.encode(self.items)
        offsets = np.array([0, len(codes)])
        columns: dict[str, Any] = dict(self.columns)
        return Queries(np.array([PAD]), offsets, codes, self.weights, now=self.now, **columns)


@dataclass(frozen=True, eq=False)
class Record:
    """What an exported file says: all that goes into the computation, checked."""

    name: str  # of the file
    content: Mapping[str, Any]  # without its seal
    text: bytes  # the same, as the seal is of it
    seal: Seal
    with_dataset: bool  # it was there when it was exported: items had names
    run_id: str
    history: History
    items: tuple[Any, ...]  # (T,) ids
    against: Any  # the id of an item, or None
    contrast: Contrast
    described: tuple[Any, ...]  # ids of the catalogue's items that only the table of items has
    seed: int
    per_player: int
    evaluations: int
    user: str | None  # the id, if the file has it
    user_hash: str | None  # its sha256; None for nobody's history

    @classmethod
    def read(cls, path: Path) -> Self:
        """The record in this file.

        Raises:
            NotFound: no such file.
            TooLarge: the file, or what it asks for, is beyond what is replayed.
            BadInput: it is no export, damaged, or of another version of the format.
        """
        try:
            content = read_strictly(path)
            if content["format"] != FORMAT or type(content["format_version"]) is not int:
                raise ValueError
            _check_version(path.name, content["format_version"])
            with np.errstate(over="ignore"):  # a number that is none of ours
                return cls._of(path.name, content)
        except (KeyError, TypeError, ValueError, OverflowError, AttributeError, RecursionError):
            raise BadInput(
                f"{path.name} is no explanation that was saved to be replayed, or it is "
                "damaged: export it again"
            ) from None

    @classmethod
    def _of(cls, name: str, content: dict[str, Any]) -> Self:
        """ValueError, TypeError, … where something has another form than it was written in."""
        seal = Seal.from_json(content.pop("seal"))
        run_id = content["run"]["id"]
        if not isinstance(run_id, str) or not RUN_ID.fullmatch(run_id):
            raise BadInput(
                f"{name} names run {str(run_id)[:60]!r}, which is no id of a run: an id is 12 of "
                "the characters 0-9 and a-f"
            )
        items, against = content["items"], content["against"]
        _check(isinstance(items, list) and len(items) > 0 and len(set(items)) == len(items))
        contrast = Contrast(content["quantity"])
        _check((contrast is Contrast.ITEM) == (against is not None))
        described = content.get("described", [])
        _check(isinstance(described, list) and len(set(described)) == len(described))
        _check(all(map(_is_id, [*items, *described, *([] if against is None else [against])])))
        counts = {name: content[name] for name in ("seed", "per_player", "evaluations")}
        _check(all(type(count) is int and 0 <= count < LARGEST for count in counts.values()))
        _check(counts["per_player"] > 0 and content["device"] in ("cpu", "cuda"))
        events, per_player = len(content["history"]["item_id"]), counts["per_player"]
        size = {"events": events, "items": len(items), "per_player": per_player}
        check_counts(**size, players=1, drawn=False)  # how many there are, the model says
        user = content["user"] or {}
        _check(user is content["user"] or content["user"] is None)
        _check(all(isinstance(text, str) for text in user.values()))
        _check(isinstance(content["dataset"], dict) and isinstance(content["code"], dict))
        _check(isinstance(content["created"], str))
        return cls(
            name=name,
            content=content,
            text=canonical(content),
            seal=seal,
            with_dataset=len(content["dataset"]) > 2,  # it had hashes beside its id and name
            run_id=run_id,
            history=_history(content),
            items=tuple(items),
            against=against,
            contrast=contrast,
            described=tuple(described),
            **counts,
            user=user.get("id"),
            user_hash=user["sha256"] if user else None,
        )

    @property
    def device(self) -> str:
        """Where it was computed, if that is here too."""
        return "cpu" if self.content["device"] == "cpu" else settle_device("auto")

    def unknown(self, items: Vocab) -> list[Any]:
        """The ids that this vocabulary does not have, each once."""
        ids = [*self.history.items, *self.items, *([] if self.against is None else [self.against])]
        pairs = zip(ids, items.encode(ids), strict=True)
        return list(dict.fromkeys(item for item, code in pairs if code == PAD))


def _check_version(name: str, version: int) -> None:
    if version == 1:
        raise BadInput(
            f"{name} explains the model's raw score (format 1), and explained now is how far it "
            "lifts an item above all that may be recommended: export it again"
        )
    if version > VERSION:
        raise BadInput(
            f"{name} was written by a newer Recscope (format {version}, this one reads "
            f"{VERSION}): update it"
        )
    _check(version == VERSION)


def _history(content: Mapping[str, Any]) -> History:
    """Its columns, all of one length; None where the log does not have one."""
    said = content["history"]
    ids, n = said["item_id"], len(said["item_id"])
    _check(isinstance(ids, list) and all(map(_is_id, ids)))
    columns: dict[str, Array | None] = {}
    for name, kind in KINDS.items():
        column = said[name]
        _check(column is None or isinstance(column, list))
        columns[COLUMNS[name]] = None if column is None else np.array(column, kind).reshape(n)
    for name in ("event", "platform"):
        codes, names = columns[COLUMNS[name]], content[f"{name}_names"]
        _check(codes is None or bool(((codes >= PAD) & (codes < len(names))).all()))
    weights = np.array(said["weight"], np.float32).reshape(n)
    _check(bool((np.isfinite(weights) & (weights > 0)).all()))
    _check(said["source"] in (DATASET, GIVEN))
    now = said["now"]
    return History(
        items=tuple(ids),
        weights=weights,
        columns=columns,
        now=None if now is None else np.array(now, np.int64).reshape(1),
        from_dataset=said["source"] == DATASET,
    )


def _is_id(value: object) -> bool:
    return type(value) in (str, int)


def _check(holds: bool) -> None:
    if not holds:
        raise ValueError
