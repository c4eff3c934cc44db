"""A job: a process of its own that survives the page, waits its turn, can be stopped.

It is a training, or a search for settings (tune/). How a job is doing: progress.py.
"""

from core.jobs.process import (
    cancel,
    emptied,
    here,
    resumed,
    start_child,
    stopped_by_ctrl_c,
)
from core.jobs.progress import RUN, SEARCH, Report, Status, active, epochs, log, status, statuses
from core.jobs.training import start, working

__all__ = [
    "RUN",
    "SEARCH",
    "Report",
    "Status",
    "active",
    "cancel",
    "emptied",
    "epochs",
    "here",
    "log",
    "resumed",
    "start",
    "start_child",
    "status",
    "statuses",
    "stopped_by_ctrl_c",
    "working",
]
