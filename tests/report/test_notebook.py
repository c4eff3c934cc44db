"""The report as a notebook: run from its first cell to its last, it gives the page's figures."""

from __future__ import annotations

import json
import os
import re
from html import unescape
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from core import holdings, pipeline
from core.report.collect import collect
from core.report.notebook import as_text, notebook
from core.runs import artifact
from core.runs.request import RunRequest
from core.text import LANGUAGES
from dashboard.components.report import made_notebook

ROOT = Path(__file__).parent.parent.parent
HOSTILE = "<img src=x onerror=alert(1)> *bold* $\\alpha$ {x} ''' \\"
ASKED = (("popularity", {}), ("transitions", {}), ("als", {"dim": 4, "sweeps": 2}))

pytestmark = pytest.mark.slow


@pytest.fixture
def runs(shop):
    made = []
    for model, params in ASKED:
        run = pipeline.train(shop, RunRequest("shop", model, params, device="cpu"))
        pipeline.evaluate(shop, run, device="cpu")
        made.append(run)
    return made


@pytest.fixture
def execute(tmp_path, monkeypatch):
    """Runs a notebook as a person would; all that its cells show, as text."""
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    monkeypatch.delenv("MPLBACKEND", raising=False)
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))

    def run(path: Path) -> str:
        content = nbformat.read(path, as_version=4)
        nbformat.validate(content)
        resources = {"metadata": {"path": str(tmp_path)}}
        NotebookClient(content, timeout=240, resources=resources).execute()
        outputs = [output for cell in content.cells for output in cell.get("outputs", [])]
        shown = [str(output.get("data", output.get("text", ""))) for output in outputs]
        return unescape("\n".join(shown))

    return run


def figures(page: str) -> set[str]:
    """Each number with four decimals that a table of the page shows, without its sign."""
    tables = " ".join(re.findall(r"<table>.*?</table>", page, re.DOTALL))
    cells = re.findall(r"<(?:td|small)[^>]*>(.*?)</(?:td|small)>", tables, re.DOTALL)
    return {number for cell in cells for number in re.findall(r"\d+\.\d{4}\b", cell)}


def test_it_gives_every_figure_of_the_page(recscope, shop, shop_is_home, runs, execute, tmp_path):
    ids = [run.id for run in runs]
    holdings.annotate(shop, ids[0], "kept")
    for name in ("r.html", "r.ipynb"):
        code, said, err = recscope("report", *ids, "--out", tmp_path / name, "--json")
        assert code == 0, err
        assert said["bytes"] == (tmp_path / name).stat().st_size
    page = (tmp_path / "r.html").read_text("utf-8")
    wanted = figures(page)
    assert len(wanted) > 60
    shown = execute(tmp_path / "r.ipynb")
    assert sorted(number for number in wanted if number not in shown) == []
    for sentence in re.findall(r"<li>(“.*?)</li>", page):  # why each item is recommended
        assert unescape(re.sub("<.*?>", "", sentence)).split("“")[1][:20] in shown
    assert shown.count("application/vnd.plotly.v1+json") >= 5


def test_other_weights_are_noticed_in_the_first_cell(shop, runs, execute, tmp_path):
    content = notebook(shop, collect(shop, runs[:2]))
    text = as_text(content).replace(runs[0].artifact_hash, "0" * 64)
    (tmp_path / "other.ipynb").write_text(text)
    with pytest.raises(CellExecutionError, match="AssertionError"):
        execute(tmp_path / "other.ipynb")


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_comes_from_the_log_is_text(shop, runs, language):
    shop.rename("shop", HOSTILE)
    artifact.rename_run(shop, runs[0].id, HOSTILE)
    again = [artifact.find_run(shop, run.id) for run in runs]
    content = notebook(shop, collect(shop, again), language)
    nbformat.validate(nbformat.from_dict(content))
    for cell in content["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            assert "<img" not in source
            assert "$" not in source
            assert "\n\n" not in source
            assert source.startswith("<div")
        else:
            compile(source, "cell", "exec")
            assert not cell["outputs"]


def test_the_page_offers_the_same(shop, runs):
    chosen = tuple(runs[:2])
    made = json.loads(made_notebook(shop, chosen, "en"))
    again = notebook(shop, collect(shop, chosen))
    assert made["cells"][2:] == again["cells"][2:]


def test_a_report_on_runs_that_were_not_evaluated_runs_too(shop, execute, tmp_path):
    run = pipeline.train(shop, RunRequest("shop", "transitions", split="none", device="cpu"))
    (tmp_path / "r.ipynb").write_text(as_text(notebook(shop, collect(shop, [run]))))
    execute(tmp_path / "r.ipynb")
