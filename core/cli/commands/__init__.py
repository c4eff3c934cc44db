"""What each command does: its options → what --json prints, and what people read instead.

The options are declared in core/cli.py; the work is done by what stands below.
"""

from core.cli.commands.embed import embed, neighbours
from core.cli.commands.evaluate import compare, evaluate
from core.cli.commands.explain import explain
from core.cli.commands.ingest import ingest
from core.cli.commands.list_all import datasets, models, runs
from core.cli.commands.recommend import recommend
from core.cli.commands.serve import demo, doctor, serve
from core.cli.commands.train import train
from core.cli.commands.tune import tune

__all__ = [
    "compare",
    "datasets",
    "demo",
    "doctor",
    "embed",
    "evaluate",
    "explain",
    "ingest",
    "models",
    "neighbours",
    "recommend",
    "runs",
    "serve",
    "train",
    "tune",
]
