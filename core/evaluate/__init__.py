"""What a model is worth: all items ranked, every metric with its interval, slices, comparisons."""

from core.evaluate.comparison import Comparison, compare
from core.evaluate.evaluation import Evaluation, evaluate
from core.evaluate.registry import METRICS
from core.evaluate.slicing import slices
from core.types import Slice

__all__ = ["METRICS", "Comparison", "Evaluation", "Slice", "compare", "evaluate", "slices"]
