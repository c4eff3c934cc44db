"""The only place where the stages are wired together: load → split → fit → save, and back."""

from core.pipeline.described import with_described
from core.pipeline.embedding import Embedding, align_map, embedding, vectors_of
from core.pipeline.embedding_report import EmbeddingReport
from core.pipeline.epochs import continue_map, drift_of, vectors_after
from core.pipeline.evaluation import compare, evaluate
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
