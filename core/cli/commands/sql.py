"""A question of one's own to a dataset and a run."""

from __future__ import annotations

from typing import Any

from core.cli.terminal import Result, progress, table
from core.data.store import Workspace
from core.sql import files
from core.sql.answer import Answer
from core.sql.ask import ask, context
from core.sql.limits import TO_FILE, TO_SHOW

SHOWN = 100  # rows that a person is shown
WIDEST = 80  # letters of a cell


def sql(options: Any) -> Result:
    workspace = Workspace.open(options.data_dir)
    if options.out:
        files.check(options.out)
    dataset, run = context(workspace, options.dataset, options.run)
    answer = ask(
        workspace,
        options.statement,
        dataset=dataset,
        run=run,
        values=dict(options.param),
        limits=TO_FILE if options.out else TO_SHOW,
        on_stage=progress(),
    )
    about = {"dataset": dataset.id, "run": run.id if run else None}
    if not options.out:
        return {**about, **answer.to_json()}, _as_text(answer)
    files.write(options.out, answer)
    summary = {"shown": answer.rows, "cut": answer.cut, "seconds": round(answer.seconds, 3)}
    result = {**about, **summary, "out": str(options.out)}
    return result, f"{answer.sentence}, in {options.out}"


def _as_text(answer: Answer) -> str:
    names = [column.name for column in answer.columns]
    shown = answer.table.slice(0, SHOWN).to_pylist()
    rows = [{name: _one_line(value) for name, value in row.items()} for row in shown]
    said = answer.sentence
    if answer.rows > SHOWN:
        said = f"{said}; {SHOWN} are shown here, --out FILE has more"
    return f"{table(rows, names)}\n{said}" if rows else said


def _one_line(value: Any) -> Any:
    """The value, where it is a text or a list on one line that a terminal shows as it is."""
    if not isinstance(value, str | list):
        return value
    text = "".join(letter if letter.isprintable() else "�" for letter in str(value))
    return text if len(text) <= WIDEST else f"{text[: WIDEST - 1]}…"
