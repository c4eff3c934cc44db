"""The only place where the stages are wired together: load → split → fit → save, and back."""

from core.pipeline.embedding import Near, embedding, laid_on, neighbours, vectors_of
from core.pipeline.epochs import drift_of, laid_out_from, vectors_after
from core.pipeline.evaluation import compare, evaluate
from core.pipeline.explaining import codes_of, explained, history_of, places
from core.pipeline.explanation_json import attributes, told
from core.pipeline.explanation_record import document, export
from core.pipeline.loaded_run import Ready, ready, recommend, recommendations, whom
from core.pipeline.replay import replay
from core.pipeline.training import OnStage, features_of, fit, stored, train
from core.pipeline.vector_arithmetic import toward

__all__ = [
    "Near",
    "OnStage",
    "Ready",
    "attributes",
    "codes_of",
    "compare",
    "document",
    "drift_of",
    "embedding",
    "evaluate",
    "explained",
    "export",
    "features_of",
    "fit",
    "history_of",
    "laid_on",
    "laid_out_from",
    "neighbours",
    "places",
    "ready",
    "recommend",
    "recommendations",
    "replay",
    "stored",
    "told",
    "toward",
    "train",
    "vectors_after",
    "vectors_of",
    "whom",
]
