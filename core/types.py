"""The nouns and the protocols. Arrays carry codes (0 … n-1), frames carry ids; PAD has no code.

Shape letters, everywhere: **B** queries, **E** events, **K** places, **U** users, **I** items,
**F** features. Histories are jagged: query b owns events offsets[b]:offsets[b + 1], oldest first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from core.errors import BadInput

if TYPE_CHECKING:
    from scipy import sparse
    from torch import Tensor

PAD = -1

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]
Array = NDArray[Any]

Setting = bool | int | float | str
Params = Mapping[str, Setting]  # of a model, by the names of its Config's fields


class Vocab:
    """The external ids of users or items, in code order: id ↔ code.

    Ids are whole numbers (int64) where every id of the log is one, else strings; either form of an
    id is understood when encoding, since a URL and a command line know only strings.

    >>> v = Vocab(np.array([10, 20, 30]))
    >>> v.encode(["30", 10, "x"]).tolist()
    [2, 0, -1]
    >>> v.decode(np.array([2, 0])).tolist()
    [30, 10]
    """

    def __init__(self, ids: Array) -> None:
        self.ids = ids if ids.dtype.kind == "i" else ids.astype(object)

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def _codes(self) -> dict[str, int]:
        return {str(key): code for code, key in enumerate(self.ids.tolist())}

    def encode(self, ids: Any) -> Ints:
        """Codes (n,) of these ids; PAD where an id is unknown."""
        return np.fromiter((self._codes.get(str(key), PAD) for key in ids), np.int64)

    def decode(self, codes: Array) -> Array:
        """Ids (n,) of these codes; every code must be known (0 … n-1)."""
        return self.ids[codes]


@dataclass(frozen=True, eq=False)
class Queries:
    """B histories to score, jagged: what each of B people did, oldest first.

    A known user, a cold visitor and an edited what-if history are all just queries. An optional
    array is None where the log does not have it.
    """

    users: Ints  # (B,) user codes; PAD for a person the log does not know
    offsets: Ints  # (B + 1,) the events of query b are offsets[b]:offsets[b + 1]
    items: Ints  # (E,) item codes, never PAD
    weights: Floats  # (E,) how much each event counts; > 0, 1 for a plain event
    times: Ints | None = None  # (E,) Unix seconds UTC, or an order number
    values: Floats | None = None  # (E,) rating, quantity, …; NaN where missing
    events: Ints | None = None  # (E,) event type codes
    platforms: Ints | None = None  # (E,) platform codes
    now: Ints | None = None  # (B,) the time of asking: a live page knows it, a benchmark must not

    def __post_init__(self) -> None:
        if len(self.offsets) != len(self.users) + 1 or self.offsets[-1] != len(self.items):
            raise BadInput(
                f"offsets must have {len(self.users) + 1} entries and end at {len(self.items)}, "
                f"not {len(self.offsets)} entries that end at {self.offsets[-1]}"
            )

    def __len__(self) -> int:
        return len(self.users)

    def __getitem__(self, which: slice | Array) -> Queries:
        """The queries of this slice (a view) or of these positions (a copy)."""
        if isinstance(which, slice):
            start, stop, step = which.indices(len(self))
            if step == 1:
                return self._between(start, max(start, stop))
            which = np.arange(len(self))[which]
        which = np.asarray(which)
        if which.dtype == bool:
            which = np.flatnonzero(which)
        lengths = self.lengths[which]
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        take = np.repeat(self.offsets[which] - offsets[:-1], lengths) + np.arange(offsets[-1])
        return self._map_events(
            lambda a: a[take],
            users=self.users[which],
            offsets=offsets,
            now=None if self.now is None else self.now[which],
        )

    def _between(self, start: int, stop: int) -> Queries:
        low, high = int(self.offsets[start]), int(self.offsets[stop])
        return self._map_events(
            lambda a: a[low:high],
            users=self.users[start:stop],
            offsets=self.offsets[start : stop + 1] - low,
            now=None if self.now is None else self.now[start:stop],
        )

    def _map_events(self, change: Callable[[Array], Array], **others: Any) -> Queries:
        names = ("items", "weights", "times", "values", "events", "platforms")
        arrays: dict[str, Any] = {n: getattr(self, n) for n in names}
        changed: dict[str, Any] = {n: a if a is None else change(a) for n, a in arrays.items()}
        return replace(self, **changed, **others)

    @property
    def lengths(self) -> Ints:
        """Events per query, (B,)."""
        return np.diff(self.offsets)

    @property
    def rows(self) -> Ints:
        """The query that each event belongs to, (E,)."""
        return np.repeat(np.arange(len(self)), self.lengths)

    @property
    def ages(self) -> Ints:
        """How many events of the same query came after each event, (E,); 0 is the latest."""
        return np.repeat(self.offsets[1:], self.lengths) - 1 - np.arange(len(self.items))

    def latest(self, n: int) -> Queries:
        """The same queries with at most the last n events of each."""
        keep = self.ages < n
        offsets = np.concatenate([[0], np.cumsum(np.minimum(self.lengths, n))])
        return self._map_events(lambda a: a[keep], users=self.users, offsets=offsets, now=self.now)

    def subsets(self, keep: Array) -> Queries:
        """The one history here as many times as keep (M, E) has rows, with the events it marks.

        >>> q = Queries(np.array([7]), np.array([0, 2]), np.array([4, 5]), np.ones(2, np.float32))
        >>> q.subsets(np.array([[True, False], [True, True]])).items.tolist()
        [4, 4, 5]
        """
        rows, events = np.nonzero(keep)
        return self._map_events(
            lambda a: a[events],
            users=np.repeat(self.users, len(keep)),
            offsets=np.searchsorted(rows, np.arange(len(keep) + 1)).astype(np.int64),
            now=None if self.now is None else np.repeat(self.now, len(keep)),
        )

    def matrix(self, n_items: int, values: Array | None = None) -> sparse.csr_matrix:
        """The histories as a sparse (B, n_items) float32 matrix; repeats of an item are summed.

        Args:
            n_items: Items in the catalogue.
            values: What each event adds, (E,); its weight if not given.
        """
        from scipy import sparse  # a tenth of a second, which a list of runs need not await

        data = self.weights if values is None else np.asarray(values, np.float32)
        matrix = sparse.csr_matrix(
            (data, self.items, self.offsets), shape=(len(self), n_items), copy=True
        )
        matrix.sum_duplicates()
        return matrix


@dataclass(frozen=True, eq=False)
class Interactions:
    """Who did what, sorted by (user, time), ties in source order; checked when made.

    Raises:
        BadInput: codes outside the vocabularies, or events out of order.
    """

    users: Ints  # (E,)
    items: Ints  # (E,)
    weights: Floats  # (E,) > 0
    n_users: int
    n_items: int
    times: Ints | None = None
    values: Floats | None = None
    events: Ints | None = None
    platforms: Ints | None = None

    def __post_init__(self) -> None:
        for name, codes, n in (
            ("user", self.users, self.n_users),
            ("item", self.items, self.n_items),
        ):
            if len(codes) and (codes.min() < 0 or codes.max() >= n):
                raise BadInput(
                    f"{name} codes must lie in 0 … {n - 1}, not {codes.min()} … {codes.max()}"
                )
        step = np.diff(self.users)
        if (step < 0).any():
            raise BadInput("events must be sorted by user")
        if self.times is not None and ((np.diff(self.times) < 0) & (step == 0)).any():
            raise BadInput("each user's events must be sorted by time")

    def __len__(self) -> int:
        return len(self.users)

    @cached_property
    def offsets(self) -> Ints:
        """The events of user u are offsets[u]:offsets[u + 1], (U + 1,)."""
        return np.searchsorted(self.users, np.arange(self.n_users + 1)).astype(np.int64)

    def where(self, keep: Array) -> Interactions:
        """Only the events marked in this boolean array (E,); the vocabularies stay as they are."""
        optional = ("times", "values", "events", "platforms")
        parts = {n: a[keep] for n in optional if (a := getattr(self, n)) is not None}
        return replace(
            self,
            users=self.users[keep],
            items=self.items[keep],
            weights=self.weights[keep],
            **parts,
        )

    def queries(self, users: Array | None = None) -> Queries:
        """The whole history of each user (or of these user codes, (B,)) as queries."""
        everyone = Queries(
            users=np.arange(self.n_users),
            offsets=self.offsets,
            items=self.items,
            weights=self.weights,
            times=self.times,
            values=self.values,
            events=self.events,
            platforms=self.platforms,
        )
        return everyone if users is None else everyone[np.asarray(users, np.int64)]


@dataclass(frozen=True, eq=False)
class FeatureBlock:
    """One kind of attribute, a column per feature, a row per user or item.

    `matrix` is (n, F): CSR of 0/1 for categories, CSR of TF-IDF for text, dense float32 for numbers
    (NaN where missing) and embeddings (a row of NaN where there is nothing to embed). `names[f]`
    says what column f is ("genres=Comedy").
    """

    names: tuple[str, ...]
    matrix: Any


@dataclass(frozen=True)
class Features:
    """What is known of the items, or of the users, beside behaviour; absent parts are None."""

    categorical: FeatureBlock | None = None
    multi_hot: FeatureBlock | None = None
    numeric: FeatureBlock | None = None
    text: FeatureBlock | None = None  # the words
    text_embedding: FeatureBlock | None = None  # what an encoder made of the texts
    image_embedding: FeatureBlock | None = None

    @property
    def n_rows(self) -> int:
        """How many items, or users, they are of; 0 where nothing is known."""
        return max((block.matrix.shape[0] for _, block in self.blocks()), default=0)

    def blocks(self) -> Iterator[tuple[str, FeatureBlock]]:
        """The parts that are there, with their names."""
        for kind in fields(self):
            block = getattr(self, kind.name)
            if block is not None:
                yield kind.name, block


@dataclass(frozen=True, eq=False)
class Holdout:
    """Queries and the items that came next: targets[offsets[b]:offsets[b + 1]] for query b."""

    queries: Queries
    targets: Ints  # (T,)
    offsets: Ints  # (B + 1,)
    values: Floats | None = None  # (T,) the targets' ratings, NaN where missing

    def __len__(self) -> int:
        return len(self.queries)

    def __getitem__(self, rows: Array) -> Holdout:
        """The queries at these positions, with their targets."""
        rows = np.asarray(rows, np.int64)
        counts = np.diff(self.offsets)[rows]
        offsets = np.concatenate([[0], np.cumsum(counts)])
        take = np.repeat(self.offsets[rows] - offsets[:-1], counts) + np.arange(offsets[-1])
        values = None if self.values is None else self.values[take]
        return Holdout(self.queries[rows], self.targets[take], offsets, values)


@dataclass(frozen=True, eq=False)
class Split:
    """A log cut into what a model may see and what it is asked about."""

    kind: str  # "leave-last-out", "last-visit", "by-time" or "none"
    train: Interactions
    validation: Holdout | None
    train_and_validation: (
        Interactions  # all but the test targets: train, and the events that validation asks for
    )
    test: Holdout | None
    tie_rate: float  # share of test queries whose first target is tied in time with its history
    fingerprint: str  # hash of the log and of which events are asked for


@dataclass(frozen=True, eq=False)
class TrainData:
    """All that a model may learn from. Most models read only the interactions."""

    interactions: Interactions
    item_features: Features | None = None
    user_features: Features | None = None
    validation: Holdout | None = None
    train_and_validation: Interactions | None = None  # for a last refit: with validation's events
    components: Mapping[str, Recommender] = field(default_factory=dict)  # fitted, to be fused


@dataclass(frozen=True, eq=False)
class Recommendations:
    """K items for each query, the first place first; PAD and -inf where fewer are left."""

    items: Ints  # (B, K)
    scores: Floats  # (B, K)
    places: Ints | None = None  # (B, K) the model's own, from 1, where the list was re-ranked


@dataclass(frozen=True)
class RerankReport:
    """How lists were re-ranked."""

    method: str
    strength: float
    by: str  # what it goes by: "attributes", "item vectors", or the name of an attribute

    def to_json(self) -> dict[str, Any]:
        """The same as JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Interval:
    """A mean over users, or a figure of the whole, and the ends of its 95 % interval, if known."""

    mean: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Slice:
    """One metric on one part of the holdout."""

    by: str  # "activity", "target popularity", "target in training", "user: Country", "target: …"
    part: str
    metric: str
    mean: float
    low: float
    high: float
    n: int  # queries


