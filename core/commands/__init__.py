"""What each command does: its options → what --json prints, and what people read instead.

The options are declared in core/cli.py; the work is done by what stands below.
"""

from core.commands.answers import recommend
from core.commands.embedding import embed, neighbours
from core.commands.explaining import explain
from core.commands.ingesting import ingest
from core.commands.judgement import compare, evaluate
from core.commands.listing import datasets, models, runs
from core.commands.serving import demo, doctor, serve
from core.commands.training import train
from core.commands.tuning import tune

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
