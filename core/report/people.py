"""A run → some people of its log as examples: what they did, what they would get, and why."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core import pipeline
from core.data.store import Workspace
from core.errors import BadInput
from core.pipeline.labels import Labels
from core.pipeline.loaded_run import LoadedRun
from core.pipeline.named import Names
from core.report.contents import PeopleContents, Person
from core.runs.artifact import Run
from core.types import PAD, Progress

PEOPLE = 3
MOST_PEOPLE = 20  # of those that are named
LISTED = 5  # items of each list
EVENTS = 8  # of each history, the latest
SEED = 0


def people_of(
    workspace: Workspace, run: Run, *, users: Sequence[object] | None, on_stage: Progress
) -> PeopleContents:
    """These people, or three drawn by a fixed seed, and the run's first five items for each.

    Raises:
        BadInput: more people are named than a report has room for.
        NotFound: somebody is not in the dataset.
    """
    if users is not None and len(users) > MOST_PEOPLE:
        raise BadInput(f"{len(users)} people are named: a report shows at most {MOST_PEOPLE}")
    loaded = pipeline.load_run(workspace, run)
    everyone = loaded.load_dataset().users
    drawn = np.random.default_rng(SEED).permutation(len(everyone))[:PEOPLE]
    chosen = everyone.decode(drawn).tolist() if users is None else list(dict.fromkeys(users))
    people = []
    for number, user in enumerate(chosen):
        on_stage("explain", number / len(chosen))
        people.append(_person(loaded, user))
    return PeopleContents(run, len(everyone), SEED if users is None else None, tuple(people))


def _person(loaded: LoadedRun, user: object) -> Person:
    query = pipeline.history_of(loaded, user)
    items = pipeline.ranked_items(loaded, query, LISTED)
    explanation = pipeline.explain_items(loaded, query, items) if len(items) else None
    described = (
        pipeline.describe_explanation(loaded, query, explanation, user=user, k=LISTED)
        if explanation
        else ()
    )
    _, known = pipeline.queries_for(loaded, users=[user])
    own = loaded.top_k(known, LISTED).items[0]
    n, codes = len(query.items), np.concatenate([query.items, items])
    return Person(
        user=user,
        events=n,
        latest=tuple(Names(loaded, query, ()).events(range(max(0, n - EVENTS), n))),
        explanations=described,
        names=Labels(loaded).labels(codes),
        known_list=np.array_equal(own[own != PAD], items),
    )
