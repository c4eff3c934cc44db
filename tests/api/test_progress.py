"""Progress in a cell is one line, replaced in place and gone at the end."""

from __future__ import annotations

import sys

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import RichOutput

from core.types import EpochReport
from recscope.progress import ProgressLine


class Kernel:
    """A notebook's shell keeps what is displayed."""

    def __init__(self):
        self.outputs = []

    def __call__(self, data, metadata=None, transient=None, update=False, **more):
        self.outputs.append((RichOutput(data), transient["display_id"], update))


@pytest.fixture
def cell(monkeypatch):
    """The code runs in a cell."""
    shell, kernel = InteractiveShell(), Kernel()
    shell.kernel = kernel
    monkeypatch.setattr(InteractiveShell, "_instance", shell)
    monkeypatch.setattr(shell.display_pub, "publish", kernel)
    monkeypatch.setattr(sys.modules["IPython"], "get_ipython", lambda: shell)
    return kernel


def test_a_cell_has_one_line_in_place(cell, capsys):
    with ProgressLine() as line:
        line("fit", None)
        line("fit", 0.5)  # too soon after the last to be worth a message
        line("evaluate", 0.25)
        line.epoch(EpochReport(epoch=2, epochs=4, loss=1.0))
    shown = [output.data["text/html"] for output, _, _ in cell.outputs]
    assert [update for _, _, update in cell.outputs] == [False, *[True] * (len(shown) - 1)]
    assert len({ident for _, ident, _ in cell.outputs}) == 1
    assert "fit" in shown[1]
    assert "25%" in shown[2]
    assert "epoch 2 of 4" in shown[3]
    assert shown[-1] == ""
    assert capsys.readouterr() == ("", "")


def test_nothing_is_shown_if_not_wanted(cell):
    with ProgressLine(shown=False) as line:
        line("fit", 0.5)
    assert cell.outputs == []


def test_it_is_gone_also_after_an_error(cell):
    def broken():
        with ProgressLine() as line:
            line("fit", 0.5)
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        broken()
    assert cell.outputs[-1][0].data["text/html"] == ""
