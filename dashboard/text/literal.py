"""Text that a page shows: ours may be Markdown, somebody else's is shown literally.

A `Text` is Markdown of ours in which every value from outside is escaped already; any other string
is somebody's and is escaped where it meets one. Whatever a browser would not show is made visible:
a control as its picture (␀ … ␟, ␡), a blank at an end or after another as ␣, and what has no
picture, such as a mark that turns the direction, as ⟦U+202E⟧.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from html import escape
from numbers import Number
from typing import Any

from core.text.visible import seen, visible

# An empty piece of Streamlit's Markdown. It parts a text in two, since Streamlit looks for links,
# icons and arrows in whole texts, after it has taken the backslashes away.
_PART = ":small[]"
_PARTED = re.compile(
    r"(?<=http)(?=s?://)|(?<=www)(?=\.)|(?<=[-.\w+])(?=@[-\w]+\.)"  # addresses
    r"|(?<=:)(?=material[_/]|[\w+\-]+:)|(?<=[-<>~])(?=[-=>])",  # icons, emoji, arrows
    re.IGNORECASE,
)
# What means something anywhere, or at the beginning of a line.
_MARKUP = re.compile(
    r"([\\`*\[\]<>{}&$~|#]|(?<![^\W_])_|_(?![^\W_])|:(?=[\w+\-\[{\0])|^[-+](?=[-\s]|$))"
)
_NUMBERED = re.compile(r"^(\d+)([.)])(?=\s|$)")


class Text(str):
    """Markdown that is safe to show; `plain` and `html` say the same where those are shown.

    In an f-string it gives `plain`: what comes out is a string like any other.
    """

    plain: str
    html: str

    def __new__(cls, markdown: str = "", plain: str | None = None, html: str | None = None) -> Text:
        self = super().__new__(cls, markdown)
        self.plain = markdown if plain is None else plain
        self.html = escape(self.plain, quote=False) if html is None else html
        return self

    def __add__(self, other: str) -> Text:
        more = other if isinstance(other, Text) else _literal(seen(other))  # with its blanks
        return Text(str.__add__(self, str(more)), self.plain + more.plain, self.html + more.html)

    def __radd__(self, other: str) -> Text:
        return _literal(seen(other)) + self

    def __format__(self, spec: str) -> str:
        return format(self.plain, spec)

    def join(self, parts: Iterable[str]) -> Text:
        texts = [literal(part) for part in parts]
        return Text(
            str.join(str(self), map(str, texts)),
            self.plain.join(text.plain for text in texts),
            self.html.join(text.html for text in texts),
        )


def literal(value: object) -> Text:
    r"""Somebody's text as Markdown that shows it as it is; a Text stays what it is.

    >>> str(literal("<b>Tea</b> *"))
    '\\<b\\>Tea\\</b\\> \\*'
    """
    if isinstance(value, Text):
        return value
    return _literal(visible(str(value)))


def _literal(shown: str) -> Text:
    escaped = _MARKUP.sub(r"\\\1", _PARTED.sub("\0", shown))
    return Text(_NUMBERED.sub(r"\1\\\2", escaped).replace("\0", _PART), shown)


def plain(value: object) -> str:
    """The same where nothing is markup: in a cell, an option, an alternative text."""
    return value.plain if isinstance(value, Text) else visible(str(value))


def strong(value: object) -> Text:
    """In bold."""
    said = literal(value)
    return Text(f"**{said!s}**", said.plain, f"<strong>{said.html}</strong>")


def small(value: object) -> Text:
    """In small grey letters."""
    said = literal(value)
    return Text(f":small[:gray[{said!s}]]", said.plain, said.html)


def linked(value: object, address: str) -> Text:
    """As a link within the app; in the address nothing but letters, digits and % may be foreign."""
    said = literal(value)
    return Text(f"[{said!s}]({address})", said.plain, said.html)


def picture(address: str, alt: object = "") -> Text:
    """A picture that this server serves, within a text; without `alt` what it shows is said there.

    In what is written plain it is its `alt`.
    """
    said = literal(alt)
    return Text(f"![{said!s}]({address})", said.plain, said.html)


def fill(template: str, values: Mapping[str, Any]) -> Text:
    """A text of ours with its {places} filled; a value that is no number and no Text is literal."""
    texts = {n: v if isinstance(v, Number) else literal(v) for n, v in values.items()}

    def filled(of: str, form: str) -> str:
        return of.format(**{n: getattr(v, form, v) for n, v in texts.items()})

    markdown = template.format(
        **{n: str(v) if isinstance(v, Text) else v for n, v in texts.items()}
    )
    html = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", escape(template, quote=False))
    bare = re.sub(r"\*\*|`", "", template)
    return Text(markdown, filled(bare, "plain"), filled(html, "html"))
