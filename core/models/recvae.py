"""RecVAE: a variational autoencoder of whole histories."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from scipy import sparse
from torch import Tensor, nn
from torch.distributions import Normal
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from core.models.common.settings import history_decay_setting, setting
from core.models.common.tensors import tensor
from core.models.common.vectors import unit_rows
from core.models.neural.gradient_model import GradientModel, Task
from core.models.neural.start_state import Scores
from core.models.neural.train_loop import TrainingSettings
from core.models.neural.training_state import Batches
from core.types import Array, Interactions, Queries, TrainData

LOGITS = 2**27  # histories × items held at once; beyond, they are made again on the way back
EPSILON = 0.1  # of LayerNorm, as in the authors' code
SHARES = (0.15, 0.75, 0.1)  # of the prior: standard normal, old posterior, wide normal
WIDE = math.exp(5)  # standard deviation of the wide normal
normal = partial(Normal, validate_args=False)  # what is not finite is found in the loss


@dataclass(frozen=True)
class RecVAEConfig(TrainingSettings):
    """Size of the network, and how it learns."""

    batch: int = setting(128, "Histories per step", min=1, max=65536, step=64)
    learning_rate: float = setting(2e-3, "Size of a step", min=1e-6, max=1.0, step=1e-4)
    dim: int = setting(200, "Numbers that sum up a history", min=1, max=4096, step=50)
    hidden: int = setting(600, "Width of the encoder's layers", min=1, max=8192, step=100)
    dropout: float = setting(
        0.3, "Share of a history that is hidden in training", min=0.0, max=0.9, step=0.1
    )
    gamma: float = setting(
        1e-3, "How hard the prior pulls, for each event to be told", min=0.0, max=10.0, step=1e-3
    )
    history_decay: float = history_decay_setting(0.8)


class RecVAE(GradientModel["Network"]):
    """Sums a history up in a few numbers, and tells from them what else belongs to it.

    score = W μ(x) + b. Shenbin et al., "RecVAE", WSDM 2020, arXiv:1912.11160: the history x, of
    unit length, goes through layers that each see the sum of all before (swish, LayerNorm) to μ and
    σ²; from a draw z of N(μ, σ²) the softmax p of W z + b must tell the history y = x:
    Σ_i y_i log p_i - γ (Σ_i y_i) (log N(z; μ, σ²) - log prior(z)) is raised. The prior is a mixture
    of N(0, 1), N(0, e^10) and the posterior that the encoder gave before this pass.

    Differs: in a log with times each history is cut anew in each pass; x is what came before the
    cut and y what came after, both fading with the distance from it. An event counts
    log2(1 + weight). Where they pass three times over the data for the encoder, then once for the
    decoder, each step moves both, each by its own half of the loss (Network.losses); the decoder,
    as there, learns from whole histories. No draw when scoring, as there. Of a history without
    events μ is a start state (start_state.py).
    """

    Config: ClassVar[type] = RecVAEConfig

    def _network(self, train: TrainData, log: Interactions) -> Network:
        net = Network(self.config, log.n_items)
        net.ordered.fill_(log.times is not None)
        return net

    def _network_of(self, weights: Mapping[str, Tensor]) -> Network:
        return Network(self.config, len(weights["decoder.weight"]))

    def _task(self, net: Network, log: Interactions, generator: torch.Generator) -> Task | None:
        ordered, decay, people = bool(net.ordered), self._decay(net), log.queries()
        people = people[people.lengths > int(ordered)]
        if not len(people):  # nobody did two things
            return None
        old = deepcopy(net.encoder).requires_grad_(False)
        size = max(1, LOGITS // log.n_items)

        def begin() -> None:
            old.load_state_dict(net.encoder.state_dict())

        def task(rows: Tensor) -> tuple[Bag, Bag, Normal]:
            queries = people[rows.numpy()]
            shares = cut(queries, decay) if ordered else (np.ones(len(queries.items)),) * 2
            x, y = (strength(queries, log.n_items, share) for share in shares)
            history = Bag.of(unit_rows(x), net.ordered.device)
            with torch.no_grad():
                return history, Bag.of(y, net.ordered.device), old(history)

        def loss(rows: Tensor) -> Tensor:
            losses = net.losses
            if len(rows) > size:
                losses = partial(checkpoint, net.losses, use_reentrant=False)
            return torch.cat([losses(*task(chunk)) for chunk in torch.split(rows, size)]).mean()

        return Passes(begin, torch.ones(len(people)), self.config.batch, generator), loss

    def _refresh(self, net: Network) -> None:
        pass

    def _decay(self, net: Network) -> float:
        return self.config.history_decay if net.ordered else 1.0

    def encode(self, queries: Queries) -> Tensor:
        """What each history is summed up in, μ (B, dim)."""
        net = self._fitted()
        x = strength(queries, net.n_items, self._decay(net) ** queries.ages)
        with torch.no_grad():
            posterior: Normal = net.encoder(Bag.of(unit_rows(x), net.ordered.device))
        return self._or_start(posterior.mean, queries)

    def encode_items(self) -> Tensor:
        """The items' vectors W, (I, dim)."""
        return self._fitted().decoder.weight.detach()

    def _start_scores(self, net: Network) -> tuple[Scores, int]:
        weight, bias = (x.detach().double() for x in (net.decoder.weight, net.decoder.bias))
        return lambda vector: weight @ vector + bias, weight.shape[1]

    def _scores(self, net: Network, queries: Queries) -> Tensor:
        scores: Tensor = net.decoder(self.encode(queries))
        return scores


