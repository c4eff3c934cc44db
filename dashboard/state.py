"""What is in the URL (dataset, run, runs, user, item, k, keep, …: NAMES) and nothing else.

A link to a page is therefore a link to what it shows. The URL holds ids, never labels, so that it
means the same in every language.
"""

from __future__ import annotations

import csv
import io
import zlib
from collections import Counter
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from typing import Any

import streamlit as st

from dashboard.text import LANGUAGES, Text, literal, plain, text
from dashboard.text.evidence import evidence as in_language

SUM = ("like", "less", "weight")  # of items, on the map
NAMES = (
    *("dataset", "run", "runs", "baseline", "user", "k", "keep", "rerank", "strength", "metric"),
    *("item", "against", "drop", "add", "move", "colour", "space", "layout"),
    "rules",  # that lists must keep
    *("epoch", "step", "depth"),
    *("tag", "axis", "rival", "clone"),  # of runs that are compared, or trained again
    *SUM,
    *("beside", "beside_space", "beside_layout"),
    *("sql", "param"),  # a statement, and what its own parameters stand for
    "filter",  # of the events that the page of a dataset is about
    "language",
)
BACK, LINK = "back", ":material/link_off:"
LONGEST = 100  # letters of a value that a sentence repeats
EDITS = ("drop", "add", "move")  # of one person's history
OF_DATASET = (
    *("run", "runs", "baseline", "user", "colour", "space", "beside", "beside_space", "filter"),
    *("tag", "rival", "clone", "rules"),
)
OF_USER = ("item", "against", *EDITS)  # means nothing any more with another person


def sync() -> None:
    """Adopts what the URL says, and writes back what a click on another page dropped from it.

    After a step back in the browser's history (browser.js says so) nothing is written back.
    """
    kept = st.session_state.setdefault("url", {})
    if BACK in st.query_params:
        kept.clear()
        del st.query_params[BACK]
    if kept.get("dataset") != st.query_params.get("dataset", kept.get("dataset")):
        for name in (*OF_DATASET, *SUM, *OF_USER):  # a link to another dataset
            kept.pop(name, None)
    for name in NAMES:
        if name in st.query_params:
            kept[name] = st.query_params[name]
        elif name in kept:
            st.query_params[name] = kept[name]


def get(name: str) -> str | None:
    """What the URL says, or None."""
    value: str | None = st.session_state.setdefault("url", {}).get(name)
    return value


def put(name: str, value: str | None) -> None:
    """Writes one value into the URL; None takes it out."""
    st.session_state.pop("amiss", None)
    _write(name, value)


def _write(name: str, value: str | None) -> None:
    kept = st.session_state.setdefault("url", {})
    if value is None:
        kept.pop(name, None)
        st.query_params.pop(name, None)
    else:
        kept[name] = value
        st.query_params[name] = value


def language() -> str:
    """The language of the page: the URL's, else the browser's, else English."""
    asked = get("language") or (st.context.locale or "en")[:2]
    return asked if asked in LANGUAGES else "en"


def t(key: str, **values: Any) -> Text:
    """The text of this key in the language of the page; values are shown literally."""
    return text(language(), key, **values)


def evidence(sentence: str) -> Text:
    """A sentence of the core on a file in the language of the page."""
    return in_language(language(), sentence)


def dark() -> bool:
    """Whether the page is shown on a dark ground."""
    return st.context.theme.type == "dark"


def pick(
    name: str,
    options: Sequence[str],
    label: Callable[[str], str],
    *,
    current: str | None,
    title: str,
    forgets: Sequence[str] = (),
) -> str | None:
    """A select box for one of the URL's values.

    Args:
        name: The URL's parameter.
        options: The values it may take.
        label: What each is called on the page.
        current: The value that holds now.
        title: The label of the box.
        forgets: Parameters that mean nothing any more once this one changes.
    """
    names = apart({option: label(option) for option in options})
    key = f"pick_{name}_{mark(options)}"
    st.session_state[key] = current if current in options else next(iter(options), None)

    def changed() -> None:
        if st.session_state[key] == current:  # the browser echoes what it was told
            return
        put(name, st.session_state[key])
        forget(*forgets)

    chosen: str | None = st.selectbox(
        literal(title),
        options,
        format_func=names.__getitem__,
        key=key,
        on_change=changed,
    )
    return chosen


def mark(names: Iterable[str]) -> str:
    """Eight letters for the key of a widget: with other options it is another widget.

    Else a browser that still holds the old choice would send it for the new options.
    """
    return f"{zlib.crc32(chr(0).join(names).encode()):08x}"


def apart(names: Mapping[str, str]) -> dict[str, str]:
    """What each option is called, with the option itself where others are called the same.

    The browser knows the options of a box by what they are called alone.
    """
    shown = {option: plain(name) for option, name in names.items()}
    times = Counter(shown.values())
    return {o: name if times[name] == 1 else f"{name} · {plain(o)}" for o, name in shown.items()}


def amiss(
    name: str, value: str, key: str = "context.unknown_value", *, left: Iterable[str] = ()
) -> None:
    """Says that a value of the URL means nothing here, and takes it out.

    Args:
        name: The URL's parameter.
        value: What of it means nothing.
        key: The sentence.
        left: Of a list what stays.
    """
    shown = value if len(value) <= LONGEST else f"{value[:LONGEST]}…"
    sentence = t(key, name=name, value=shown)
    st.warning(sentence, icon=LINK)
    st.session_state.setdefault("amiss", []).append((st.context.url, sentence))
    _write(name, _line(left))


def still_amiss() -> None:
    """Says it again when the page draws itself anew, until somebody goes on."""
    for page, sentence in st.session_state.get("amiss", ()):
        if page == st.context.url:
            st.warning(sentence, icon=LINK)


def one_of(
    name: str, options: Sequence[str], otherwise: str, *, elsewhere: Container[str] = ()
) -> str | None:
    """The URL's value if it is one of the options, else this one, else the first.

    Args:
        name: The URL's parameter.
        options: The values that it may take.
        otherwise: What is usual.
        elsewhere: Values that mean something on another page or for another run; any other one
            is amiss, and the page says so.
    """
    asked = get(name)
    if asked in options:
        return asked
    if asked and asked not in elsewhere:
        amiss(name, asked)
    return otherwise if otherwise in options else next(iter(options), None)


def many(name: str) -> list[str]:
    """The URL's value as a list: "a,b" → ["a", "b"]; a part with a comma in it is quoted."""
    value = get(name) or ""
    try:
        return [part for part in next(csv.reader([value]), []) if part]
    except csv.Error:  # a line break
        amiss(name, value)
        return []


def put_many(name: str, values: Iterable[object]) -> None:
    """Writes a list into the URL; an empty one is taken out."""
    put(name, _line(values))


def _line(values: Iterable[object]) -> str | None:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(values)
    return line.getvalue() or None


def choose_dataset(dataset: str) -> None:
    """Makes this dataset the one that the pages are about, and forgets what hung on the last."""
    put("dataset", dataset)
    forget(*OF_DATASET, *SUM, *OF_USER)


def choose_user(user: str | None) -> None:
    """Makes this person the one that the pages are about, and forgets what hung on the last."""
    put("user", user)
    forget(*OF_USER)


def forget(*names: str) -> None:
    """Takes these out of the URL."""
    for name in names:
        put(name, None)
