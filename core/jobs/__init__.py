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
from core.jobs.progress import (
    Report,
    active,
    best_epoch,
    epochs,
    log,
    status,
    statuses,
    unreadable_jobs,
)
from core.jobs.stopped import Stop, stopped_by_signals
from core.jobs.stored import RUN, SEARCH, UNFINISHED, Status, folder_of, read_spec
from core.jobs.training import asked_for, resume, start_training, train_inline

__all__ = [
    "RUN",
    "SEARCH",
    "UNFINISHED",
    "Report",
    "Status",
    "Stop",
    "active",
    "adopt",
    "asked_for",
    "best_epoch",
    "cancel",
    "epochs",
    "folder_of",
    "log",
    "read_spec",
    "reset_folder",
    "resume",
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
