"""Runs of one dataset → one file to hand on: what they are worth, for whom, why, and how far."""
