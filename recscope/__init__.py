"""Recscope for notebooks and scripts: what a page does, a cell does, in the same workspace.

    import recscope
    ws   = recscope.open("~/work")            # the default workspace if nothing is given
    data = ws.ingest("log.csv", items="items.csv")      # a DataFrame too
    run  = ws.train(data, "auto", minutes=4)            # progress in the cell
    run.evaluate()                                       # a table with intervals
    run.recommend(["u1", "u2"], k=10)                    # a DataFrame
    why  = run.explain("u1", item="i7")                  # HTML in a notebook, .to_frame(), .to_shap(), .plot()
    run.map()                                            # a figure

Tables come in as files or DataFrames and go out as DataFrames. A run that is trained here is the
run that the pages and the command line show, and the other way round. What goes wrong because of
what was given raises a `RecscopeError` with one sentence: what is wrong, the value, what would be
right.

    RecscopeError         anything that is not a bug
    ├── BadInput          a mistake in what was given
    │   ├── NotFound      a dataset, run, user, item or file that is not there
    │   └── TooLarge      it does not fit into memory here
    ├── Corrupt           a stored file is not what was written
    └── Cancelled         the kernel was interrupted while a model was being trained
"""  # noqa: E501  the five lines stand as they do in the documents

from __future__ import annotations

import os
from importlib import metadata

from core.data.store import Workspace as _Folders
from core.errors import BadInput, Cancelled, Corrupt, NotFound, TooLarge
from core.errors import CoreError as RecscopeError
from recscope.answers import Counterfactual, Faithfulness, Overview, WhatIf, WhyNot
from recscope.dataset import Dataset
from recscope.explanation import Explanation
from recscope.requests import brief
from recscope.run import Run
from recscope.workspace import Workspace

__all__ = [
    "BadInput",
    "Cancelled",
    "Corrupt",
    "Counterfactual",
    "Dataset",
    "Explanation",
    "Faithfulness",
    "NotFound",
    "Overview",
    "RecscopeError",
    "Run",
    "TooLarge",
    "WhatIf",
    "WhyNot",
    "Workspace",
    "open",
]

try:
    __version__ = metadata.version("recscope")
except metadata.PackageNotFoundError:  # a checkout on the path, not installed
    __version__ = "0"


def open(path: str | os.PathLike[str] | None = None, *, progress: bool = True) -> Workspace:
    """The workspace in this folder, made if it is not there.

    Args:
        path: Where; `~` is the home folder. If not given, the folder that the environment variable
            RECSCOPE_HOME names, else the one that the pages and the command line use by default.
        progress: Show how far ingesting, training and evaluating are: a line that is updated in
            place in a notebook's cell and in a terminal, a line for each stage in a log.

    Raises:
        BadInput: the folder cannot be made.

    >>> recscope.open(folder, progress=False)
    <recscope workspace: 1 dataset, 2 runs>
    """
    if not isinstance(path, str | os.PathLike | None):
        raise BadInput(f"a workspace is a folder, given by its path, not {brief(path)}")
    return Workspace(_Folders.open(None if path is None else os.fspath(path)), progress=progress)
