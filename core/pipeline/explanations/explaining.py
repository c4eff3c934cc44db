"""A run, a history, items → why the run scores them as it does."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.data.queries import described_ids
from core.errors import BadInput, NotFound
from core.explain import Explanation, explain, explain_with_shap
from core.explain.history import anonymous
from core.pipeline.labels import Labels
from core.pipeline.loaded_run import LoadedRun, queries_for
from core.types import PAD, Array, Ints, Queries


def history_of(loaded: LoadedRun, user: object) -> Queries:
    """What a person of the dataset did, as a stranger's (users = -1): what is explained.

    Raises:
        NotFound: an id that the dataset does not have.
    """
    return anonymous(queries_for(loaded, users=[user])[1])


def item_codes(loaded: LoadedRun, ids: Sequence[object]) -> Ints:
    """The codes (T,) of these items.

    Raises:
        NotFound: an id that the run does not know.
    """
    codes = loaded.items.encode(ids)
    if (codes == PAD).any():
        unknown = ids[int(np.argmax(codes == PAD))]
        examples = ", ".join(map(str, loaded.items.ids[:3]))
        raise NotFound(
            f"item {str(unknown)!r} {_where_it_is(loaded, unknown)}, so run {loaded.run.id} does "
            f"not know it; there are items such as {examples}"
        )
    return codes


def _where_it_is(loaded: LoadedRun, item: object) -> str:
    """Of an item that the run does not know: whether its dataset describes it all the same."""
    name, info = loaded.run.dataset_name, Labels(loaded).info
    if info is not None and described_ids(info, [item]):
        return f"is described in dataset {name}, but no event of its log is of it"
    return f"is not in dataset {name}"


def ranked_items(loaded: LoadedRun, query: Queries, k: int | None = None) -> Ints:
    """The k items (all, if not given) that `recommend` gives this one history, best first.

    Its own are not among them, and there are fewer than k where no more are left.
    """
    ranked: Ints = loaded.top_k(query, len(loaded.items) if k is None else k).items[0]
    return np.extract(ranked != PAD, ranked)


def items_to_explain(
    loaded: LoadedRun, query: Queries, *, item: object, k: int, against: object
) -> tuple[Ints, int | None]:
    """The codes of the item asked for, or of the k best, and of what they are held against.

    Args:
        loaded: A run.
        query: One history.
        item: An id, or None for the k best.
        k: At least 1.
        against: The id of the item that these are held against, or None; it is not among them.

    Raises:
        NotFound: an id that the run does not know.
        BadInput: nothing is left to be explained.
    """
    other = None if against is None else int(item_codes(loaded, [against])[0])
    if item is not None:
        return item_codes(loaded, [item]), other
    best = ranked_items(loaded, query, k)
    best = best[best != other]
    if not len(best):
        raise BadInput("no item is left to be explained: name one, or raise k")
    return best, other


def explain_items(
    loaded: LoadedRun,
    query: Queries,
    items: Array,
    *,
    against: int | None = None,
    seed: int = 0,
    method: str | None = None,
) -> Explanation:
    """Why these items (codes) get their scores for this one history; see core.explain.explain.

    With a method, "shap-exact" or "shap-permutation", by shap's own explainer; see
    core.explain.explain_with_shap.

    Raises:
        BadInput: no such item, an item against itself, or not one history.
        CoreError: the values do not add up.
    """
    if against is not None and against in items:
        name = loaded.items.ids[against]
        raise BadInput(f"item {name} cannot be explained against itself: choose another")
    n_items = len(loaded.items)
    if method is None:
        return explain(loaded.model, query, items, n_items=n_items, against=against, seed=seed)
    return explain_with_shap(
        loaded.model, query, items, n_items=n_items, method=method, against=against, seed=seed
    )
