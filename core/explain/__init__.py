"""Why this item: values of events, of components, of attributes; what would change it."""

from core.explain.attribution import explain, refine
from core.explain.explanation import Explanation

__all__ = ["Explanation", "explain", "refine"]
