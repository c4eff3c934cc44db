"""Recscope's core: a log of who did what → models → scores → what they are worth. It knows no UI.

A model is a function from queries to a (B, n_items) score matrix; everything else either feeds it
or reads it. The data goes one way:

    files → ingest → Dataset → split → fit → Run → score → recommend → evaluate → page
"""
