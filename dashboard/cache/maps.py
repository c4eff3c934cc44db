"""What the page Embeddings asks about the map of a run's items."""

from __future__ import annotations

import numpy as np

from core import embed, pipeline
from core.data.store import Workspace
from core.embed.clusters import Term
from core.embed.diagnosis import BAD, OK, WARN
from core.models.common.attributes import attributes, categories
from core.pipeline import CombinedItems, ItemNeighbours
from core.pipeline.embedding_report import AttributeAccuracy
from core.pipeline.labels import Labels
from core.pipeline.run_embedding import attribute_accuracies as accuracies_of
from core.recommend.top_k import score_blocks
from core.runs.artifact import Run
from core.types import PAD, Array, Queries
from dashboard.background import Background
from dashboard.cache.keeping import MAPS, MEDIUM, cached_background, cached_copy, cached_shared
from dashboard.cache.runs import loaded
from dashboard.map import layouts, pairs
from dashboard.map.colouring import Colouring, by_category, by_group, by_number
from dashboard.map.item_map import ItemMap
from dashboard.map.layouts import ThreeAxes
from dashboard.map.pairs import Pair, SelectionMoved, SpaceSimilarity

PERSONAL = ("score", "shap")  # colours of the map that are about one person


@cached_background(MAPS)
def principal_axes(
    workspace: Workspace, run: Run, component: str, epoch: int | None = None
) -> Background[ItemMap]:
    """The run's items on their principal axes; begins to work it out on the first call."""
    return Background(
        lambda report: layouts.principal_axes(loaded(workspace, run), component, report, epoch)
    )


@cached_background(MAPS)
def neighbour_map(on_axes: ItemMap) -> Background[ItemMap]:
    """The same items on the map that keeps neighbours."""
    return Background(lambda report: layouts.neighbour_map(on_axes, report))


@cached_copy(MEDIUM)
def colouring(item_map: ItemMap, by: str) -> Colouring:
    """The points coloured by one of `colourings`."""
    features = item_map.loaded.load_dataset().item_features
    kind, _, name = by.partition(":")
    if kind == "cluster" and item_map.groups:
        return by_group(item_map.groups.codes, item_map.groups.names)
    if kind == "attribute" and (block := categories(features)):
        columns = attributes(block.names)[name]
        values = [block.names[column].partition("=")[2] for column in columns]
        return by_category(block.matrix[:, columns][item_map.codes], values)
    if kind == "number" and features and features.numeric:
        column = features.numeric.names.index(name)
        return by_number(features.numeric.matrix[item_map.codes, column])
    if kind == "moved" and (step := drift_step(item_map)):
        return by_number(1 - step.cosines[item_map.codes])
    return by_number(item_map.events, log=True)


def colourings(item_map: ItemMap) -> list[str]:
    """What the points can be coloured by, such as "cluster", "attribute:genres", "number:price"."""
    features = item_map.loaded.load_dataset().item_features
    block = categories(features)
    named = [f"attribute:{name}" for name in (attributes(block.names) if block else ())]
    if features and features.numeric:
        named += [f"number:{name}" for name in features.numeric.names]
    moved = ["moved"] if drift_step(item_map) else []
    clustered = ["cluster"] if item_map.groups else []
    return [*clustered, *named, "popularity", *moved, *PERSONAL]


@cached_copy(MAPS)
def score_colouring(item_map: ItemMap, user: str) -> Colouring:
    """The points coloured by their score for this person of the log; what they took is grey."""
    _, query = pipeline.queries_for(item_map.loaded, users=[user])
    ((_, scores),) = score_blocks(item_map.loaded.model, query, len(item_map.codes))
    numbers = scores[0].double().cpu().numpy()
    numbers[query.items] = np.nan
    return by_number(numbers[item_map.codes], rest="taken")


@cached_copy(MEDIUM)
def combined_neighbours(
    item_map: ItemMap, like: tuple[str, ...], less: tuple[str, ...], weight: float, k: int
) -> CombinedItems:
    """The k items most like those in `like` and least like those in `less`."""
    return pipeline.combined_neighbours(item_map.near, like, less, k=k, weight=weight)


@cached_copy(MEDIUM)
def neighbours(item_map: ItemMap, item_id: str, k: int) -> ItemNeighbours:
    """What is near this item."""
    return item_map.near.of(item_id, k)