@dataclass(frozen=True)
class RunConfig:
    """What was trained, on what, how. Equal configs on equal data give equal runs."""

    dataset: str
    model: str
    params: Params = field(default_factory=dict)  # the model's whole Config
    split: str = "leave-last-out"
    seed: int = 0
    device: str = "cpu"
    features: Mapping[str, str] = field(default_factory=dict)  # encoders of texts and images
    cut: str = ""  # where by-time cuts, as TimeCut.written has it; "" at the usual share
    validate_on: str = ""  # next-event, next-visit, next-period; "" as is usual for the split

    def to_json(self) -> dict[str, Any]:
        """As run.json has it; what is left as usual is not said, as before it could be chosen."""
        content = asdict(self)
        for name in ("cut", "validate_on"):
            if not content[name]:
                del content[name]
        return content


@dataclass(frozen=True)
class EpochReport:
    """How a fit is doing after one of its passes over the log; None: it has no such figure."""

    epoch: int  # from 1; 0 where a component of a fusion begins
    epochs: int  # at most
    loss: float | None = None
    validation: float | None = None  # NDCG@10 on validation
    best_epoch: int | None = None  # so far
    rows_per_second: float | None = None  # that were learnt from; None: not learnt by gradients
    gpu: str | None = None  # what it is called
    memory: int | None = None  # bytes of it taken at most so far
    memory_of: int | None = None  # bytes that it has
    seconds_left: float | None = None
    refit: bool | None = None  # learning anew, with the validation events too
    done: float | None = None  # of the whole fit, 0 … 1, where these passes are but a part of it
    component: str | None = None  # of a fusion

    @property
    def share(self) -> float:
        """How much of the fit is done, as far as it is known here, 0 … 1."""
        return self.epoch / self.epochs if self.done is None else self.done

    def to_json(self) -> dict[str, Any]:
        """The figures that there are; of a model learnt by gradients those of validation and GPU
        too, null where there are none.
        """
        by_gradients = self.rows_per_second is not None
        nullable = ("validation", "gpu", "memory", "memory_of") if by_gradients else ()
        figures = {f.name: getattr(self, f.name) for f in fields(self)}
        if not by_gradients:  # then the component comes first
            figures["done"] = figures.pop("done")
        return {name: v for name, v in figures.items() if v is not None or name in nullable}


