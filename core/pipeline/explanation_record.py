"""The record of an explanation, with all that it takes to make it again: document and file."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from core.data.durable import utc_now, write_text_atomically
from core.pipeline.labels import Labels
from core.pipeline.loaded_run import LoadedRun
from core.runs.identity import code_version, explanations_digest
from core.types import PAD, Array, Queries

if TYPE_CHECKING:
    from core.explain import Explanation

FORMAT, VERSION = "recscope explanation", 1
COLUMNS = {"time": "times", "value": "values", "event": "events", "platform": "platforms"}


def explanation_document(
    loaded: LoadedRun,
    query: Queries,
    found: Explanation,
    *,
    per_player: int | None = None,
    user: object = None,
    hash_user: bool = False,
    more: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """All that it takes to make the explanation of this one history again, as JSON.

    Args:
        loaded: The run.
        query: The history that was explained; it goes into the document.
        found: What came out.
        per_player: What `explain` was given, if anything.
        user: Whose history it is; None for nobody's.
        hash_user: Leave the user's id out; its sha256 stays, from which a short id can be guessed.
        more: What else is to be kept, by names of its own; under the seal like the rest.

    Returns:
        The document with its seal: the sha256 of all else in it.
    """
    from core.explain.attribution import PER_PLAYER

    names = Labels(loaded)
    labels = names.labels(np.concatenate([query.items, found.items]).astype(np.int64))
    content = {
        "format": FORMAT,
        "format_version": VERSION,
        "created": utc_now(),
        "replay": "recscope explain --replay FILE",
        "run": _run(loaded),
        "dataset": _dataset(names),
        "code": code_versions(),
        "device": device_of(loaded),
        "user": _user(user, hash_user),
        "history": _history(loaded, query, labels),
        "event_names": names.kinds[0],
        "platform_names": names.kinds[1],
        "items": loaded.items.decode(found.items).tolist(),
        "labels": [labels[code] for code in found.items.tolist()],
        "against": None if found.against is None else loaded.items.ids[[found.against]].tolist()[0],
        "per_player": PER_PLAYER if per_player is None else per_player,
        **_figures(found),
        **(more or {}),
    }
    return {**content, "seal": seal(content)}


def export(path: Path, document: Mapping[str, Any]) -> None:
    """Writes the document, a line per entry; the file is whole or not there."""
    lines = [
        f"{json.dumps(name)}: {json.dumps(value, ensure_ascii=False, allow_nan=False)}"
        for name, value in document.items()
    ]
    write_text_atomically(path, "{\n" + ",\n".join(lines) + "\n}\n")


def _run(loaded: LoadedRun) -> dict[str, Any]:
    run = loaded.run
    kept = ("artifact_hash", "sha256", "code_version", "split", "machine")
    about = {"id": run.id, "name": run.name, "model": run.config.model, "seed": run.config.seed}
    return about | {key: run.meta[key] for key in kept}


def _dataset(names: Labels) -> dict[str, Any]:
    run, info = names.loaded.run, names.info
    about = {"id": run.config.dataset, "name": run.dataset_name}
    return about | ({key: info.meta[key] for key in ("sha256", "files")} if info else {})


@cache
def code_versions() -> dict[str, str]:
    """The versions of what computes: Recscope's data and models, core.explain, and its tools."""
    import torch

    return {
        "recscope": code_version(),
        "explain": explanations_digest(),
        "numpy": np.__version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def device_of(loaded: LoadedRun) -> str:
    """Where the run's model computes: "cpu" or "cuda"."""
    import torch

    empty = Queries(
        np.array([PAD]), np.zeros(2, np.int64), np.zeros(0, np.int64), np.zeros(0, "f4")
    )
    with torch.no_grad():
        return str(loaded.model.score(empty).device.type)


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


def _figures(found: Explanation) -> dict[str, Any]:
    """What came out: a list per item, in it a number per player."""
    return {
        "players": found.players.tolist(),
        "seed": found.seed,
        "method": found.method,
        "evaluations": found.evaluations,
        "scores": found.scores.tolist(),
        "base": found.base.tolist(),
        "values": found.values.T.tolist(),
        "se": [_plain(row) for row in found.se.T],
        "gap": found.gap.tolist(),
        "stability": found.stability.tolist(),
        "confidence": list(found.confidence),
        "components": list(found.components),
        "parts": found.parts.transpose(1, 2, 0).tolist() if found.components else [],
    }


def seal(content: Mapping[str, Any]) -> str:
    """The sha256 of what the document says, however it is laid out."""
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
