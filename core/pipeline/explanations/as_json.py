"""An explanation with ids, labels and times instead of codes, as people and JSON have it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from core.explain import Explanation
from core.explain.confidence import Confidence
from core.explain.history import events_read
from core.explain.interactions import Interaction, interactions
from core.explain.item_rank import ItemRanks
from core.explain.parts import ItemPartValues, explain_parts, readable_parts
from core.explain.reasons import Cause, Reasons, contrast_of, reasons_of
from core.models import MODELS
from core.pipeline.described import embeddings_left_out
from core.pipeline.explanations.explaining import ranked_items
from core.pipeline.explanations.sentences import called, contrast_sentence, sentence
from core.pipeline.labels import Labels
from core.pipeline.loaded_run import LoadedRun
from core.types import PAD, Queries, Recommender


@dataclass(frozen=True)
class NamedItem:
    """An item, and what people call it."""

    item: Any  # its id
    label: str

    def to_json(self) -> dict[str, Any]:
        return {"item": self.item, "label": self.label}


@dataclass(frozen=True)
class Player:
    """An event of the history; the oldest of very many are one player together."""

    label: str  # of the event's item; of the oldest together how many they are
    item_id: Any = None  # None for the oldest together
    timestamp: str | int | None = None  # UTC, or an order number; of several events the latest's
    count: int = 1  # how many events it stands for
    has_event_type: bool = False  # whether it is one event of a log that has types of events
    event: str | None = None  # its type; None where that is missing

    def to_json(self) -> dict[str, Any]:
        """Of kind "event" or "events"; `event` and `count` only where there is such a thing."""
        kind = "event" if self.count == 1 else "events"
        plain = {"kind": kind, "item_id": self.item_id, "label": self.label}
        plain |= {"timestamp": self.timestamp}
        plain |= {"event": self.event} if self.has_event_type else {}
        return plain | ({"count": self.count} if self.count > 1 else {})


@dataclass(frozen=True)
class PlayerValue:
    """What a player adds to an item's score."""

    player: Player
    value: float
    se: float  # its standard error; 0 where exact
    sure: bool  # further from 0 than two standard errors
    by_component: Mapping[str, float] = field(default_factory=dict)  # of a fusion: Σ = value

    def to_json(self) -> dict[str, Any]:
        plain = self.player.to_json() | {"value": self.value, "se": self.se, "sure": self.sure}
        return plain | ({"parts": dict(self.by_component)} if self.by_component else {})


@dataclass(frozen=True)
class ComponentValue:
    """What a component of a fusion adds to an item's score."""

    name: str
    model: str | None  # as in MODELS
    value: float  # by the history
    base: float  # without any history

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class ItemExplanation:
    """Why one item stands where it does: base + Σ values of the players = score.

    Score and base are the model's own (`raw_score`, `raw_base`) less the mean over all items that
    may be recommended; of a contrast, less those of `against`.
    """

    run: str
    user: Any  # whose history it is; None for nobody's
    model: str  # as in MODELS
    item: Any  # its id
    label: str  # what people call it
    rank: int | None  # in `recommend`'s list, from 1; None for one that is in the history
    rank_without: int  # among the same items, were nothing known of the history
    sentence: str  # why it stands there, or what puts it before `against`
    known_by: str | None  # as in Labels.known_by
    quantity: str  # what score, base and values are of, in words
    score: float
    base: float
    raw_score: float  # what the model gives the item, as `recommend` shows it
    raw_base: float  # what it gives the item without any history
    players: tuple[PlayerValue, ...]  # oldest first
    components: tuple[ComponentValue, ...]  # of models that add components up
    gap: float  # |base + Σ values - score|
    method: str
    evaluations: int  # histories that the model was asked for
    seed: int
    stability: float  # 0 … 1
    confidence: Confidence  # how far the values can be relied on, and why no further
    against: NamedItem | None = None
    reasons: Reasons | None = None  # what the sentence says; None of a contrast
    twins: tuple[NamedItem, ...] = ()  # of its causes, those of which one does what all do
    embeddings_left_out: tuple[str, ...] = ()  # that a new item does not have, and others do

    def to_json(self) -> dict[str, Any]:
        """As `recscope explain --json` has it."""
        plain = {name: value for name, value in vars(self).items() if name != "reasons"}
        verdict = None if self.reasons is None else str(self.reasons.verdict)
        rank_without_causes = None if self.reasons is None else self.reasons.rank_without_causes
        return {
            **plain,
            "verdict": verdict,
            "rank_without_causes": rank_without_causes,
            "confidence": str(self.confidence.level),
            "confidence_reason": str(self.confidence.reason),
            "twins": [each.to_json() for each in self.twins],
            "players": [each.to_json() for each in self.players],
            "components": [each.to_json() for each in self.components],
            "against": None if self.against is None else self.against.to_json(),
        }


