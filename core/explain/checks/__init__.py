"""Whether explanations are better than simpler ones."""
