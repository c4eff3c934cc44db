"""What a model is worth: all items ranked, every metric with its interval, slices, comparisons."""

from core.evaluate.evaluation import METRICS, Evaluation, evaluate

__all__ = ["METRICS", "Evaluation", "evaluate"]
