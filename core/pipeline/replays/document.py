"""The record of an explanation, with all that it takes to make it again: document and file."""

from __future__ import annotations

import hashlib
import json
import platform
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from core.data.durable import utc_now, write_text_atomically
from core.explain import Explanation
from core.explain.attribution import PER_PLAYER
from core.explain.counterfactual import Counterfactual
from core.pipeline.labels import Labels
from core.pipeline.loaded_run import LoadedRun
from core.pipeline.replays.limits import check_bytes, check_counts
from core.pipeline.replays.seal import Seal, canonical, key_to_seal_with, remember_sealing
from core.runs.identity import code_version, explanations_digest
from core.types import Array, Queries

FORMAT, VERSION = "recscope explanation", 2
COLUMNS = {"time": "times", "value": "values", "event": "events", "platform": "platforms"}
DATASET, GIVEN = "dataset", "given"  # where a history is from


@dataclass(frozen=True, eq=False)
class ExplanationDocument:
    """All that it takes to make the explanation of one history again."""

    loaded: LoadedRun
    query: Queries  # the history that was explained; it goes into the document
    explanation: Explanation
    per_player: int = PER_PLAYER  # what `explain` was given
    user: object = None  # whose history it is; None for nobody's
    given: bool = False  # the history was handed in: not what the dataset says of the user
    hash_user: bool = False  # leave the id out; its sha256 stays, which tells a short id
    counterfactual: Counterfactual | None = None  # of one of the items explained

    def sealed(self) -> tuple[dict[str, Any], Seal]:
        """What the document says, and its seal: by the workspace's key, a checksum without one.

        Raises:
            TooLarge: it could not be replayed.
            Corrupt: the workspace's key is none.
        """
        explanation = self.explanation
        check_counts(
            events=len(self.query.items),
            players=len(explanation.values),
            items=len(explanation.items),
            per_player=self.per_player,
            drawn=not explanation.exact,
        )
        content, key = self.content(Labels(self.loaded)), key_to_seal_with(self.loaded.workspace)
        if key is not None:
            remember_sealing(self.loaded.run, key)
        return content, Seal.of(canonical(content), key)

    def content(self, names: Labels) -> dict[str, Any]:
        """All of the document but its seal.

        Args:
            names: What the items are called, and the kinds of events and platforms.
        """
        explanation = self.explanation
        ids, labels = self.loaded.items.ids, names.labels(explanation.items)
        against, found = explanation.against, self.counterfactual
        source = GIVEN if self.user is None or self.given else DATASET
        return {
            "format": FORMAT,
            "format_version": VERSION,
            "created": utc_now(),
            "replay": "recscope explain --replay FILE",
            "run": _run(self.loaded),
            "dataset": _dataset(names),
            "code": code_versions(),
            "device": self.loaded.model.device,
            "user": user_entry(self.user, hashed=self.hash_user),
            "history": history_entry(names, self.query, source),
            "event_names": names.kinds[0],
            "platform_names": names.kinds[1],
            "items": ids[explanation.items].tolist(),
            "labels": [labels[code] for code in explanation.items.tolist()],
            "against": None if against is None else ids[[against]].tolist()[0],
            **({"described": new} if (new := self.loaded.described.tolist()) else {}),
            "quantity": explanation.quantity,
            "per_player": self.per_player,
            **_figures(explanation),
            **({} if found is None else {"counterfactual": _named(found, ids)}),
        }

    def text(self) -> str:
        """The document as its file has it, a line per entry; see `sealed` for what it raises."""
        return _laid_out(*self.sealed())

    def write(self, path: Path) -> Seal:
        """Writes the document, whole or not at all; see `sealed` for what it raises."""
        content, seal = self.sealed()
        write_text_atomically(path, _laid_out(content, seal))
        return seal


def _laid_out(content: dict[str, Any], seal: Seal) -> str:
    lines = [
        f"{json.dumps(name)}: {json.dumps(value, ensure_ascii=False, allow_nan=False)}"
        for name, value in {**content, "seal": seal.to_json()}.items()
    ]
    text = "{\n" + ",\n".join(lines) + "\n}\n"
    check_bytes("this explanation", len(text.encode()))
    return text


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
        "torch": str(torch.__version__),
        "python": platform.python_version(),
    }


def user_entry(user: object, *, hashed: bool) -> dict[str, Any] | None:
    """Who it was; without the id, if hashed."""
    if user is None:
        return None
    sha256 = user_hash(user)
    return {"sha256": sha256} if hashed else {"id": str(user), "sha256": sha256}


def user_hash(user: object) -> str:
    """The sha256 of an id, in hex."""
    return hashlib.sha256(str(user).encode("utf-8", "surrogatepass")).hexdigest()


def history_entry(names: Labels, query: Queries, source: str) -> dict[str, Any]:
    """The columns of the history, oldest event first; codes of events and platforms."""
    labels = names.labels(query.items)
    return {
        "source": source,
        "item_id": names.loaded.items.decode(query.items).tolist(),
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
        "raw_scores": explanation.raw_scores.tolist(),
        "raw_base": explanation.raw_base.tolist(),
        "values": explanation.values.T.tolist(),
        "se": [_plain(row) for row in explanation.se.T],
        "gap": explanation.gap.tolist(),
        "stability": explanation.stability.tolist(),
        "confidence": [str(each.level) for each in explanation.confidence],
        "confidence_reason": [str(each.reason) for each in explanation.confidence],
        "components": list(explanation.components),
        "parts": explanation.by_component.transpose(1, 2, 0).tolist()
        if explanation.components
        else [],
    }


def _named(found: Counterfactual, ids: Array) -> dict[str, Any]:
    """A counterfactual with ids in place of codes."""
    codes = {"item": found.item, "replaced_by": found.replaced_by, "below": found.below}
    named = {
        name: None if code is None else ids[[code]].tolist()[0] for name, code in codes.items()
    }
    return {**found.to_json(), "removed": list(found.removed), **named}
