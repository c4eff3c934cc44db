"""README, docs/ and CONTRIBUTING speak of what is there, and of all of it."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.cli import commands
from core.cli.parser import build_parser
from core.data.quality.cleaning import CLEANINGS
from core.evaluate import METRICS
from core.models import MODELS
from core.recommend.rerank import METHODS

ROOT = Path(__file__).parent.parent
READMES = ("README.md", "README.zh.md")
DOCS = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md"))
DOCUMENTS = (*READMES, "CONTRIBUTING.md", "CHANGELOG.md", *DOCS)


def read(document: str) -> str:
    return (ROOT / document).read_text("utf-8")


def command_lines() -> Iterator[tuple[str, str]]:
    """Document and line, of each command that stands in a block."""
    for document in (*READMES, *DOCS):
        for line in read(document).splitlines():
            if line.startswith("recscope "):
                yield document, line


COMMANDS = list(command_lines())


def subparsers() -> dict[str, argparse.ArgumentParser]:
    """Command → its parser."""
    for action in build_parser()._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    raise AssertionError("no commands")


@pytest.mark.parametrize("document", READMES)
@pytest.mark.parametrize("name", [*MODELS, *METHODS])
def test_each_model_and_re_ranking_stands_in_the_readme(document: str, name: str) -> None:
    assert f"`{name}`" in read(document)


@pytest.mark.parametrize("name", METRICS)
def test_each_metric_is_documented(name: str) -> None:
    assert f"`{name}`" in read("docs/models.md")


@pytest.mark.parametrize("name", CLEANINGS)
def test_each_cleaning_is_documented(name: str) -> None:
    assert re.search(rf"`{name}(=[\d.]+)?`", read("docs/data.md"))


@pytest.mark.parametrize("registry", [METRICS, CLEANINGS, METHODS])
def test_registries_use_plain_names(registry: dict[str, object]) -> None:
    assert registry
    assert all(re.fullmatch(r"[a-z0-9_]+", name) for name in registry)


def test_the_documents_tour_the_command_line() -> None:
    toured = [line for document, line in COMMANDS if document == "docs/commands.md"]
    assert len(toured) >= 14
    assert sum(document == "README.md" for document, _ in COMMANDS) >= 5


@pytest.mark.parametrize(("document", "command"), COMMANDS)
def test_each_command_of_the_documents_parses(document: str, command: str) -> None:
    options = build_parser().parse_args(shlex.split(command)[1:])
    assert options.command in commands.COMMANDS


@pytest.mark.parametrize("command", commands.COMMANDS)
def test_each_command_is_documented_with_its_options(command: str) -> None:
    rows = [row for row in read("docs/commands.md").splitlines() if row.startswith("| `recscope ")]
    (row,) = [row for row in rows if re.match(rf"\| `recscope {command}[ `]", row)]
    if command == "tune":  # those of train, and its own
        row += next(row for row in rows if row.startswith("| `recscope train "))
    everywhere = {"-h", "--help", "--data-dir", "--json"}
    for action in subparsers()[command]._actions:
        if action.help != argparse.SUPPRESS:
            for option in set(action.option_strings) - everywhere:
                assert f"`{option}`" in row


def test_both_readmes_show_the_same() -> None:
    english, chinese = map(read, READMES)
    blocks = [re.findall(r"^recscope .*$", text, re.M) for text in (english, chinese)]
    assert blocks[0] == blocks[1]
    heads = [len(re.findall(r"^## ", text, re.M)) for text in (english, chinese)]
    assert heads[0] == heads[1]
    assert "(README.zh.md)" in english
    assert "(README.md)" in chinese


@pytest.mark.parametrize("document", DOCUMENTS)
def test_documents_name_only_files_that_exist(document: str) -> None:
    text = read(document)
    for name in re.findall(r"`((?:core|dashboard|tests|benchmarks|sample_data)/[\w./-]*)`", text):
        if name != "core/models/x.py" and name != "dashboard/views/x.py":
            assert (ROOT / name).exists(), name


@pytest.mark.parametrize("document", DOCUMENTS)
def test_documents_link_to_what_exists(document: str) -> None:
    text = read(document)
    links = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r"src(?:set)?=\"([^\"]+)\"", text)
    for link in links:
        if not link.startswith("https://"):
            path, _, anchor = link.partition("#")
            target = (ROOT / document).parent / path if path else ROOT / document
            assert target.exists(), link
            heads = re.findall(r"^#+ (.*)$", target.read_text("utf-8"), re.M) if anchor else []
            assert not anchor or anchor in [head.lower().replace(" ", "-") for head in heads], link


def test_nobody_is_sent_to_an_index_for_what_is_not_there() -> None:
    """Recscope is not published, so a package of its name there would be somebody else's."""
    files = [path for path in ROOT.rglob("*") if path.suffix in (".py", ".md", ".ipynb", ".json")]
    own = [f for f in files if not {"tests", ".venv"} & set(f.relative_to(ROOT).parts)]
    wrong = re.compile(r"(pip|pipx|uvx|uv) (install|add) +['\"]?recscope")
    assert [str(f) for f in own if wrong.search(f.read_text("utf-8"))] == []
