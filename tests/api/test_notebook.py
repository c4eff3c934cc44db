"""The notebook of docs/ runs from the first cell to the last."""

from __future__ import annotations

import os
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parent.parent.parent
NOTEBOOK = ROOT / "docs" / "recscope.ipynb"


@pytest.mark.slow
def test_every_cell_of_the_notebook_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    monkeypatch.delenv("MPLBACKEND", raising=False)  # which streamlit sets when it is imported
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    client = NotebookClient(notebook, timeout=240, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()  # raises the first error of a cell
    kinds = {"text/html": 0, "image/png": 0, "application/vnd.plotly.v1+json": 0}
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            for kind in kinds.keys() & output.get("data", {}).keys():
                kinds[kind] += 1
    assert kinds["image/png"] == 4  # shap's plots
    assert kinds["application/vnd.plotly.v1+json"] == 2
    assert kinds["text/html"] >= 10
    shown = "".join(str(cell.get("outputs", "")) for cell in notebook.cells)
    assert "transitions has no parameter 'lenght': it has" in shown


def test_the_notebook_is_committed_without_outputs():
    cells = nbformat.read(NOTEBOOK, as_version=4).cells
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells)
