"""What is said of a run over many people: what it goes by, and how faithful explanations are."""

from __future__ import annotations

from typing import Any

from core import pipeline
from core.cli.commands.overview_text import faithfulness_text, overview_text
from core.cli.terminal import Result, progress
from core.data.store import Workspace
from core.errors import BadInput
from core.runs import artifact


def overview(options: Any) -> Result:
    workspace = Workspace.open(options.data_dir)
    run = artifact.find_run(workspace, options.run)
    loaded = pipeline.load_run(workspace, run)
    survey = pipeline.run_overview(
        loaded, k=options.k, people=options.people, seed=options.seed, on_stage=progress()
    )
    return survey.to_json(), overview_text(survey)


def faithfulness(options: Any) -> Result:
    if options.people < 2:
        raise BadInput(f"--people {options.people} is too few: one person has no standard error")
    workspace = Workspace.open(options.data_dir)
    run = artifact.find_run(workspace, options.run)
    before = run.faithfulness
    measured = pipeline.faithfulness(
        workspace, run, people=options.people, seed=options.seed, on_stage=progress()
    )
    text = faithfulness_text(measured)
    if before and before.older:
        text = (
            f"what was stored, of {before.created[:10]}, was of older code: measured again\n{text}"
        )
    return {**measured.to_json(), "older": measured.older}, text
