"""The only place where the stages are wired together: load → split → fit → save, and back.

A module here is imported when one of its names is first asked for: a training need not await what
maps and explanations load.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # what mypy sees; the table below is what happens, a test holds both together
    from core.pipeline.comparing import by_person, compare
    from core.pipeline.described import with_described
    from core.pipeline.embedding_report import EmbeddingReport
    from core.pipeline.epochs import continue_map, drift_of, vectors_after
    from core.pipeline.evaluation import evaluate
    from core.pipeline.explanations.as_json import (
        ItemExplanation,
        describe_explanation,
        item_interactions,
        item_part_values,
    )
    from core.pipeline.explanations.counterfactuals import (
        ItemCounterfactual,
        ItemWhyNot,
        counterfactual,
        is_listed,
        why_not,
    )
    from core.pipeline.explanations.explaining import (
        explain_items,
        history_of,
        item_codes,
        items_to_explain,
        ranked_items,
    )
    from core.pipeline.explanations.faithfulness import faithfulness
    from core.pipeline.explanations.origin import ReasonOrigins, reason_origins, strongest_cause
    from core.pipeline.explanations.surveying import RunOverview, run_overview
    from core.pipeline.explanations.what_if import WhatIf, what_if
    from core.pipeline.item_neighbours import ItemNeighbours, Neighbour, Neighbourhood, neighbours
    from core.pipeline.loaded_run import (
        LoadedRun,
        load_run,
        queries_for,
        recommend,
        recommendation_table,
        recommendations,
    )
    from core.pipeline.replays.document import ExplanationDocument
    from core.pipeline.replays.replay import Replay, replay
    from core.pipeline.run_embedding import Embedding, align_map, embedding, vectors_of
    from core.pipeline.training import features_of, finished_run, fit, split_as, train
    from core.pipeline.vector_arithmetic import CombinedItems, combined_neighbours

__all__ = [
    "CombinedItems",
    "Embedding",
    "EmbeddingReport",
    "ExplanationDocument",
    "ItemCounterfactual",
    "ItemExplanation",
    "ItemNeighbours",
    "ItemWhyNot",
    "LoadedRun",
    "Neighbour",
    "Neighbourhood",
    "ReasonOrigins",
    "Replay",
    "RunOverview",
    "WhatIf",
    "align_map",
    "by_person",
    "combined_neighbours",
    "compare",
    "continue_map",
    "counterfactual",
    "describe_explanation",
    "drift_of",
    "embedding",
    "evaluate",
    "explain_items",
    "faithfulness",
    "features_of",
    "finished_run",
    "fit",
    "history_of",
    "is_listed",
    "item_codes",
    "item_interactions",
    "item_part_values",
    "items_to_explain",
    "load_run",
    "neighbours",
    "queries_for",
    "ranked_items",
    "reason_origins",
    "recommend",
    "recommendation_table",
    "recommendations",
    "replay",
    "run_overview",
    "split_as",
    "strongest_cause",
    "train",
    "vectors_after",
    "vectors_of",
    "what_if",
    "why_not",
    "with_described",
]

_NAMES = {  # module → what it serves
    "comparing": (
        "by_person",
        "compare",
    ),
    "described": ("with_described",),
    "run_embedding": (
        "Embedding",
        "align_map",
        "embedding",
        "vectors_of",
    ),
    "embedding_report": ("EmbeddingReport",),
    "epochs": (
        "continue_map",
        "drift_of",
        "vectors_after",
    ),
    "evaluation": ("evaluate",),
    "explanations.as_json": (
        "ItemExplanation",
        "describe_explanation",
        "item_interactions",
        "item_part_values",
    ),
    "explanations.counterfactuals": (
        "ItemCounterfactual",
        "ItemWhyNot",
        "counterfactual",
        "is_listed",
        "why_not",
    ),
    "explanations.explaining": (
        "explain_items",
        "history_of",
        "item_codes",
        "items_to_explain",
        "ranked_items",
    ),
    "explanations.faithfulness": ("faithfulness",),
    "explanations.origin": (
        "ReasonOrigins",
        "reason_origins",
        "strongest_cause",
    ),
    "explanations.surveying": (
        "RunOverview",
        "run_overview",
    ),
    "explanations.what_if": (
        "WhatIf",
        "what_if",
    ),
    "item_neighbours": (
        "ItemNeighbours",
        "Neighbour",
        "Neighbourhood",
        "neighbours",
    ),
    "loaded_run": (
        "LoadedRun",
        "load_run",
        "queries_for",
        "recommend",
        "recommendation_table",
        "recommendations",
    ),
    "replays.document": ("ExplanationDocument",),
    "replays.replay": (
        "Replay",
        "replay",
    ),
    "training": (
        "features_of",
        "finished_run",
        "fit",
        "split_as",
        "train",
    ),
    "vector_arithmetic": (
        "CombinedItems",
        "combined_neighbours",
    ),
}
_MODULES = {name: module for module, names in _NAMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
