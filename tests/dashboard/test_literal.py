"""What comes from data or from the address is text, literally, wherever a page shows it."""

from __future__ import annotations

import ast
import html
import io
import re
from csv import reader as read_csv
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.sql.spreadsheet import FORMULA
from dashboard.charts import theme
from dashboard.components.download import csv
from dashboard.text import LANGUAGES, Text, literal, plain, strong, text, texts, visible

DASHBOARD = Path(__file__).resolve().parents[2] / "dashboard"
SOURCES = sorted(path for path in DASHBOARD.rglob("*.py") if path.parent.name != "text")
# What Streamlit reads as Markdown: the first argument of these, …
MARKDOWN = {
    "title", "header", "subheader", "markdown", "write", "caption", "info", "warning", "error",
    "success", "toast", "badge", "spinner", "status", "expander", "popover", "metric",
    "button", "download_button", "selectbox", "multiselect", "text_input", "text_area",
    "number_input", "toggle", "checkbox", "radio", "segmented_control", "pills", "slider",
    "select_slider", "file_uploader",
}  # fmt: skip
NAMED = {"label", "help", "body", "delta", "text"}  # … and of any of them what has these names, …
CHOICES = {"radio", "pills", "segmented_control"}  # … and what their options are called
BARRED = {"table", "page_link", "html"}  # only in the one function that makes them safe
ALLOWED = {
    *(("page.py", "table"), ("page.py", "page_link"), ("card.py", "html"), ("app.py", "html")),
    ("cards.py", "html"),  # a style, in which nothing is anybody's
}


def called(call: ast.Call) -> str:
    return getattr(call.func, "attr", getattr(call.func, "id", ""))


class Reader:
    """Tells of expressions whether they are a Text, as mypy would: by what is written there."""

    def __init__(self, trees: list[ast.Module]) -> None:
        nodes = [node for tree in trees for node in ast.walk(tree)]
        self.functions = {"t", "literal", "strong", "linked"} | {
            node.name
            for node in nodes
            if isinstance(node, ast.FunctionDef) and self._says_text(node.returns)
        }
        self.fields = {
            node.target.id
            for node in nodes
            if isinstance(node, ast.AnnAssign)
            and isinstance(node.target, ast.Name)
            and self._says_text(node.annotation)
        }

    @staticmethod
    def _says_text(annotation: ast.expr | None) -> bool:
        return annotation is not None and ast.unparse(annotation) in ("Text", "Text | None")

    def is_text(self, node: ast.expr, within: ast.AST) -> bool:
        match node:
            case ast.Call(func=ast.Attribute(value=of, attr="join")):
                return self.is_text(of, within)
            case ast.Call():
                known = called(node) in self.functions
                ours = called(node) == "Text" and all(
                    isinstance(a, ast.Constant) for a in node.args
                )
                return known or ours
            case ast.BinOp(op=ast.Add()):
                return self.is_text(node.left, within) or self.is_text(node.right, within)
            case ast.IfExp():
                return self.is_shown(node.body, within) and self.is_shown(node.orelse, within)
            case ast.BoolOp():
                return all(self.is_shown(value, within) for value in node.values)
            case ast.Attribute():
                return node.attr in self.fields
            case ast.Name():
                return self._is_named_text(node.id, within)
        return False

    def is_shown(self, node: ast.expr, within: ast.AST) -> bool:
        """A Text, or words in the source."""
        return isinstance(node, ast.Constant) or self.is_text(node, within)

    def _is_named_text(self, name: str, within: ast.AST) -> bool:
        given: list[bool] = []
        for node in ast.walk(within):
            if isinstance(node, ast.arg) and node.arg == name:
                given.append(self._says_text(node.annotation))
            elif isinstance(node, ast.Assign | ast.AugAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                for target in targets:
                    if isinstance(target, ast.Name) and target.id == name:
                        given.append(self.is_text(node.value, within))
                    elif name in {n.id for n in ast.walk(target) if isinstance(n, ast.Name)}:
                        given.append(False)
            elif isinstance(node, ast.For | ast.comprehension):
                names = {n.id for n in ast.walk(node.target) if isinstance(n, ast.Name)}
                given += [False] * (name in names)
        return bool(given) and all(given)


def unescaped(tree: ast.Module, file: str, reader: Reader) -> list[str]:
    """Where something that is no Text meets a reader of Markdown."""
    found = []
    scopes = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    inner = {node for scope in scopes for node in ast.walk(scope) if node is not scope}
    for scope in [tree, *(scope for scope in scopes if scope not in inner)]:
        for call in (node for node in ast.walk(scope) if isinstance(node, ast.Call)):
            if scope is tree and call in inner:
                continue
            name, on = called(call), isinstance(call.func, ast.Attribute)
            receiver = getattr(getattr(call.func, "value", None), "id", "")
            if receiver == "_log" or (name in ("status", "write") and receiver != "st"):
                continue
            if on and name in BARRED and (file, name) not in ALLOWED:
                found.append(f"{file}:{call.lineno} {name}")
            if not on or name not in MARKDOWN | {"progress"}:
                continue
            given = [] if name == "progress" else call.args[: 2 if name == "metric" else 1]
            given = [*given, *(k.value for k in call.keywords if k.arg in NAMED)]
            for k in call.keywords:
                if k.arg == "format_func" and name in CHOICES:
                    given.append(k.value.body if isinstance(k.value, ast.Lambda) else k.value)
            for node in given:
                known = isinstance(node, ast.Name) and node.id in reader.functions
                if not known and not reader.is_shown(node, scope):
                    found.append(f"{file}:{node.lineno} {ast.unparse(node)}")
    return found


def test_nothing_but_a_text_is_shown_as_markdown() -> None:
    trees = {path: ast.parse(path.read_text("utf-8")) for path in SOURCES}
    reader = Reader(list(trees.values()))
    assert not [bad for path, tree in trees.items() for bad in unescaped(tree, path.name, reader)]


@pytest.mark.parametrize(
    "source",
    [
        "st.markdown(f'**{name}**')",
        "st.caption(name)",
        "box.metric(t('x'), name)",
        "st.info(t('x') if name else name)",
        "st.button(t('x'), help=about[name])",
        "st.radio(t('x'), options, format_func=lambda key: names[key])",
        "bar.progress(0.5, text='now ' + name)",
        "said = t('x')\n    said = name\n    st.markdown(said)",
        "for said in names:\n        st.markdown(said)",
        "st.markdown(Text(name))",
        "st.table(frame)",
    ],
)
def test_the_check_can_fail(source: str) -> None:
    tree = ast.parse(f"def page(name: str, names: list[str]) -> None:\n    {source}")
    assert unescaped(tree, "x.py", Reader([tree]))


def test_the_check_passes_what_is_safe() -> None:
    source = """
def told(n: int) -> Text: ...
def page(name: str, why: Text) -> None:
    said = t("x", name=name) + " " + name if name else told(3)
    st.markdown(said)
    st.info(why, icon="x")
    st.caption(Text(" · ").join([name]))
    st.radio(t("x"), options, format_func=told)
"""
    tree = ast.parse(source)
    assert not unescaped(tree, "x.py", Reader([tree]))


SIGNS = st.lists(
    st.sampled_from(
        [*"ab1 \t\n\\`*_{}[]()<>#+-.!|~$:@&/=%^\"'é中", "www.", "http://", ":material_", ":smile:"]
    ),
    max_size=12,
).map("".join)


@given(SIGNS)
def test_what_is_escaped_is_what_is_shown(name: str) -> None:
    escaped = literal(name)
    assert escaped.plain == visible(name)
    bare = str(escaped).replace(":small[]", "")
    assert re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", bare) == visible(name)
    assert html.unescape(escaped.html) == visible(name)
    assert html.unescape(theme.literal(name)) == visible(name)


@given(SIGNS)
def test_no_markup_is_left(name: str) -> None:
    """As far as a pattern can tell; the browser has the last word (tests/browser)."""
    escaped = str(literal(name))
    bare = re.sub(
        r"\\(.)",  # what is within an emoji's name goes without a trace
        lambda found: "" if found[1] in "-+_" else "\0",
        escaped.replace(":small[]", "\0"),
    )
    assert not re.search(
        r"[`*\[\]<>&$~|#]|:[\w+-]+:|(^|\W)_|https?:|www\.|^[-+] |^\d+[.)]( |$)", bare
    )


@given(SIGNS, SIGNS)
def test_a_text_is_escaped_once(one: str, two: str) -> None:
    said = literal(one) + two
    assert literal(said) is said
    assert f"{said}" == said.plain == plain(said)
    for language in LANGUAGES:
        whole = text(language, "explain.quoted", item=said)
        assert str(said) in str(whole)
        assert whole.plain == text(language, "explain.quoted", item="#").plain.replace(
            "#", said.plain
        )
    assert strong(one).html == f"<strong>{literal(one).html}</strong>"


CELLS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.text("=+-@\t\r\n＝a1' ,\"", max_size=4),
)