OnEpoch = Callable[[EpochReport], None]

# Told the stage under way and its share that is done, 0 … 1, or None where that is not known.
Progress = Callable[[str, float | None], None]


def silent(stage: str, share: float | None = None) -> None:
    """A Progress that nobody listens to."""


class Checkpoint(Protocol):
    """A place where a fit leaves how far it is, to go on from there if it is interrupted."""

    def read(self) -> Mapping[str, Array] | None:
        """What was left last, or None."""
        ...

    def write(self, state: Mapping[str, Array]) -> None:
        """Leaves this instead; what is read is always whole."""
        ...

    def part(self, name: str) -> Checkpoint:
        """Another place beside this one, for a part of the fit."""
        ...


@runtime_checkable
class Recommender(Protocol):
    """A model: fitted on TrainData, it scores every item for every query.

    `__init__` stores the config and does nothing else; a second fit forgets the first; all
    randomness comes from `rng`. `score` raises NotFitted before fit or load.
    """

    Config: ClassVar[type]  # frozen dataclass; field metadata: help, min, max, step, choices
    needs_validation: ClassVar[bool]  # fit needs TrainData.validation to know when to stop
    needs_features: ClassVar[bool]  # fit reads TrainData's item or user features
    config: Any

    def __init__(self, config: Any) -> None: ...

    @property
    def device(self) -> str:
        """Where it computes since its last fit or load: "cpu", which it is before, or "cuda"."""
        ...

    def fit(
        self,
        train: TrainData,
        *,
        rng: np.random.Generator,
        device: str = "cpu",
        on_epoch: OnEpoch | None = None,
    ) -> Self: ...

    def score(self, queries: Queries) -> Tensor:
        """(B, n_items) float32, finite, on the model's device; higher is better."""
        ...

    def state(self) -> dict[str, Array]:
        """All that fit learnt, and nothing else, as numpy arrays."""
        ...

    def load(self, state: Mapping[str, Array], *, device: str = "cpu") -> Self: ...


