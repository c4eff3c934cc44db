"""What the engine says is read in a cell, on a page and after a command: it names no option."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import core

ROOT = Path(core.__file__).parent
ONLY_COMMANDS = {"cli", "doctor.py", "tune"}  # what no cell asks
MODULES = [
    path
    for path in sorted(ROOT.rglob("*.py"))
    if path.relative_to(ROOT).parts[0] not in ONLY_COMMANDS
]
OPTION = re.compile(r"(?<![\w-])--[a-z]|\brecscope [a-z]+ ")


def spoken(module: Path) -> list[str]:
    """The texts within what this module raises."""
    raised = [
        node.exc
        for node in ast.walk(ast.parse(module.read_text("utf-8")))
        if isinstance(node, ast.Raise) and node.exc is not None
    ]
    return [
        str(part.value)
        for error in raised
        for part in ast.walk(error)
        if isinstance(part, ast.Constant) and isinstance(part.value, str)
    ]


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_sentence_of_the_engine_names_an_option_or_a_command(module: Path) -> None:
    assert [text for text in spoken(module) if OPTION.search(text)] == []
