"""Why this item: values of events, of components, of attributes; what would change it."""

from core.explain.attribution import explain, refine
from core.explain.explanation import Explanation
from core.explain.shap_explainers import explain_with_shap

__all__ = ["Explanation", "explain", "explain_with_shap", "refine"]
