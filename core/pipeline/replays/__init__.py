"""Explanations that were exported: sealed, read strictly, computed again, compared."""
