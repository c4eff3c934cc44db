"""A report in the words of one language, as one HTML file that asks nothing of any network."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from core.data.durable import write_text_atomically
from core.report import charts, tables
from core.report.commands import commands
from core.report.contents import Report
from core.report.sentences import Sentences
from core.report.words import Words, day, literal
from core.text.visible import visible

_HERE = Path(__file__).resolve().parent / "page"


def render(report: Report, language: str = "en") -> str:
    """The whole file; whatever comes from the log stands in it as text, literally.

    Args:
        report: What it says.
        language: One of core.text.LANGUAGES.
    """
    words = Words(language)
    style = (_HERE / "report.css").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return (
        _environment()
        .get_template("report.html")
        .render(
            report=report,
            t=words,
            say=Sentences(words, report),
            charts=charts,
            tables=tables,
            commands=commands(report, language),
            day=day,
            style=Markup(style),  # ours, and hashed as it stands
            style_hash=digest,
        )
    )


def write(report: Report, path: Path, language: str = "en") -> int:
    """Writes the file, whole or not at all; returns its bytes.

    Raises:
        BadInput: there is no room for it, or it may not be written.
    """
    page = render(report, language)
    write_text_atomically(path, page)
    return len(page.encode())


@cache
def _environment() -> Environment:
    """Escapes whatever is no Markup, and makes visible what a browser would not show."""
    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    environment.filters["literal"] = literal
    return environment


def _shown(value: Any) -> Any:
    return visible(value) if type(value) is str else value
