"""Recscope's core: a log of who did what → models → scores → what they are worth. It knows no UI.

A model is a function from queries to a (B, n_items) score matrix; everything else either feeds it
or reads it. The data goes one way:

    files → ingest → Dataset → split → fit → Run → score → recommend → evaluate → page
"""

import os

# Where others use the processors too, two threads of OpenMP that spin while they wait for each
# other hold up what they wait for: a map that takes .6 s takes 27 s then, and 3.3 s with this.
# On an idle machine it costs nothing. Read by libgomp when torch is first imported.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent  # where core, dashboard and sample_data lie
DEVICES = ("auto", "cpu", "cuda")  # where a model may compute; auto: on a GPU where there is one