@runtime_checkable
class Resumable(Protocol):
    """Optional power: a fit that takes long goes on where an interrupted one was."""

    def resume_at(self, checkpoint: Checkpoint) -> None:
        """The next fit goes on from here, and leaves here how far it is."""
        ...


@runtime_checkable
class Budgeted(Protocol):
    """Optional power: its fit keeps to a time that its config says."""

    def began_at(self, moment: float) -> None:
        """The time of the next fit counts from this moment of time.perf_counter()."""
        ...


class Findings(Protocol):
    """What a fit found out, see core.findings."""

    def to_json(self) -> dict[str, Any]:
        """As run.json keeps it."""
        ...


@runtime_checkable
class ReportsFindings(Protocol):
    """Optional power: fit found out something worth telling beside the scores."""

    def findings(self) -> Findings:
        """What fit found out."""
        ...


@runtime_checkable
class LinearInHistory(Protocol):
    """Optional power: a score is a sum over the events of the history.

    score[t] = base[t] + Σ over events e of shares[e, t] · fading[events after e], base[t] what an
    empty history gets.
    """

    def shares(self, queries: Queries, items: Array) -> Array:
        """What each event adds to these items' scores while it is the latest, (E, T) float64."""
        ...

    def fading(self, n: int) -> Array:
        """How much of a share is left behind 0 … n - 1 later events, (n,)."""
        ...


