"""The parts of the page with a person's own SQL."""
