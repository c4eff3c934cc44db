"""The record of an explanation, with all that it takes to make it again: document and file."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from core.data.durable import utc_now, write_text_atomically
from core.explain import Explanation
from core.explain.attribution import PER_PLAYER
from core.pipeline.labels import Labels
from core.pipeline.loaded_run import LoadedRun
from core.runs.identity import code_version, explanations_digest
from core.types import Array, Queries

FORMAT, VERSION = "recscope explanation", 1
COLUMNS = {"time": "times", "value": "values", "event": "events", "platform": "platforms"}


@dataclass(frozen=True, eq=False)
class ExplanationDocument:
    """All that it takes to make the explanation of one history again."""

    loaded: LoadedRun
    query: Queries  # the history that was explained; it goes into the document
    explanation: Explanation
    per_player: int = PER_PLAYER  # what `explain` was given
    user: object = None  # whose history it is; None for nobody's
    hash_user: bool = False  # leave the id out; its sha256 stays, which tells a short id
    more: Mapping[str, Any] = field(default_factory=dict)  # other entries, under the seal as well

    def to_json(self) -> dict[str, Any]:
        """The document with its seal: the sha256 of all else in it."""
        names, explanation = Labels(self.loaded), self.explanation
        codes = np.concatenate([self.query.items, explanation.items]).astype(np.int64)
        labels = names.labels(codes)
        ids = self.loaded.items.ids
        against = explanation.against
        content = {
            "format": FORMAT,
            "format_version": VERSION,
            "created": utc_now(),
            "replay": "recscope explain --replay FILE",
            "run": _run(self.loaded),
            "dataset": _dataset(names),
            "code": code_versions(),
            "device": self.loaded.model.device,
            "user": _user(self.user, self.hash_user),
            "history": _history(self.loaded, self.query, labels),
            "event_names": names.kinds[0],
            "platform_names": names.kinds[1],
            "items": ids[explanation.items].tolist(),
            "labels": [labels[code] for code in explanation.items.tolist()],
            "against": None if against is None else ids[[against]].tolist()[0],
            "per_player": self.per_player,
            **_figures(explanation),
            **self.more,
        }
        return {**content, "seal": seal(content)}

    def write(self, path: Path) -> None:
        """Writes the document, a line per entry; the file is whole or not there."""
        lines = [
            f"{json.dumps(name)}: {json.dumps(value, ensure_ascii=False, allow_nan=False)}"
            for name, value in self.to_json().items()
        ]
        write_text_atomically(path, "{\n" + ",\n".join(lines) + "\n}\n")


def _run(loaded: LoadedRun) -> dict[str, Any]:
    run = loaded.run
    about = {"id": run.id, "name": run.name, "model": run.config.model, "seed": run.config.seed}
    names = ("artifact_hash", "sha256", "code_version", "split", "machine")
    return about | {name: run.meta[name] for name in names}


def _dataset(names: Labels) -> dict[str, Any]:
    run, info = names.loaded.run, names.info
    about = {"id": run.config.dataset, "name": run.dataset_name}
    return about | ({key: info.meta[key] for key in ("sha256", "files")} if info else {})


@cache
def code_versions() -> dict[str, str]:
    """The versions of what computes: Recscope's data and models, core.explain, and its tools."""
    return {
        "recscope": code_version(),
        "explain": explanations_digest(),
        "numpy": np.__version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def _user(user: object, hashed: bool) -> dict[str, Any] | None:
    if user is None:
        return None
    sha256 = hashlib.sha256(str(user).encode()).hexdigest()
    return {"sha256": sha256} if hashed else {"id": str(user), "sha256": sha256}


def _history(loaded: LoadedRun, query: Queries, labels: Mapping[int, str]) -> dict[str, Any]:
    """The columns of the history, oldest event first; codes of events and platforms."""
    return {
        "item_id": loaded.items.decode(query.items).tolist(),
        "label": [labels[code] for code in query.items.tolist()],
        "weight": query.weights.tolist(),
        **{name: _plain(getattr(query, field)) for name, field in COLUMNS.items()},
        "now": _plain(query.now),
    }


def _plain(array: Array | None) -> list[Any] | None:
    """As JSON knows it: null where a value is missing."""
    if array is None:
        return None
    return [None if isinstance(x, float) and not np.isfinite(x) else x for x in array.tolist()]


def _figures(explanation: Explanation) -> dict[str, Any]:
    """What came out: a list per item, in it a number per player."""
    return {
        "players": explanation.players.tolist(),
        "seed": explanation.seed,
        "method": explanation.method,
        "evaluations": explanation.evaluations,
        "scores": explanation.scores.tolist(),
        "base": explanation.base.tolist(),
        "values": explanation.values.T.tolist(),
        "se": [_plain(row) for row in explanation.se.T],
        "gap": explanation.gap.tolist(),
        "stability": explanation.stability.tolist(),
        "confidence": list(explanation.confidence),
        "components": list(explanation.components),
        "parts": explanation.by_component.transpose(1, 2, 0).tolist()
        if explanation.components
        else [],
    }


def seal(content: Mapping[str, Any]) -> str:
    """The sha256 of what the document says, however it is laid out."""
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