@runtime_checkable
class Fades(Protocol):
    """Optional power: how fast a history fades plays a part in scoring alone, not in the fit."""

    def with_decay(self, decay: float) -> Self:
        """The fitted model with another history_decay, 0 … 1; this one stays, what it learnt is
        shared.

        It scores as a model fitted with that setting does, on a log that tells what came last.
        """
        ...


@runtime_checkable
class Additive(Protocol):
    """Optional power: a score is a sum over components, models of their own."""

    @property
    def adding(self) -> tuple[str, ...]:
        """The components' names, C of them; none where the model adds nothing up after all."""
        ...

    def contributions(self, queries: Queries) -> Tensor:
        """What each component adds to each score, (C, B, I)."""
        ...


class ItemPart(NamedTuple):
    """One thing that an item is made of, as a model hears it."""

    kind: str  # "id", or the field of Features that it stands in
    name: str  # of the attribute: "genres", "title", "price"; "" where the kind says it all


@runtime_checkable
class Composed(Protocol):
    """Optional power: an item is made of parts, some of which can be left out.

    Only the item that is scored loses parts: the history's items keep all of theirs, and so do the
    others of the catalogue. `features` are the items' as the model was given them; embeddings may
    be missing there, since the model keeps its own.
    """

    def parts(self, features: Features | None) -> tuple[ItemPart, ...]:
        """What the items are made of, P parts; none if the model knows items as wholes after all.

        Raises:
            BadInput: the features are not those that it learnt from.
        """
        ...

    def score_of_parts(
        self, query: Queries, item: int, features: Features | None, keep: Array
    ) -> Array:
        """What one history gives the item with only the parts in each row of keep (M, P), (M,).

        A row of all parts gives what `score` does.
        """
        ...


