"""Attributes, texts and images → numbers."""