@cached_copy(MEDIUM)
def attribute_accuracies(item_map: ItemMap) -> tuple[AttributeAccuracy, ...]:
    """How well each attribute is predicted by neighbours, the best predicted first."""
    return accuracies_of(item_map.loaded, item_map.near.vectors.values)


@cached_copy(MEDIUM)
def diagnosis(item_map: ItemMap) -> list[embed.Finding]:
    """Whether the vectors are sound, the gravest first."""
    vectors, taken = item_map.near.vectors.values, Labels(item_map.loaded).taken
    findings = list(embed.diagnosis(vectors, taken))
    if (moved := drift(item_map)) and moved.finding:
        findings.append(moved.finding)
    return sorted(findings, key=lambda finding: -(OK, WARN, BAD).index(finding.severity))


def drift(item_map: ItemMap) -> embed.Drift | None:
    """How the items moved while the run learnt, whichever epoch is shown."""
    run = item_map.loaded.run
    if not run.epochs:
        return None
    return _drift(item_map.loaded.workspace, run, item_map.near.vectors.component)


@cached_copy(MEDIUM)
def _drift(workspace: Workspace, run: Run, component: str) -> embed.Drift | None:
    return pipeline.drift_of(loaded(workspace, run), component)


def drift_step(item_map: ItemMap) -> embed.Step | None:
    """From the kept epoch before to the one that is shown."""
    shown, moved = item_map.near.epoch or item_map.loaded.run.own_epoch, drift(item_map)
    return next((step for step in moved.steps if step.after == shown), None) if moved else None


@cached_copy(MEDIUM)
def over_represented(item_map: ItemMap, rows: bytes) -> list[Term]:
    """What the selected items have more of than all; `rows` as in selection_numbers."""
    terms = item_map.terms
    return [] if terms is None else embed.over_represented(_mask(item_map, rows), terms)


@cached_copy(MEDIUM)
def recommended_rows(item_map: ItemMap, rows: bytes, most: int, k: int) -> list[int]:
    """The rows of what goes best with the most popular of the selected, at most so many of them.

    They are heard as the history of somebody who took each once; `rows` as in selection_numbers.
    """
    codes = item_map.codes[np.flatnonzero(_mask(item_map, rows))[:most][::-1]]
    history = Queries(
        users=np.array([PAD]),
        offsets=np.array([0, len(codes)]),
        items=codes,
        weights=np.ones(len(codes), np.float32),
    )
    best = pipeline.ranked_items(item_map.loaded, history, k)
    return [int(item_map.rows[code]) for code in best]


def _mask(item_map: ItemMap, rows: bytes) -> Array:
    """The mask (N,) that these bits are."""
    return np.unpackbits(np.frombuffer(rows, np.uint8), count=len(item_map.codes)).astype(bool)


@cached_copy(MEDIUM)
def selection_numbers(
    item_map: ItemMap, rows: bytes
) -> tuple[embed.SelectionNumbers, embed.SelectionNumbers]:
    """The selected items' events and users, and the rest's; `rows` is a mask, a bit a row."""
    chosen = np.zeros(len(item_map.codes), bool)
    chosen[item_map.codes] = _mask(item_map, rows)
    return embed.held_against_rest(item_map.loaded.load_dataset().interactions, chosen)


@cached_shared(MAPS)
def three_axes(item_map: ItemMap) -> ThreeAxes:
    """The items along the first three principal axes."""
    return layouts.three_axes(item_map)


@cached_shared(MAPS)
def aligned_pair(first: ItemMap, second: ItemMap) -> Pair | None:
    """The second map laid on the first; None if they share too few items."""
    return pairs.aligned_pair(first, second)


@cached_background(MAPS)
def space_similarity(spaces: tuple[str, str], _pair: Pair) -> Background[SpaceSimilarity]:
    """How far a pair's spaces agree; begins to work it out on the first call."""
    return Background(lambda report: pairs.space_similarity(_pair, report))


@cached_copy(MEDIUM)
def selection_moved(pair: Pair, rows: bytes, _similarity: SpaceSimilarity) -> SelectionMoved | None:
    """Where a selection went, by the pair's similarity; `rows` as in selection_numbers."""
    return pairs.selection_moved(pair, _similarity, _mask(pair.first, rows))
