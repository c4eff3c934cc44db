"""Several items, wanted or wanted less → what is nearest to them together, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from core.pipeline.embedding import Neighbourhood
from core.pipeline.explaining import item_codes
from core.pipeline.labels import Labels
from core.types import Array, Ints

PROFILED, OF = 50, 20  # nearest that are looked at for what stands out; at most every 20th item


def combined_neighbours(
    near: Neighbourhood,
    like: Sequence[object],
    less: Sequence[object] = (),
    *,
    k: int = 10,
    weight: float | None = None,
) -> dict[str, Any]:
    """The items most like some and least like others; see core.embed.toward.

    Args:
        near: What is near the run's items.
        like: Ids.
        less: Ids of what is wanted less.
        k: How many answers.
        weight: Of what is wanted less; core.embed.vector_arithmetic.WEIGHT if not given.

    Returns:
        {run, model, component, recall, like: [{item, label}], less: the same, weight, vectors:
        [{item, label, cosine, parts: [{item, value}]}], profiled, terms: [{name, lift, inside,
        overall}]}. The nearest come first; the values of an answer's parts, one for each of like
        and then of less, add up to its cosine. terms are what the `profiled` nearest (50, but no
        more than every 20th item, and all answers) have more of than the catalogue; see
        core.embed.over_represented. recall is 1 where all vectors are compared.

    Raises:
        NotFound: an id that the run does not know.
        BadInput: the model has no vectors, or as core.embed.toward.
    """
    from core.embed import combined_neighbours as find
    from core.embed.vector_arithmetic import WEIGHT

    loaded, weight = near.loaded, WEIGHT if weight is None else weight
    sides = [list(dict.fromkeys(item_codes(loaded, ids).tolist())) for ids in (like, less)]
    profiled = max(k, min(PROFILED, len(loaded.items) // OF))
    found = find(
        near.search, *sides, k=profiled, weight=weight, called=loaded.items.ids.__getitem__
    )
    named, best = [*sides[0], *sides[1]], found.items[:k].tolist()
    labels = Labels(loaded).labels(np.array([*named, *best]))
    ids = dict(zip(labels, loaded.items.ids[list(labels)].tolist(), strict=True))
    told = {code: {"item": ids[code], "label": label} for code, label in labels.items()}
    answers = [
        {
            **told[code],
            "cosine": float(found.cosines[place]),
            "parts": [
                {"item": ids[item], "value": value}
                for item, value in zip(named, found.parts[place].tolist(), strict=True)
            ],
        }
        for place, code in enumerate(best)
    ]
    return {
        "run": loaded.run.id,
        "model": loaded.run.config.model,
        "component": near.vectors.component,
        "recall": near.search.recall,
        "like": [told[code] for code in sides[0]],
        "less": [told[code] for code in sides[1]],
        "weight": weight,
        "vectors": answers,
        "profiled": len(found.items),
        "terms": _terms(near, found.items),
    }


def _terms(near: Neighbourhood, items: Ints) -> list[dict[str, Any]]:
    """What these have more of than all items."""
    from core.embed import over_represented

    if near.known is None:
        return []
    chosen: Array = np.zeros(len(near.vectors), bool)
    chosen[items] = True
    return [asdict(term) for term in over_represented(chosen, near.known)]
