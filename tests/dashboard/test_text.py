"""Every word on the pages comes from text/, in each language, and each key is there."""

from __future__ import annotations

import ast
import re
import string
from dataclasses import fields
from pathlib import Path

import pytest

from core.models import MODELS
from core.models.ensemble.choice import WHY
from core.text import read_texts
from dashboard.text import LANGUAGES, text, texts

DASHBOARD = Path(__file__).resolve().parents[2] / "dashboard"
CORE_TEXT = DASHBOARD.parent / "core" / "text"
SOURCES = sorted(
    path
    for pattern in ("views/*", "components/**/*", "map/**/*", "*")
    for path in DASHBOARD.glob(f"{pattern}.py")
)
# What Streamlit draws for a reader: the first argument, and these by name.
SHOWN = {
    "title", "header", "subheader", "markdown", "write", "caption", "text", "info", "warning",
    "error", "success", "toast", "button", "download_button", "metric", "selectbox", "multiselect",
    "text_input", "text_area", "number_input", "toggle", "checkbox", "radio", "segmented_control",
    "pills", "slider", "file_uploader", "expander", "popover", "status", "progress", "badge",
    "spinner", "link", "empty", "table", "figure", "section", "Column", "NumberColumn",
}  # fmt: skip
NAMED = {"label", "help", "placeholder", "alt", "text", "title", "body", "description"}


def placeholders(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


def strings(node: ast.expr) -> list[str]:
    """The literal words in an expression, t("key") calls and format codes apart."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if isinstance(node, ast.JoinedStr):
        return [s for part in node.values if isinstance(part, ast.Constant) for s in strings(part)]
    if isinstance(node, ast.BinOp):
        return strings(node.left) + strings(node.right)
    if isinstance(node, ast.IfExp):
        return strings(node.body) + strings(node.orelse)
    return []


def shown(tree: ast.Module) -> list[tuple[int, str]]:
    found = []
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        name = getattr(call.func, "attr", getattr(call.func, "id", ""))
        if name not in SHOWN or getattr(getattr(call.func, "value", None), "id", "") == "_log":
            continue
        given = call.args[:1] if name not in ("section", "heading", "link", "table") else []
        given = [*given, *(k.value for k in call.keywords if k.arg in NAMED)]
        found += [(call.lineno, s) for node in given for s in strings(node)]
    return found


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_every_language_has_the_same_keys_and_places(language: str) -> None:
    english, other = texts("en"), texts(language)
    assert set(other) == set(english)
    for key, template in english.items():
        if key.endswith(".one"):
            continue
        assert placeholders(other[key]) == placeholders(template), key


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_each_text_stands_in_one_file_in_its_order(language: str) -> None:
    shared, own = (read_texts(f / f"{language}.json") for f in (CORE_TEXT, DASHBOARD / "text"))
    assert not shared.keys() & own.keys()
    assert (list(shared), list(own)) == (sorted(shared), sorted(own))
    assert texts(language) == shared | own


def test_no_view_holds_words_of_its_own() -> None:
    literal = [
        f"{path.name}:{line} {words!r}"
        for path in SOURCES
        for line, words in shown(ast.parse(path.read_text("utf-8")))
        if any(c.isalpha() for c in words.replace("**", ""))
    ]
    assert not literal


def test_the_check_for_words_can_fail() -> None:
    assert shown(ast.parse('st.button("Go", help=f"now {x}")')) == [(1, "Go"), (1, "now ")]
    assert not shown(ast.parse('st.button(t("action.go"))'))


def test_every_key_in_the_code_is_a_text() -> None:
    known = texts("en")
    missing = []
    for path in SOURCES:
        for call in (
            n for n in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(n, ast.Call)
        ):
            name = getattr(call.func, "attr", getattr(call.func, "id", ""))
            first = call.args[0] if call.args else None
            literal = isinstance(first, ast.Constant) and isinstance(first.value, str)
            if name in ("t", "section") and literal and first.value not in known:
                missing.append(f"{path.name}:{call.lineno} {first.value}")
    assert not missing


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_each_model_and_setting_has_a_name(language: str) -> None:
    settings = {f"param.{f.name}" for kind in MODELS.values() for f in fields(kind.Config)}
    assert {f"model.{name}" for name in MODELS} | settings <= texts(language).keys()


def test_settings_are_explained_as_the_core_explains_them() -> None:
    known = texts("en")
    for name, kind in MODELS.items():
        for setting in fields(kind.Config):
            if setting.name != "components":  # the page has a box of runs for it
                key = f"param.{name}.{setting.name}.help"
                words = known.get(key, known[f"param.{setting.name}.help"])
                assert words == setting.metadata["help"], key
            for choice in setting.metadata.get("choices", ()):
                assert f"choice.{choice}" in known


def test_each_reason_to_choose_a_model_is_a_text() -> None:
    assert {f"why.{reason}": words for reason, words in WHY.items()}.items() <= texts("en").items()
    assert {f"why.{reason}" for reason in WHY} <= texts("zh").keys()


def test_one_has_its_own_form() -> None:
    assert text("en", "job.chip", n=1) != text("en", "job.chip", n=2).replace("2", "1")


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_what_is_bold_is_drawn_so(language: str) -> None:
    """Markdown ends no bold words between a stop and a letter, as Chinese has them."""
    parts = [re.findall(r"\*\*(.+?)\*\*(\w?)", said) for said in texts(language).values()]
    ends = [(words, letter) for part in parts for words, letter in part if letter]
    assert not [words for words, _ in ends if re.search(r"[^\w}]$", words)]