@runtime_checkable
class Extensible(Composed, Protocol):
    """Optional power of what is Composed: takes in items that nobody took yet, by their parts."""

    def with_items(
        self, features: Features, learnt: int | None = None, like: Array | None = None
    ) -> Self:
        """A model with more items at the end of its catalogue, codes I, I + 1, …; this one stays.

        A new item is to it what an item of the log is of which only the attributes are left: its id
        says nothing, nobody's taking it does. What the others get does not change.

        Args:
            features: Of all items, a row for each of the model's own I first, as the model was
                given them, then for the new ones, in the same columns. Of embeddings the new ones
                have none.
            learnt: How many of its own it learnt from, which came first: rarities and means are
                theirs. All of them if not given.
            like: Of each new item, (M,), the code of one of which it has all but what the features
                say: the id, the embeddings and what people did; PAD, as if not given, for none.

        Raises:
            BadInput: the features are not those that it learnt from.
        """
        ...


@runtime_checkable
class ScoresSubsets(Protocol):
    """Optional power: scores items for parts of one history, faster than one by one."""

    def score_subsets(self, query: Queries, keep: Array, items: Array) -> Tensor:
        """What `score` gives items (T,) for query.subsets(keep (M, E)), to rounding, (M, T)."""
        ...


@runtime_checkable
class ReadsLatest(Protocol):
    """Optional power: its scores go by no more than the latest events of a history."""

    def reads(self) -> int | None:
        """How many of them at most, 0 if by none; None where all count after all."""
        ...


@runtime_checkable
class GivesShares(Protocol):
    """Optional power: it learns which of all items is taken, as a softmax of its scores says."""

    gives_shares: ClassVar[bool]  # whether it does: a kind of models may have an exception


@runtime_checkable
class Encoder(Protocol):
    """Optional power: histories and items as vectors of one space."""

    def encode(self, queries: Queries) -> Tensor:
        """What each history says, (B, D)."""
        ...

    def encode_items(self) -> Tensor:
        """The items' vectors, (I, D)."""
        ...


@runtime_checkable
class KeepsSnapshots(Protocol):
    """Optional power of an Encoder: a fit keeps what the items were after a few of its epochs."""

    best_epoch: int  # the model is as it was after this one
    snapshots: Mapping[int, Floats]  # the items' vectors (I, D) by epoch, rising; none after load


@runtime_checkable
class Summed(Protocol):
    """Optional power of an Encoder: an item's vector is made from a sum of vectors."""

    def item_terms(self) -> Mapping[str, Tensor]:
        """The terms of all items by name, "id" and "content" at least, (I, D) each."""
        ...


@runtime_checkable
class RatingPredictor(Protocol):
    """Optional power: says what a person would rate an item, in the log's own units."""

    def predict(self, queries: Queries, items: Array) -> Floats:
        """The expected value of items[b] to query b, (B,)."""
        ...


@runtime_checkable
class Ranker(Protocol):
    """Optional power: weighs a few candidates more carefully than a whole catalogue."""

    def rank(self, queries: Queries, items: Array) -> Tensor:
        """How good items (B, K) are for these queries, (B, K); higher is better."""
        ...
