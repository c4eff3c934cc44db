"""The map of points, and all that belongs to it alone."""
