"""One transformer over events, one tower for what items are: sequence and content in a model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from core.errors import BadInput
from core.findings import LabelFindings, UnifiedFindings
from core.models.common.rating_baselines import Ratings, required
from core.models.common.settings import setting
from core.models.common.tensors import tensor
from core.models.neural.cuda_graph import CudaGraph
from core.models.neural.gradient_model import SCORED_AT_ONCE, Task
from core.models.neural.item_tower import ItemTower
from core.models.neural.item_tower_model import ItemTowerModel
from core.models.neural.losses import is_sampled
from core.models.neural.train_loop import TrainingSettings
from core.models.neural.training_state import Batches
from core.models.sequence.heads import kept_apart, label_codes, persons, worths
from core.models.sequence.prefix_tree import prefix_tree
from core.models.sequence.transformer import Network
from core.models.sequence.windows import Windows, padded
from core.types import (
    PAD,
    Array,
    Floats,
    Interactions,
    Ints,
    OnEpoch,
    Queries,
    TrainData,
)

LONG, FEW_REPEATS = 50, 0.01  # mean events of a user; share of events that repeat one
MOST_PAIRED = 1_000  # events of a history, of which each two are looked up
CPU_CELLS, GPU_CELLS = 2**20, 2**28  # numbers of the largest layer, or of attention, at once


def is_taken_once(log: Interactions) -> bool:
    """Whether histories are long and hardly an item comes twice in one.

    There a network that need not learn to keep what a person had from coming again is better,
    where histories are short a worse one (measured on validation: ml-1m, amazon-beauty).
    """
    pairs = log.users * np.int64(log.n_items) + log.items
    users = np.count_nonzero(np.diff(log.offsets))
    few = len(pairs) - len(np.unique(pairs)) < FEW_REPEATS * len(pairs)
    return bool(few and len(pairs) >= LONG * users)


@dataclass(frozen=True)
class UnifiedConfig(TrainingSettings):
    """Size and shape of the network, and how it learns."""

    dim: int = setting(64, "Numbers per item and per layer", min=4, max=2048, step=32)
    layers: int = setting(2, "Transformer blocks", min=1, max=32, step=1)
    heads: int = setting(
        2, "Attention heads; fewer where dim cannot be divided so", min=1, max=64, step=1
    )
    max_len: int = setting(50, "Latest events of a history that count", min=1, max=2000, step=50)
    dropout: float = setting(
        0.3, "Share of signals dropped in training", min=0.0, max=0.9, step=0.1
    )
    id_dropout: float = setting(
        0.1, "How often an item must do without its own id in training", min=0.0, max=0.9, step=0.1
    )
    temperature: float = setting(
        0.07, "Where the learned sharpness starts: lower is sharper", min=0.02, max=0.2, step=0.01
    )
    loss: str = setting(
        "auto",
        "full compares with every item, sampled with some; auto samples above 30,000 items",
        choices=("auto", "full", "sampled"),
    )
    negatives: int = setting(
        1024, "Items that a sampled step compares with", min=1, max=65536, step=256
    )
    mixed: bool = setting(
        True, "A sampled step also compares with what others took in it, corrected for its share"
    )
    seen: str = setting(
        "auto",
        "Whether what a person took before competes with what comes next; auto leaves it out where "
        "histories are long and hardly anything is taken twice",
        choices=("auto", "competes", "left out"),
    )
    content: bool = setting(True, "Learn from the items' attributes and text")
    time_bias: bool = setting(True, "See how long ago events were")
    event_weight: float = setting(
        0.1, "Weight of telling which kind of event comes next", min=0.0, max=10.0, step=0.1
    )
    rating_weight: float = setting(
        0.1,
        "Weight of telling how it will be rated; 0 hears no ratings",
        min=0.0,
        max=10.0,
        step=0.1,
    )
    label: str = setting("", "A category of the users to be told from what they do; none if empty")
    label_weight: float = setting(0.1, "Weight of telling the label", min=0.0, max=10.0, step=0.1)


class Unified(ItemTowerModel[Network]):
    """A causal transformer whose items carry both an id and their content.

    score_i = cos(u, e_i) / τ: e_i from the item tower (tower.py), u the last output of gated
    pre-norm blocks, x ← x + σ(Wx) ⊙ sublayer(LN x) (LiGR: Borisyuk et al., arXiv:2502.03417;
    eSASRec, arXiv:2508.06450), with a bias per head for how many events and how much time lie
    between (HSTU, arXiv:2402.17152). Every position predicts the next item by softmax over all
    items, or over candidates shared by the step (Klenitskiy and Vasilev, arXiv:2309.07602), each
    corrected for how often it is expected among them (losses.py). An event counts log2(1 + weight);
    its rating, if it has one, is heard. Heads (heads.py) tell beside the next item how it will be
    taken, by kind of event and by rating, and a label of the person; they learn with the rest, each
    with its weight. Differs: cosine with a learned τ; no absolute positions; histories longer than
    max_len + 1 are cut into windows; what a person had is left out of the softmax where that helps
    (is_taken_once). An empty history has a start state (start_state.py).
    """

    Config: ClassVar[type] = UnifiedConfig

    def __init__(self, config: Any = None) -> None:
        super().__init__(config)
        self._ratings: Ratings | None = None
        self._labels: Ints | None = None  # of the people, (U,), PAD where unknown or kept apart
        self._findings = UnifiedFindings()

    def fit(
        self,
        train: TrainData,
        *,
        rng: np.random.Generator,
        device: str = "cpu",
        on_epoch: OnEpoch | None = None,
    ) -> Self:
        """Learn step by step, then judge the label on people who were kept apart, if there is one.

        Raises:
            TooLarge: one row does not fit into the GPU's memory.
            BadInput: the loss went astray, or the users have no such label.
        """
        self._findings = UnifiedFindings()
        super().fit(train, rng=rng, device=device, on_epoch=on_epoch)
        if self.config.label:
            self._findings = UnifiedFindings(self._label_findings(train))
        return self

    def _network(self, train: TrainData, log: Interactions) -> Network:
        config = self.config
        self._ratings = Ratings.of(log)
        self._labels, n_labels = None, 0
        if config.label:
            codes, kinds = label_codes(train.user_features, config.label, log.n_users)
            n_labels = len(kinds)
            codes[kept_apart(codes)] = PAD
            self._labels = codes
        tells_events = bool(config.event_weight) and log.events is not None
        kinds_of_events = 0 if log.events is None else int(log.events.max(initial=-1)) + 1
        sizes = {
            "events": kinds_of_events,
            "platforms": 0 if log.platforms is None else int(log.platforms.max(initial=0)) + 1,
            "times": int(config.time_bias and log.times is not None),
            "told": kinds_of_events if tells_events and kinds_of_events > 1 else 0,
            "rated": int(self._heard() is not None),
            "labels": n_labels,
        }
        net = Network(config, self._tower(train, log), sizes)
        if sizes["told"]:
            net.heads.worth.copy_(torch.from_numpy(worths(log)))
        if self._labels is not None:
            counts = np.bincount(self._labels[self._labels >= 0], minlength=n_labels)
            net.heads.label_shares.copy_(torch.from_numpy(counts / max(1, counts.sum())))
        return net

    def _heard(self) -> Ratings | None:
        """The scale of the ratings that the network hears; None if it hears none."""
        return self._ratings if self.config.rating_weight else None

    def _network_of(self, weights: Mapping[str, Tensor]) -> Network:
        tower = ItemTower.of_state(self.config.dim, weights)
        names = {"events": "events.weight", "platforms": "platforms.weight"}
        names |= {"told": "heads.event.weight", "labels": "heads.label.weight"}
        sizes = {size: len(weights.get(name, ())) for size, name in names.items()}
        sizes |= {"times": int("time_bias" in weights), "rated": int("value.weight" in weights)}
        return Network(self.config, tower, sizes)

    def _task(self, net: Network, log: Interactions, generator: torch.Generator) -> Task | None:
        config, device = self.config, next(net.parameters()).device
        windows = Windows(log, config.max_len, device, self._heard(), self._labels)
        if not len(windows.lengths):  # nobody did two things
            return None
        sampled = is_sampled(config.loss, log.n_items)
        once = config.seen == "left out" or (config.seen == "auto" and is_taken_once(log))

        def loss(rows: Tensor, width: int | None = None) -> Tensor:
            history, then = windows.batch(rows, width)
            among = windows.candidates(then, config.negatives, config.mixed) if sampled else None
            with torch.autocast(device.type, torch.bfloat16, device.type == "cuda"):
                return net.loss(history, then, among, config, fixed=width is not None, once=once)

        batches = Batches(windows.lengths, config.batch, generator)
        if device.type == "cuda" and not sampled:  # a drawn sample has no fixed shape
            return batches, CudaGraph(loss, net.parameters(), batches)
        return batches, loss

    def reads(self) -> int:
        """The latest events of a history that count."""
        return int(self.config.max_len)

    def _states(self, queries: Queries) -> Tensor:
        """What each history says, (B, dim); 0 for an empty one."""
        net = self._fitted()
        device = self._scores_of_none.device
        states = torch.zeros((len(queries), self.config.dim), device=device)
        latest = queries.latest(self.config.max_len)
        order = np.flatnonzero(latest.lengths)
        order = order[np.argsort(latest.lengths[order], kind="stable")]
        for chosen in self._alike(order, latest.lengths[order]):
            block = latest[chosen]
            with torch.no_grad():
                history = padded(block, self._heard(), device)
                last = net(self._table, history, tensor(block.lengths - 1, device))
                states[tensor(chosen, device)] = last
        return states

    def _alike(self, order: Ints, lengths: Ints) -> Iterator[Ints]:
        """Parts of these histories, whose lengths rise, that a CPU's cache or a GPU can hold."""
        cells, low = self._cells(), 0
        while low < len(order):
            # the width is that of the longest, which is at most that of the last of the most
            width = int(lengths[min(low + SCORED_AT_ONCE, len(order)) - 1])
            rows = max(1, cells // (width * max(width, 8 * self.config.dim)))
            yield order[low : low + min(rows, SCORED_AT_ONCE)]
            low += min(rows, SCORED_AT_ONCE)

    def _cells(self) -> int:
        return GPU_CELLS if self._scores_of_none.is_cuda else CPU_CELLS

    def encode(self, queries: Queries) -> Tensor:
        """What each history says, as unit vectors (B, dim); the start vector of an empty one."""
        return self._or_start(functional.normalize(self._states(queries), dim=1), queries)

    def _match(self, net: Network, units: Tensor, vectors: Tensor) -> Tensor:
        return super()._match(net, units, vectors) * net.sharpness()

    def _encode_subsets(self, query: Queries, keep: Array) -> Tensor:
        if keep.shape[1] > MOST_PAIRED:
            return super()._encode_subsets(query, keep)
        net, device = self._fitted(), self._scores_of_none.device
        newest = keep & (keep[:, ::-1].cumsum(axis=1)[:, ::-1] <= self.config.max_len)
        states = torch.zeros((len(keep), self.config.dim), device=device)
        most = self._cells() // max(keep.shape[1], 8 * self.config.dim)
        chunks = list(prefix_tree(newest, max(1, most), device))
        history = padded(query, self._heard(), device)
        with torch.no_grad():
            states_of = net.of_parts(self._table, history, chunks)
            for chunk, chunk_states in zip(chunks, states_of, strict=True):
                states[tensor(chunk.rows, device)] = chunk_states
        return functional.normalize(states, dim=1)

    def rank(self, queries: Queries, items: Array) -> Tensor:
        """How good items (B, K) are: log P(next) + log of what each is then worth, (B, K).

        The worth is the expected log2(1 + weight) of its event, from the head of kinds; without
        one, how far above the log's lowest value it will be rated; without either, 1. For an empty
        history it is `score`, which counts events by their worth. Expected worth as in Covington et
        al., RecSys 2016, section 4.2.
        """
        net, chosen = (
            self._fitted(),
            tensor(np.asarray(items, np.int64), self._scores_of_none.device),
        )
        with torch.no_grad():
            states = self._states(queries)
            units, vectors = functional.normalize(states, dim=1), self._vectors[chosen]
            total = (vectors @ units[:, :, None])[..., 0] * net.sharpness()
            total += self._worth(net, queries, states, chosen).clamp(min=1e-6).log()
        empty = tensor(queries.lengths == 0, total.device)
        return torch.where(empty[:, None], self._scores_of_none[chosen], total)

    def _worth(self, net: Network, queries: Queries, states: Tensor, items: Tensor) -> Tensor:
        heads = net.heads
        if not hasattr(heads, "joint"):
            return torch.ones(items.shape, device=states.device)
        h = heads.of_pairs(states[:, None].expand(*items.shape, -1), self._table[items])
        if hasattr(heads, "event"):
            expected: Tensor = torch.softmax(heads.event(h), dim=2) @ heads.worth
            return expected
        assert self._ratings is not None, "the network has a rating head"
        base = self._ratings.baseline
        value = base.mean + tensor(base.item, h.device)[items]
        value = value + self._ratings.spread * (heads.rating(h)[..., 0] + self._person(queries))
        worth: Tensor = (value.clamp(base.low, base.high) - base.low) / (base.high - base.low or 1)
        return worth

    def _person(self, queries: Queries) -> Tensor:
        """How much higher than others each person rates, (B, 1), in deviations."""
        assert self._ratings is not None, "asked only of a model of ratings"
        latest = queries.latest(self.config.max_len)
        z = padded(latest, self._ratings, self._scores_of_none.device)["values"]
        return persons(z)[:, -1:] if z.shape[1] else z.new_zeros(len(queries), 1)

    def predict(self, queries: Queries, items: Array) -> Floats:
        """Mean + item + spread · (person + rating), in the range of the log's values, (B,).

        A history without events gets the baseline, and all do where ratings are not heard.

        Raises:
            NotFitted: the model is not fitted.
            BadInput: its log has no values.
        """
        net = self._fitted()
        ratings = required(self._ratings)
        above = self._person(queries)[:, 0]
        if hasattr(net.heads, "rating"):
            codes = tensor(np.asarray(items, np.int64), above.device)
            with torch.no_grad():
                pairs = net.heads.of_pairs(self._states(queries), self._table[codes])
                heard = tensor(queries.lengths > 0, above.device)
                above = above + net.heads.rating(pairs)[:, 0] * heard
        return ratings.baseline.predict((above * ratings.spread).cpu().numpy(), items)

    def labels(self, queries: Queries) -> Tensor:
        """How likely each kind of the label is, (B, kinds); its share for an empty history.

        Raises:
            BadInput: the model was not given a label.
        """
        heads = self._fitted().heads
        if not hasattr(heads, "label"):
            raise BadInput("this model knows no label: train it with label=NAME OF A CATEGORY")
        with torch.no_grad():
            shares = torch.softmax(heads.label(self._states(queries)), dim=1)
        empty = tensor(queries.lengths == 0, shares.device)
        return torch.where(empty[:, None], heads.label_shares, shares)

    def _label_findings(self, train: TrainData) -> LabelFindings:
        """How often the label is told rightly for people kept apart, and by the commonest kind."""
        log = train.train_and_validation or train.interactions
        codes, kinds = label_codes(train.user_features, self.config.label, log.n_users)
        assert self._labels is not None, "fitted with a label"
        apart = np.flatnonzero((codes >= 0) & (self._labels < 0))
        predicted = self.labels(log.queries(apart)).argmax(dim=1).cpu().numpy()
        common = int(np.bincount(self._labels[self._labels >= 0], minlength=len(kinds)).argmax())
        return LabelFindings(
            name=self.config.label,
            kinds=tuple(kinds),
            people=len(apart),
            right=float(np.mean(predicted == codes[apart])) if len(apart) else None,
            commonest=float(np.mean(codes[apart] == common)) if len(apart) else None,
        )

    def findings(self) -> UnifiedFindings:
        """How well a label is told, if there is one."""
        return self._findings

    def state(self) -> dict[str, Array]:
        """The network's, and the scale of the ratings where the log has values."""
        return super().state() | (self._ratings.state() if self._ratings else {})

    def load(self, state: Mapping[str, Array], *, device: str = "cpu") -> Self:
        """Take up what an earlier fit learnt."""
        self._ratings = Ratings.load(state)
        others = {name: value for name, value in state.items() if not name.startswith("rating_")}
        return super().load(others, device=device)
