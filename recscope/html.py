"""What a notebook shows of an object. All that comes from data is text, never markup or a link.

Nothing is fetched: no script, no style sheet, no picture. The classes keep MathJax away from names
with dollar signs in them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

_LITERAL = "tex2jax_ignore mathjax_ignore"
_CELL = "text-align:left;padding:2px 8px;overflow-wrap:anywhere;max-width:32em"
_TRACK = "display:inline-block;width:12em;vertical-align:middle"
BLUE, ORANGE = "#2f86bf", "#d55e00"  # for and against; apart also without one kind of cone


def text(value: object) -> str:
    """The value as HTML that shows it literally.

    >>> text("<b>Tea</b> & cup")
    '&lt;b&gt;Tea&lt;/b&gt; &amp; cup'
    """
    return escape(number(value) if isinstance(value, float) else str(value))


def number(value: float) -> str:
    """Four digits that matter."""
    return f"{value:.4g}"


def panel(title: str, *blocks: str) -> str:
    """A titled block; the title is text, the blocks are HTML."""
    return f'<div class="{_LITERAL}"><b>{text(title)}</b>{"".join(blocks)}</div>'


def paragraph(sentence: str) -> str:
    """One sentence, as text."""
    return f'<div style="overflow-wrap:anywhere">{text(sentence)}</div>'


def facts(pairs: Mapping[str, object]) -> str:
    """Name and value, a row each."""
    rows = "".join(
        f'<tr><th style="{_CELL}">{text(name)}</th><td style="{_CELL}">{text(value)}</td></tr>'
        for name, value in pairs.items()
    )
    return f"<table>{rows}</table>"


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table; a cell is shown as text unless it is a `Bar`."""
    head = "".join(f'<th style="{_CELL}">{text(column)}</th>' for column in columns)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(value: object) -> str:
    shown = value.html() if isinstance(value, Bar) else text("" if value is None else value)
    return f'<td style="{_CELL}">{shown}</td>'


class Bar:
    """A value as a bar beside others: to the right what speaks for, to the left what against."""

    def __init__(self, value: float, longest: float) -> None:
        self.value, self.share = value, abs(value) / longest if longest else 0.0

    def html(self) -> str:
        """The bar, and beside it the value."""
        width = f"{50 * self.share:.1f}%"
        side, colour = ("left:50%", BLUE) if self.value >= 0 else ("right:50%", ORANGE)
        style = f"position:absolute;{side};width:{width};height:100%;background:{colour}"
        track = f"{_TRACK};position:relative;height:0.8em;border-left:0"
        return f'<span style="{track}"><span style="{style}"></span></span> {self.value:+.4g}'
