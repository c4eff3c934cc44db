"""Which settings of a model rank held-out validation events best? Test events are never looked at.

A search is a job like a training (jobs/). It lies in `searches/<id>/` of the workspace, goes on
where it was when it is started again, and ends with a run of the best settings.
"""

from core.tune.search import (
    Search,
    finished_searches,
    plan_search,
    prepare_search,
    start_search,
    unreadable_results,
)
from core.tune.space import INSTEAD, SPACES

__all__ = [
    "INSTEAD",
    "SPACES",
    "Search",
    "finished_searches",
    "plan_search",
    "prepare_search",
    "start_search",
    "unreadable_results",
]
