"""What may be absent where."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from core import pipeline
from dashboard import cache


def imports_without(module: str, absent: list[str]) -> None:
    code = f"import sys; sys.modules.update(dict.fromkeys({absent})); import {module}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_models_import_on_a_bare_gpu_box():
    absent = ["duckdb", "pandas", "pyarrow", "plotly", "streamlit", "sklearn", "psutil"]
    modules = "core.models, core.recommend.top_k, core.recommend.ruled_lists, core.evaluate"
    imports_without(f"{modules}; list(core.models.MODELS.values())", absent)


def test_data_imports_without_torch():
    imports_without("core.data.store, core.runs.artifact", ["torch", "streamlit"])


def test_embeddings_import_without_tables_and_load_nothing_heavy():
    absent = ["duckdb", "pandas", "pyarrow", "plotly", "streamlit", "sklearn.cluster", "faiss"]
    modules = ("layout", "clusters", "diagnosis", "index", "item_similarity", "map_quality")
    imports_without(", ".join(f"core.embed.{name}" for name in modules), absent)


def test_the_command_line_answers_before_anything_heavy_is_loaded():
    imports_without("core.cli", ["torch", "sklearn", "faiss", "streamlit", "numpy"])
    imports_without("core.cli.commands.list_all", ["torch", "sklearn", "pandas", "scipy.sparse"])


@pytest.mark.parametrize("model", ["popularity", "recent_popularity", "transitions"])
def test_what_only_counts_is_trained_without_loading_what_learns(model, shop):
    words = ["train", "shop", "--model", model, "--data-dir", str(shop.path)]
    absent = ["torch", "sklearn", "scipy.stats", "faiss", "streamlit"]
    imports_without(f"core.cli; assert core.cli.main({words}) == 0", absent)


@pytest.mark.parametrize("package", [cache, pipeline], ids=lambda package: package.__name__)
def test_what_is_loaded_when_asked_is_what_mypy_sees(package):
    typed = {
        alias.name: node.module
        for node in ast.walk(ast.parse(Path(package.__file__).read_text("utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module.startswith(f"{package.__name__}.")
        for alias in node.names
    }
    assert sorted(typed) == sorted(package.__all__)
    for name, module in typed.items():
        served = getattr(package, name)
        assert name == "PERSONAL" or served.__module__ == module, name


def test_the_dashboard_s_cache_loads_nothing_heavy():
    absent = ["torch", "sklearn", "faiss"]
    imports_without(
        "dashboard.cache; dashboard.cache.finished_runs, dashboard.cache.history", absent
    )