def describe_explanation(
    loaded: LoadedRun, query: Queries, explanation: Explanation, *, user: object = None, k: int = 10
) -> tuple[ItemExplanation, ...]:
    """The explanation of each item in its own right, with ids and labels instead of codes.

    Of the sentences `k` is the length of the list that is spoken of.
    """
    names, against = Labels(loaded), explanation.against
    extra = [] if against is None else [against]
    codes = np.concatenate([query.items, explanation.items, extra]).astype(np.int64)
    labels = names.labels(codes)
    ids = dict(zip(codes.tolist(), loaded.items.decode(codes).tolist(), strict=True))
    ranks = {code: rank for rank, code in enumerate(ranked_items(loaded, query).tolist(), 1)}
    known_by = names.known_by(explanation.items)
    players = list(_players(names, query, explanation, labels))
    model = loaded.run.config.model

    def cause_named(cause: Cause) -> NamedItem:
        return NamedItem(ids.get(cause.item), called(cause, labels.__getitem__))

    def described(column: int, code: int) -> ItemExplanation:
        reasons = None
        left_out = embeddings_left_out(loaded, code)
        if against is None:
            reasons = item_reasons(loaded, query, explanation, column, k=k)
            known = None if known_by is None else known_by[column]
            said = sentence(reasons, labels.__getitem__, model, known, left_out)
            rank_without = reasons.rank_without_history
        else:
            contrast = contrast_of(query.items, explanation, column)
            said = contrast_sentence(contrast, labels.__getitem__)
            rank_without = _rank_without(loaded, query, code)
        return ItemExplanation(
            run=loaded.run.id,
            user=user,
            model=model,
            item=ids[code],
            label=labels[code],
            rank=ranks.get(code),
            rank_without=rank_without,
            sentence=said,
            known_by=None if known_by is None else known_by[column],
            quantity=explanation.quantity,
            score=float(explanation.scores[column]),
            base=float(explanation.base[column]),
            raw_score=float(explanation.raw_scores[column]),
            raw_base=float(explanation.raw_base[column]),
            players=tuple(_values(players, explanation.of(column))),
            components=tuple(_components(loaded.model, explanation, column)),
            gap=float(explanation.gap[column]),
            method=explanation.method,
            evaluations=explanation.evaluations,
            seed=explanation.seed,
            stability=float(explanation.stability[column]),
            confidence=explanation.confidence[column],
            against=None if against is None else NamedItem(ids[against], labels[against]),
            reasons=reasons,
            twins=() if reasons is None else tuple(map(cause_named, reasons.twins)),
            embeddings_left_out=left_out,
        )

    pairs = enumerate(explanation.items.tolist())
    return tuple(described(column, code) for column, code in pairs)


def item_reasons(
    loaded: LoadedRun, query: Queries, explanation: Explanation, column: int, *, k: int
) -> Reasons:
    """What may be said of the item in this column of an explanation; the model is asked for it."""
    return reasons_of(
        loaded.model,
        query,
        explanation,
        column,
        n_items=len(loaded.items),
        k=k,
        impersonal=not events_read(loaded.model, query),
    )


def item_interactions(
    loaded: LoadedRun, query: Queries, explanation: Explanation, column: int = 0
) -> tuple[Interaction, ...]:
    """Which two events matter together for the item in this column of an explanation."""
    return interactions(loaded.model, query, explanation, column, n_items=len(loaded.items))


def item_part_values(loaded: LoadedRun, query: Queries, item: int) -> ItemPartValues | None:
    """What its id and each of its attributes are worth to one item (a code).

    None where the model knows items as wholes, or what is known of them went with the dataset.
    """
    if Labels(loaded).info is None:
        return None
    features = loaded.load_dataset().item_features
    if not readable_parts(loaded.model, features):
        return None
    return explain_parts(loaded.model, query, item, features, n_items=len(loaded.items))


def _rank_without(loaded: LoadedRun, query: Queries, item: int) -> int:
    nothing = np.zeros((1, len(query.items)), bool)
    return int(ItemRanks(loaded.model, query, item, len(loaded.items))(nothing).ranks[0])


def _players(
    names: Labels, query: Queries, explanation: Explanation, labels: Mapping[int, str]
) -> Iterator[Player]:
    ids = names.loaded.items.decode(query.items).tolist()
    for player in range(len(explanation.values)):
        own = np.flatnonzero(explanation.players == player)
        last, count = int(own[-1]), len(own)
        time = None if query.times is None else names.time(int(query.times[last]))
        if count > 1:
            yield Player(f"the oldest {count:,} events", timestamp=time, count=count)
            continue
        code = PAD if query.events is None else int(query.events[last])
        yield Player(
            label=labels[int(query.items[last])],
            item_id=ids[last],
            timestamp=time,
            has_event_type=query.events is not None,
            event=None if code == PAD else names.kinds[0][code],
        )


def _values(players: Sequence[Player], explanation: Explanation) -> Iterator[PlayerValue]:
    """What each player is worth to the only item of this explanation."""
    for row, player in enumerate(players):
        components = explanation.by_component[row, 0].tolist() if explanation.components else ()
        yield PlayerValue(
            player,
            value=float(explanation.values[row, 0]),
            se=float(explanation.se[row, 0]),
            sure=bool(explanation.sure[row, 0]),
            by_component=dict(zip(explanation.components, components, strict=True)),
        )


def _components(
    model: Recommender, explanation: Explanation, column: int
) -> Iterator[ComponentValue]:
    """What each component of a fusion adds to the item in this column of the values."""
    model_names: dict[object, str] = {kind: name for name, kind in MODELS.items()}
    models = getattr(model, "components", {})
    for component, name in enumerate(explanation.components):
        yield ComponentValue(
            name=name,
            model=model_names.get(type(models.get(name))),
            value=float(explanation.by_component[:, column, component].sum()),
            base=float(explanation.base_by_component[column, component]),
        )
