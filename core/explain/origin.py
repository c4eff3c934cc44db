"""Which people of the log taught a network that one item speaks for another.

TracIn (Pruthi, Liu, Kale, Sundararajan, "Estimating Training Data Influence by Tracing Gradient
Descent", NeurIPS 2020, section 3, TracInCP) at one checkpoint, the network as it is, and on its
last layer, the items' vectors e_i: score_i = h · e_i + offset, h what a history encodes to. To a
person z, who at step t took y_t after the history that encodes to h_t,

    -∂L/∂e_i = Σ_t w_t r_ti h_t,  r_ti = 1[i = y_t] - p_ti,

is what moved e_i; p_t is the softmax of the scores, w = log2(1 + weight). What is traced is by how
much less the item B is lifted above the mean of all candidates without A (Contrast.MEAN: with the
share, the gradient of every other item would count too), q = v(x) - v(x without A), whose gradient
is (1[i = B] - 1 / candidates) (h(x) - h(x without A)). So the influence of z on q is, up to a
factor that all people share,

    Σ_t w_t (r_tB - mean of r_t over the candidates) h_t · (h(x) - h(x without A)).

It is an estimate: the layers below and earlier states of the network are left out, and each event
of a person is foretold from those before it by softmax over all items, without dropout, whatever
the network's own loss draws, cuts or leaves out (sampled items in lightgcn, simgcl and large
catalogues, what a person had in unified, what simgcl's contrast does). In a log without times each
event is foretold from all others of its person. recvae, which foretells all that follows at once,
is left out: people found so bore its reasons no more than any who took A and then B.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from core.errors import BadInput
from core.explain.candidates import candidates
from core.explain.contrast import Contrast
from core.explain.game import Game
from core.explain.history import one_history
from core.models.common.tensors import tensor
from core.models.neural.gradient_model import GradientModel
from core.models.recvae import RecVAE
from core.recommend.time_limit import check_time
from core.types import (
    PAD,
    Array,
    Encoder,
    Interactions,
    Ints,
    Progress,
    Queries,
    Recommender,
    silent,
)

MOST_PEOPLE = 200  # all of whose steps are looked at
MOST_EVENTS = 200  # latest ones of a person that are looked at
CELLS = 2**22  # steps × items, and events of histories, at once


@dataclass(frozen=True, eq=False)
class Origins:
    """People by how much they taught that `cause` speaks for `item`, the most first.

    Only those who took the item are looked at, after something else where the log has times.
    """

    cause: int  # A, a code
    item: int  # B, a code
    value: float  # q: how much less B is lifted above others without A
    takers: int  # people who took B
    users: Ints  # (P,) codes, at most MOST_PEOPLE of them
    influence: Array  # (P,) float64, falling; only their ratios mean something
    taken: Ints  # (P,) the event of the log, its place there, at which each took B
    because: Ints  # (P,) the earlier event that made most of that step; PAD beyond `top`

    @property
    def shares(self) -> Array:
        """Of all that was taught, (P,): influence / sum of those above 0; 0 where none is."""
        total = self.influence.clip(min=0).sum()
        shares: Array = self.influence.clip(min=0) / (total or 1.0)
        return shares


def has_last_layer(model: Recommender) -> bool:
    """Whether it learnt vectors of items by foretelling one event after another."""
    learnt = isinstance(model, GradientModel) and isinstance(model, Encoder)
    return learnt and not isinstance(model, RecVAE)


def origins(
    model: Recommender,
    query: Queries,
    cause: int,
    item: int,
    log: Interactions,
    *,
    n_items: int,
    top: int = 10,
    on_progress: Progress = silent,
) -> Origins:
    """Who taught the model that `cause`, an item of the history, speaks for `item`.

    Of more than MOST_PEOPLE who took the item those are looked at whose step towards it alone has
    the most influence.

    Args:
        model: A network with a last layer of items' vectors.
        query: One history.
        cause: Code of A; all its events are left out together.
        item: Code of B.
        log: What the model learnt from.
        n_items: Items in the catalogue.
        top: Of so many people the event is sought that made most of their step to B.
        on_progress: Told how far it is.

    Raises:
        BadInput: the model has no such layer, the history has not the cause, or it is the item.
    """
    if not has_last_layer(model):
        raise BadInput(
            "where a reason came from is known only of networks that learn a vector for each item "
            "from one event after another (unified, two_tower, lightgcn, simgcl), not of this model"
        )
    query = one_history(query)
    if cause not in query.items or cause == item:
        raise BadInput(f"the cause must be an item of the history other than {item}, not {cause}")
    keep = np.stack([np.ones(len(query.items), bool), query.items != cause])
    v = Game(model, query, np.array([item]), n_items, contrast=Contrast.MEAN)(keep)[:, 0].sum(
        axis=1
    )
    trace = _Trace(model, query, keep, item, n_items)
    steps = _steps_to(log, item)
    own = trace.influence(log, steps, silent)
    users, first = np.unique(log.users[steps], return_index=True)
    if len(users) > MOST_PEOPLE:
        summed = np.add.reduceat(own, first)
        users = np.sort(users[np.argsort(-summed, kind="stable")[:MOST_PEOPLE]])
    every = _steps_of(log, users)
    total = np.bincount(
        np.searchsorted(users, log.users[every]),
        trace.influence(log, every, on_progress),
        minlength=len(users),
    )
    order = np.argsort(-total, kind="stable")
    strongest = steps[np.lexsort((-own, log.users[steps]))]  # of each person first
    taken = strongest[np.searchsorted(log.users[strongest], users[order])]
    because = np.full(len(users), PAD)
    for at, step in enumerate(taken[:top].tolist()):
        because[at] = trace.because(log, step)
    return Origins(
        cause=cause,
        item=item,
        value=float(v[0] - v[1]),
        takers=len(first),
        users=users[order],
        influence=total[order],
        taken=taken,
        because=because,
    )


class _Trace:
    """What is traced, as a direction in the space of histories and a weight of each item."""

    def __init__(
        self, model: Recommender, query: Queries, keep: Array, item: int, n_items: int
    ) -> None:
        assert isinstance(model, Encoder), "it has a last layer"
        self.model, self.encode = model, model.encode
        with torch.no_grad():
            whole, without = self.encode(query.subsets(keep)).double()
        self.direction = whole - without  # (D,)
        weights = -candidates(query, n_items).astype(float)
        weights /= -weights.sum()
        weights[item] += 1
        self.weights = tensor(weights, whole.device)  # (I,)

    def influence(self, log: Interactions, steps: Ints, on_progress: Progress) -> Array:
        """Of each of these events of the log (n,), foretold from its history, (n,) float64."""
        influence = np.zeros(len(steps))
        size = max(1, CELLS // max(len(self.weights), MOST_EVENTS))
        for start in range(0, len(steps), size):
            check_time()
            on_progress("trace", start / len(steps))
            block = steps[start : start + size]
            histories, targets = before(log, block), log.items[block]
            with torch.no_grad():
                shares = torch.softmax(self.model.score(histories).double(), dim=1)
                along = self.encode(histories).double() @ self.direction
            pulled = self.weights[tensor(targets, shares.device)] - shares @ self.weights
            strength = tensor(np.log2(1 + log.weights[block]), shares.device)
            influence[start : start + size] = (strength * pulled * along).cpu().numpy()
        return influence

    def because(self, log: Interactions, step: int) -> int:
        """The event without which the history of this one lies least along the direction."""
        history = before(log, np.array([step]))
        n = len(history.items)
        if not n:
            return PAD
        with torch.no_grad():
            along: Tensor = self.encode(history.subsets(~np.eye(n, dtype=bool))).double()
        least = int((along @ self.direction).argmin())
        return int(_places_before(log, np.array([step]))[0][least])


def _steps_to(log: Interactions, item: int) -> Ints:
    """The events of this item that are foretold from something, their places in the log, rising."""
    events = np.flatnonzero(log.items == item)
    return events[np.diff(_places_before(log, events)[1]) > 0]


def _steps_of(log: Interactions, users: Ints) -> Ints:
    """The latest events of these people that are foretold from something, places in the log."""
    starts, stops = log.offsets[users], log.offsets[users + 1]
    starts = np.maximum(starts + (log.times is not None), stops - MOST_EVENTS)
    return np.concatenate(
        [np.arange(low, high) for low, high in zip(starts.tolist(), stops.tolist(), strict=True)]
        or [np.zeros(0, np.int64)]
    )


def before(log: Interactions, steps: Ints) -> Queries:
    """The histories from which these events of the log are foretold, strangers', (n,)."""
    places, offsets = _places_before(log, steps)
    optional = ("times", "values", "events", "platforms")
    arrays = {n: a[places] for n in optional if (a := getattr(log, n)) is not None}
    return Queries(
        users=np.full(len(steps), PAD),
        offsets=offsets,
        items=log.items[places],
        weights=log.weights[places],
        **arrays,
    )


def _places_before(log: Interactions, steps: Ints) -> tuple[Ints, Ints]:
    """Where the events of their histories stand in the log, (E,), and their offsets (n + 1,).

    The latest MOST_EVENTS before it; without times all but those of the same item.
    """
    starts = log.offsets[log.users[steps]]
    stops = steps if log.times is not None else log.offsets[log.users[steps] + 1]
    starts = np.maximum(starts, stops - MOST_EVENTS)
    lengths = stops - starts
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    places = np.repeat(starts - offsets[:-1], lengths) + np.arange(offsets[-1])
    if log.times is None:
        owners = np.repeat(np.arange(len(steps)), lengths)
        other = log.items[places] != log.items[steps][owners]
        places, owners = places[other], owners[other]
        offsets = np.searchsorted(owners, np.arange(len(steps) + 1))
    return places, offsets
