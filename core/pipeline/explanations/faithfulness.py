"""A run → how faithful its explanations are, over a sample of people."""

from __future__ import annotations

import time
from collections.abc import Mapping

from core.data.durable import utc_now
from core.data.store import Workspace
from core.explain.checks import people as checks
from core.explain.checks.faithfulness import MEASURES
from core.pipeline.loaded_run import load_run
from core.runs import weights
from core.runs.artifact import Run
from core.runs.faithfulness import Figure, Figures, RunFaithfulness
from core.runs.identity import explanations_digest, runs_digest
from core.types import Encoder, Progress, silent

PEOPLE = checks.PEOPLE


def faithfulness(
    workspace: Workspace,
    run: Run,
    *,
    people: int = PEOPLE,
    seed: int = 0,
    device: str = "auto",
    on_stage: Progress = silent,
) -> RunFaithfulness:
    """Whether the run's explanations say what moves it; stored beside the run, if that may be.

    What is stored of the same code, for as many people and the same seed, is given at once: it
    would come out the same.

    Args:
        workspace: Where run and dataset are.
        run: A finished run.
        people: How many are drawn of those with five events or more, at least 2.
        seed: Decides who is drawn, and all that is random.
        device: auto, cpu or cuda.
        on_stage: Told what is being done, and how far it is.

    Raises:
        BadInput: people below 2, or fewer than two have such a history.
        NotFound: the dataset is gone.
    """
    stored, wanted = run.faithfulness, (people, seed, run.artifact_hash)
    if stored and not stored.older and wanted == (stored.asked, stored.seed, stored.artifact_hash):
        return stored
    on_stage("load", None)
    began = time.perf_counter()
    loaded = load_run(workspace, run, device=device)
    queries = loaded.load_dataset().interactions.queries()
    n_items = len(loaded.items)
    rows = None if isinstance(loaded.model, Encoder) else queries.matrix(n_items).T.tocsr()
    measured = checks.faithfulness_of_people(
        loaded.model,
        queries,
        n_items=n_items,
        people=people,
        rows=rows,
        seed=seed,
        on_progress=on_stage,
    )
    kept = RunFaithfulness(
        run=run.id,
        asked=people,
        seed=seed,
        people=measured.people,
        events=measured.events,
        means=_figures(measured.means),
        ahead=_figures(measured.ahead),
        more_is_better=dict(MEASURES),
        explanations=explanations_digest(),
        models=runs_digest(),
        artifact_hash=run.artifact_hash,
        created=utc_now(),
        seconds=round(time.perf_counter() - began, 3),
    )
    if not workspace.read_only:
        weights.save_faithfulness(run, kept)
    return kept


def _figures(measured: Mapping[str, Mapping[str, checks.Figure]]) -> Figures:
    return {
        order: {name: Figure(own.mean, own.se, own.people) for name, own in figures.items()}
        for order, figures in measured.items()
    }