class Passes(Batches):
    """Batches that tell when a pass begins."""

    def __init__(self, begin: Callable[[], None], *rows: Any) -> None:
        super().__init__(*rows)
        self._begin = begin

    def __iter__(self) -> Iterator[Tensor]:
        self._begin()
        yield from super().__iter__()


def strength(queries: Queries, n_items: int, shares: Array) -> sparse.csr_matrix:
    """How strongly each history holds each item, (B, I): log2(1 + Σ weight · share (E,))."""
    x = queries.matrix(n_items, queries.weights * shares)
    x.eliminate_zeros()
    x.data = np.log2(1 + x.data)
    return x


def cut(queries: Queries, decay: float) -> tuple[Array, Array]:
    """Each event's share in what is given and in what is to be told, (E,) each; one of them is 0.

    A history, of two events or more, is cut between any two of them; an event's share is
    decay ** (number of events between it and the cut).
    """
    n = queries.lengths
    places = 1 + (torch.rand(len(n), dtype=torch.float64).numpy() * (n - 1)).astype(np.int64)
    gaps = (n - 1 - places)[queries.rows] - queries.ages  # 0: the first after the cut
    shares = decay ** np.where(gaps < 0, -1 - gaps, gaps)
    return shares * (gaps < 0), shares * (gaps >= 0)


class Bag(NamedTuple):
    """A sparse matrix (B, I) on the device, row by row."""

    items: Tensor  # (E,)
    values: Tensor  # (E,)
    offsets: Tensor  # (B + 1,)

    @classmethod
    def of(cls, matrix: sparse.csr_matrix, device: torch.device) -> Bag:
        """This matrix."""
        types = {"indices": np.int64, "data": np.float32, "indptr": np.int64}
        return cls(*(tensor(getattr(matrix, a).astype(t), device) for a, t in types.items()))

    def per_row(self, values: Tensor) -> Tensor:
        """Σ over each row's entries of these values (E,), (B,)."""
        owners = torch.repeat_interleave(self.offsets.diff())
        return values.new_zeros(len(self.offsets) - 1).index_add(0, owners, values)


def log_prior(z: Tensor, old: Normal) -> Tensor:
    """The log density of each number of z (B, dim) under the composite prior."""
    zero = torch.zeros_like(z)
    normals = (normal(zero, zero + 1), old, normal(zero, zero + WIDE))
    densities = torch.stack([n.log_prob(z) for n in normals])  # type: ignore[no-untyped-call]
    return (densities + z.new_tensor(SHARES).log()[:, None, None]).logsumexp(dim=0)


def log_likelihood(z: Tensor, weight: Tensor, bias: Tensor, wanted: Bag) -> Tensor:
    """Σ over what is wanted of value · log softmax(weight z + bias), (B,)."""
    logits = functional.linear(z, weight, bias)
    owners = torch.repeat_interleave(wanted.offsets.diff())
    log_shares = logits[owners, wanted.items] - logits.logsumexp(dim=1)[owners]
    return wanted.per_row(log_shares * wanted.values)


class Encoder(nn.Module):
    """A history in, its posterior out."""

    def __init__(self, n_items: int, hidden: int, dim: int) -> None:
        super().__init__()
        self.first = nn.Embedding(n_items, hidden)
        nn.init.uniform_(self.first.weight, -(n_items**-0.5), n_items**-0.5)  # as of a Linear
        self.bias = nn.Parameter(torch.zeros(hidden))
        self.layers = nn.ModuleList(nn.Linear(hidden, hidden) for _ in range(4))
        self.norms = nn.ModuleList(nn.LayerNorm(hidden, eps=EPSILON) for _ in range(5))
        self.mean, self.log_variance = nn.Linear(hidden, dim), nn.Linear(hidden, dim)

    def forward(self, history: Bag, dropout: float = 0.0) -> Normal:
        """N(μ, σ²), (B, dim); a share of the history's entries is dropped."""
        x = functional.embedding_bag(
            history.items,
            self.first.weight,
            history.offsets,
            mode="sum",
            per_sample_weights=functional.dropout(history.values, dropout),
            include_last_offset=True,
        )
        total = h = self.norms[0](functional.silu(x + self.bias))
        for layer, norm in zip(self.layers, self.norms[1:], strict=True):
            h = norm(functional.silu(layer(h) + total))
            total = total + h
        return normal(self.mean(h), (0.5 * self.log_variance(h)).exp())


class Network(nn.Module):
    """Encoder, and a decoder of one layer."""

    ordered: Tensor

    def __init__(self, config: Any, n_items: int) -> None:
        super().__init__()
        self.register_buffer("ordered", torch.tensor(True))
        self.n_items, self._dropout, self._gamma = n_items, config.dropout, config.gamma
        self.encoder = Encoder(n_items, config.hidden, config.dim)
        self.decoder = nn.Linear(config.dim, n_items)

    def losses(self, history: Bag, wanted: Bag, old: Normal) -> Tensor:
        """Of each history (B,): the encoder's half plus the decoder's.

        The encoder's is the whole loss, from histories with gaps, and moves nothing of the decoder;
        the decoder's is the likelihood from whole histories, and moves nothing of the encoder.
        """
        weight, bias = self.decoder.weight, self.decoder.bias
        posterior = self.encoder(history, self._dropout)
        z = posterior.rsample()
        apart = (posterior.log_prob(z) - log_prior(z, old)).sum(dim=1)
        pull = self._gamma * wanted.per_row(wanted.values)
        encoder = pull * apart - log_likelihood(z, weight.detach(), bias.detach(), wanted)
        with torch.no_grad():
            z = self.encoder(history).sample()
        losses: Tensor = encoder - log_likelihood(z, weight, bias, wanted)
        return losses
