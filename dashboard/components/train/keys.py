"""The keys of the widgets of a form that may begin with the settings of another run."""

from __future__ import annotations

from core.runs.artifact import Run


def keyed(name: str, cloned: Run | None) -> str:
    """The key of a widget: with settings of another run it is another widget, which begins anew."""
    return name if cloned is None else f"{name}_{cloned.id}"
