"""What the page Embeddings asks about the map of a run's items."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from core.data.store import Workspace
from core.runs.artifact import Run
from core.types import Array, Queries
from dashboard.background import Background
from dashboard.cache.keeping import MAPS, MEDIUM, cached_background, cached_copy, cached_shared
from dashboard.cache.runs import loaded

if TYPE_CHECKING:
    from core.embed import Drift, Finding, Step
    from core.embed.clusters import Term
    from core.embed.selection import SelectionNumbers
    from dashboard.map.axes import ThreeAxes
    from dashboard.map.colouring import Colouring
    from dashboard.map.pairs import Likeness, Moved, Pair
    from dashboard.map.placement import PlacedItems

PERSONAL = ("score", "shap")  # colours of the map that are about one person


@cached_background(MAPS)
def placing(
    workspace: Workspace, run: Run, component: str, epoch: int | None = None
) -> Background[PlacedItems]:
    """The run's items on their principal axes; begins to work it out on the first call."""
    from dashboard.map.placement import place

    return Background(lambda report: place(loaded(workspace, run), component, report, epoch))


@cached_background(MAPS)
def arranging(placed: PlacedItems) -> Background[PlacedItems]:
    """The same on the map that keeps neighbours."""
    from dashboard.map.placement import arrange

    return Background(lambda report: arrange(placed, report))


@cached_copy(MEDIUM)
def colouring(placed: PlacedItems, by: str) -> Colouring:
    """The points coloured by one of `colourings`."""
    from core.models.common.attributes import attributes, categories
    from dashboard.map.colouring import by_category, by_group, by_number

    features = placed.ready.load_dataset().item_features
    kind, _, name = by.partition(":")
    if kind == "cluster" and placed.groups:
        return by_group(placed.groups.codes, placed.groups.names)
    if kind == "attribute" and (block := categories(features)):
        columns = attributes(block.names)[name]
        values = [block.names[column].partition("=")[2] for column in columns]
        return by_category(block.matrix[:, columns][placed.codes], values)
    if kind == "number" and features and features.numeric:
        column = features.numeric.names.index(name)
        return by_number(features.numeric.matrix[placed.codes, column])
    if kind == "moved" and (step := last_step(placed)):
        return by_number(1 - step.cosines[placed.codes])
    return by_number(placed.events, log=True)


def colourings(placed: PlacedItems) -> list[str]:
    """What the points can be coloured by, such as "cluster", "attribute:genres", "number:price"."""
    from core.models.common.attributes import attributes, categories

    features = placed.ready.load_dataset().item_features
    block = categories(features)
    named = [f"attribute:{name}" for name in (attributes(block.names) if block else ())]
    if features and features.numeric:
        named += [f"number:{name}" for name in features.numeric.names]
    moved = ["moved"] if last_step(placed) else []
    return [*(["cluster"] if placed.groups else []), *named, "popularity", *moved, *PERSONAL]


@cached_copy(MAPS)
def scored(placed: PlacedItems, user: str) -> Colouring:
    """The points coloured by their score for this person of the log; what they took is grey."""
    from core import pipeline
    from core.recommend.top_k import score_blocks
    from dashboard.map.colouring import by_number

    ready = placed.ready
    _, query = pipeline.queries_for(ready, users=[user])
    ((_, scores),) = score_blocks(ready.model, query, len(ready.items))
    numbers = scores[0].double().cpu().numpy()
    numbers[query.items] = np.nan
    return by_number(numbers[placed.codes], rest="taken")


@cached_copy(MEDIUM)
def combined_neighbours(
    placed: PlacedItems, like: tuple[str, ...], less: tuple[str, ...], weight: float, k: int
) -> dict[str, Any]:
    """The k items most like some and least like others; see core.pipeline.toward."""
    from core import pipeline

    return pipeline.combined_neighbours(placed.near, like, less, k=k, weight=weight)


@cached_copy(MEDIUM)
def neighbours(placed: PlacedItems, item_id: str, k: int) -> dict[str, Any]:
    """What is near this item: core.pipeline.Near."""
    return placed.near.of(item_id, k)


@cached_copy(MEDIUM)
def neighbour_accuracy(placed: PlacedItems) -> list[dict[str, Any]]:
    """How well each attribute is told from neighbours."""
    from core.pipeline.embedding import attributes_told

    return attributes_told(placed.ready, placed.near.vectors.values)


