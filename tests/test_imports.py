"""What may be absent where."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

from dashboard import cache


def imports_without(module: str, absent: list[str]) -> None:
    code = f"import sys; sys.modules.update(dict.fromkeys({absent})); import {module}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_models_import_on_a_bare_gpu_box():
    absent = ["duckdb", "pandas", "pyarrow", "plotly", "streamlit", "sklearn", "psutil"]
    imports_without(
        "core.models, core.recommend.top_k, core.recommend.rerank, core.evaluate", absent
    )


def test_data_imports_without_torch():
    imports_without("core.data.store, core.runs.artifact", ["torch", "streamlit"])


def test_embeddings_import_without_tables_and_load_nothing_heavy():
    absent = ["duckdb", "pandas", "pyarrow", "plotly", "streamlit", "sklearn.cluster", "faiss"]
    modules = ("layout", "clusters", "diagnosis", "index", "item_similarity", "map_quality")
    imports_without(", ".join(f"core.embed.{name}" for name in modules), absent)


def test_the_command_line_answers_before_anything_heavy_is_loaded():
    imports_without("core.cli", ["torch", "sklearn", "faiss", "streamlit"])


def test_the_dashboard_s_cache_serves_what_mypy_sees_and_loads_it_when_asked():
    typed = {
        alias.name: node.module
        for node in ast.walk(ast.parse(Path(cache.__file__).read_text("utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module.startswith("dashboard.cache.")
        for alias in node.names
    }
    assert sorted(typed) == sorted(cache.__all__)
    for name, module in typed.items():
        served = getattr(cache, name)
        assert name == "PERSONAL" or served.__module__ == module, name
    absent = ["torch", "sklearn", "faiss"]
    imports_without(
        "dashboard.cache; dashboard.cache.finished_runs, dashboard.cache.history", absent
    )
