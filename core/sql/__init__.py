"""A person's own SQL: one statement, answered in a sandbox, on a dataset and on what a run made.

A statement is answered by a process of its own (core.sql.sandbox, core.sql.child), which has no
files, no network, no settings to change, and limits on time, memory and the size of its answer.
"""