@cached_copy(MEDIUM)
def diagnosed(placed: PlacedItems) -> list[Finding]:
    """Whether the vectors are sound, the gravest first."""
    from core.embed import diagnosis
    from core.pipeline.labels import Labels

    found = list(diagnosis(placed.near.vectors.values, Labels(placed.ready).taken))
    if (moved := drifted(placed)) and moved.finding:
        found.append(moved.finding)
    return sorted(found, key=lambda one: -("ok", "warn", "bad").index(one.severity))


def drifted(placed: PlacedItems) -> Drift | None:
    """How the items moved while the run learnt, whichever epoch is shown."""
    ready, near = placed.ready, placed.near
    return (
        _drifted(ready.workspace, ready.run, near.vectors.component) if ready.run.epochs else None
    )


@cached_copy(MEDIUM)
def _drifted(workspace: Workspace, run: Run, component: str) -> Drift | None:
    from core.pipeline import drift_of

    return drift_of(loaded(workspace, run), component)


def last_step(placed: PlacedItems) -> Step | None:
    """From the kept epoch before to the one that is shown."""
    found, shown = drifted(placed), placed.near.epoch or placed.ready.run.own_epoch
    return next((step for step in found.steps if step.after == shown), None) if found else None


@cached_copy(MEDIUM)
def standing_out(placed: PlacedItems, rows: bytes) -> list[Term]:
    """What the selected items have more of than all; `rows` as in selection_numbers."""
    from core.embed import over_represented

    known = placed.known
    return [] if known is None else over_represented(_chosen(placed, rows), known)


@cached_copy(MEDIUM)
def for_set(placed: PlacedItems, rows: bytes, most: int, k: int) -> list[int]:
    """The rows of what goes best with the most popular of the selected, at most so many of them.

    They are heard as the history of somebody who took each once; `rows` as in selection_numbers.
    """
    from core.recommend.top_k import recommend as best
    from core.types import PAD

    codes = placed.codes[np.flatnonzero(_chosen(placed, rows))[:most][::-1]]
    history = Queries(
        users=np.array([PAD]),
        offsets=np.array([0, len(codes)]),
        items=codes,
        weights=np.ones(len(codes), np.float32),
    )
    found = best(placed.ready.model, history, k, n_items=len(placed.codes)).items[0]
    return [int(placed.rows[code]) for code in found if code != PAD]


def _chosen(placed: PlacedItems, rows: bytes) -> Array:
    """The mask (N,) that these bits are."""
    return np.unpackbits(np.frombuffer(rows, np.uint8), count=len(placed.codes)).astype(bool)


@cached_copy(MEDIUM)
def selection_numbers(
    placed: PlacedItems, rows: bytes
) -> tuple[SelectionNumbers, SelectionNumbers]:
    """The selected items' events and users, and the rest's; `rows` is a mask, a bit a row."""
    from core.embed import held_against_rest

    chosen = np.zeros(len(placed.codes), bool)
    chosen[placed.codes] = _chosen(placed, rows)
    return held_against_rest(placed.ready.load_dataset().interactions, chosen)


@cached_shared(MAPS)
def solid(placed: PlacedItems) -> ThreeAxes:
    """The items in three axes."""
    from dashboard.map.axes import three_axes as found

    return found(placed)


@cached_shared(MAPS)
def beside(first: PlacedItems, second: PlacedItems) -> Pair | None:
    """The second map laid on the first; None if they share too few items."""
    from dashboard.map.pairs import lay_on

    return lay_on(first, second)


@cached_background(MAPS)
def likeness(spaces: tuple[str, str], _pair: Pair) -> Background[Likeness]:
    """How far a pair's spaces agree; begins to work it out on the first call."""
    from dashboard.map import pairs

    return Background(lambda report: pairs.likeness(_pair, report))


@cached_copy(MEDIUM)
def moved(pair: Pair, rows: bytes, _found: Likeness) -> Moved | None:
    """Where a selection went, by the pair's likeness; `rows` as in selection_numbers."""
    from dashboard.map import pairs

    return pairs.moved_together(pair, _found, _chosen(pair.first, rows))
