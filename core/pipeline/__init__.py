"""The only place where the stages are wired together: load → split → fit → save, and back."""

from core.pipeline.answers import Ready, ready, recommend, recommendations, whom
from core.pipeline.judgement import compare, evaluate
from core.pipeline.training import OnStage, features_of, fit, stored, train

__all__ = [
    "OnStage",
    "Ready",
    "compare",
    "evaluate",
    "features_of",
    "fit",
    "ready",
    "recommend",
    "recommendations",
    "stored",
    "train",
    "whom",
]
