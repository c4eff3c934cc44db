"""A report as a file: a page or a notebook, by the ending of its name."""

from __future__ import annotations

from pathlib import Path

from core.data.store import Workspace
from core.errors import BadInput
from core.recommend import export
from core.report import html, notebook
from core.report.contents import Report
from core.text import LANGUAGES

FORMATS = (".html", ".ipynb")


def check(path: Path, language: str = "en") -> None:
    """Raises BadInput unless such a file can be written; asked before the work is done."""
    export.check(path, FORMATS)
    if language not in LANGUAGES:
        raise BadInput(f"there is no language {language!r}: choose {' or '.join(LANGUAGES)}")


def write(workspace: Workspace, report: Report, path: Path, language: str = "en") -> int:
    """Writes the file, whole or not at all; returns its bytes.

    Raises:
        BadInput: there is no room for it, or it may not be written.
    """
    if path.suffix.lower() == ".ipynb":
        return notebook.write(workspace, report, path, language)
    return html.write(report, path, language)
