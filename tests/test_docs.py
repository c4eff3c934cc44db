"""README and CONTRIBUTING speak of what is there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from core.cli import commands
from core.cli.parser import build_parser
from core.data.quality.cleaning import CLEANINGS
from core.evaluate import METRICS
from core.models import MODELS
from core.recommend.rerank import METHODS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
COMMANDS = [line for line in README.splitlines() if line.startswith("recscope ")]


@pytest.mark.parametrize("name", [*MODELS, *METHODS])
def test_each_model_and_re_ranking_stands_in_the_readme(name: str) -> None:
    assert f"`{name}`" in README


@pytest.mark.parametrize("registry", [METRICS, CLEANINGS, METHODS])
def test_registries_use_plain_names(registry: dict[str, object]) -> None:
    assert registry
    assert all(re.fullmatch(r"[a-z0-9_]+", name) for name in registry)


def test_the_readme_tours_the_command_line() -> None:
    assert len(COMMANDS) == 14


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_of_the_readme_parses(command: str) -> None:
    options = build_parser().parse_args(shlex.split(command)[1:])
    assert options.command in commands.COMMANDS


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_documents_name_only_files_that_exist(document: str) -> None:
    text = (ROOT / document).read_text()
    for name in re.findall(r"`((?:core|dashboard|tests|benchmarks|sample_data)/[\w./-]*)`", text):
        if name != "core/models/x.py" and name != "dashboard/views/x.py":
            assert (ROOT / name).exists(), name