@given(st.lists(CELLS, min_size=1, max_size=5), st.floats(allow_nan=False))
def test_no_cell_for_people_begins_as_a_formula(cells: list[object], number: float) -> None:
    frame = pd.DataFrame({"=id": pd.Series(cells, dtype=object), "-n": number})
    raw = read_csv(io.StringIO(csv(frame, for_people=False), newline=""))
    safe = read_csv(io.StringIO(csv(frame, for_people=True), newline=""))
    next(raw), next(safe)
    for before, after, cell in zip(raw, safe, cells, strict=True):
        assert before[1] == after[1]
        if isinstance(cell, str):
            assert before[0] == cell
            assert after[0] in (cell, f"'{cell}")
            assert not after[0].startswith(FORMULA)
        else:
            assert before[0] == after[0]
    assert list(frame.columns) == ["=id", "-n"]


def test_bold_of_ours_is_bold_in_each_form() -> None:
    said = text("en", "compare.answer.leads", metric="<m>", best="**b**", value=0.5)
    assert str(said) == "By \\<m\\>, **\\*\\*b\\*\\*** leads with 0.5."
    assert said.plain == "By <m>, **b** leads with 0.5."
    assert said.html == "By &lt;m&gt;, <strong>**b**</strong> leads with 0.5."


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (" tea ", "␣tea␣"),
        ("a  b", "a␣␣b"),
        ("a b", "a b"),
        ("\u202eevil", "⟦U+202E⟧evil"),
        ("a\u200bb", "a⟦U+200B⟧b"),
        ("a\u200db", "a⟦U+200D⟧b"),
        ("\ud800", "⟦U+D800⟧"),
        ("\x00\x1b\x7f\t\n", "␀␛␡␉␊"),
        ("\u00a0x", "⟦U+00A0⟧x"),
        ("👩\u200d👧 एक्\u200dष é שלום", "👩\u200d👧 एक्\u200dष é שלום"),
    ],
)
def test_what_nobody_would_see_is_made_visible(name: str, shown: str) -> None:
    assert visible(name) == shown
    assert visible(shown) == shown
    assert Text(shown) == shown


def test_no_text_of_ours_needs_what_a_value_could_bring() -> None:
    """Code in a text shows a value with its backslashes; no text of ours has one there."""
    for language in LANGUAGES:
        assert not [k for k, words in texts(language).items() if re.search(r"`[^`]*{[^`]*`", words)]
