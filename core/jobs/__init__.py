"""A job: a process of its own that survives the page, waits its turn, can be stopped.

It is a training, or a search for settings (tune/). How a job is doing: progress.py.
"""

from core.jobs.process import (
    adopt,
    cancel,
    reset_folder,
    run_inline,
    start_child,
    starting,
)
from core.jobs.progress import Report, active, epochs, log, status, statuses, unreadable_jobs
from core.jobs.stopped import Stop, stopped_by_signals
from core.jobs.stored import RUN, SEARCH, Status, folder_of, read_spec
from core.jobs.training import asked_for, start_training, train_inline

__all__ = [
    "RUN",
    "SEARCH",
    "Report",
    "Status",
    "Stop",
    "active",
    "adopt",
    "asked_for",
    "cancel",
    "epochs",
    "folder_of",
    "log",
    "read_spec",
    "reset_folder",
    "run_inline",
    "start_child",
    "start_training",
    "starting",
    "status",
    "statuses",
    "stopped_by_signals",
    "train_inline",
    "unreadable_jobs",
]
