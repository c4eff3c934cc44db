"""Scores → lists: the k best, re-ranked if asked, as a file."""
