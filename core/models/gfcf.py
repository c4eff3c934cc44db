"""GF-CF: graph filters on who took what, in closed form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar, Self

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from core.errors import TooLarge
from core.models.common.gram import products
from core.models.common.linear_history import FadesAfterwards, HistoryLinear
from core.models.common.memory import free_memory
from core.models.common.settings import Settings, history_decay_setting, setting
from core.models.common.similarity import PRODUCTS, largest
from core.models.common.sparse_rows import SparseRows
from core.models.common.strengths import largest_per_row, strengths, tie_breaker
from core.models.common.tensors import sparse_tensor, sum_rows, tensor
from core.types import Array, Floats, OnEpoch, Queries, TrainData

SPARE = 16  # columns beyond the rank, so that the last of it converge too
PASSES = 4  # over the log; more gave no better figures, on gowalla's validation part
NOISE = 1e-5  # a σ² below this share of the largest is rounding: its direction is arbitrary
ON_HOST = {"cpu": 16, "cuda": 48}  # bytes of RAM per neighbour at the worst moment, by device
ON_GPU = 20  # bytes per neighbour there: its row and column as int64, its weight as float32


@dataclass(frozen=True)
class GFCFConfig(Settings):
    """How the two filters are mixed."""

    rank: int = setting(256, "Directions that the low-pass keeps", min=1, max=4096, step=32)
    low_pass: float = setting(
        0.3, "Weight of the low-pass beside the neighbours", min=0.0, max=100.0, step=0.1
    )
    user_exponent: float = setting(
        0.3, "How much people with many events are toned down", min=0.0, max=1.0, step=0.05
    )
    item_exponent: float = setting(
        0.4, "How much items with many events are toned down", min=0.0, max=1.0, step=0.05
    )
    k: int = setting(1000, "Neighbours kept per item", min=1, max=1_000_000, step=100)
    history_decay: float = history_decay_setting(0.8)


class GFCF(FadesAfterwards, HistoryLinear):
    """Scores by two filters of the graph of people and items: neighbours, and the broad tastes.

    R̃ = D_U^-p R D_I^-q / σ with R (U, I) = log2(1 + Σ event weights), D its row and column sums,
    0^-q = 0, p and q the exponents and σ what makes the largest singular value 1. A history r (I,),
    fading by history_decay if the log tells what came last, scores base + r·R̃ᵀR̃ +
    low_pass · r·D_I^-q V Vᵀ D_I^q, V (I, rank) the top right singular vectors of R̃. Shen et al.,
    "How Powerful is Graph Convolution for Recommendation?", CIKM 2021, arXiv:2108.07567, section 5,
    where p = q = ½ and so σ = 1. Differs: the exponents are free and lower (chosen on
    gowalla's validation part, better on a retail log's too), each row of R̃ᵀR̃ keeps its k
    largest, V comes from a few passes, repeats and weights count, and the history fades.
    """

    Config: ClassVar[type] = GFCFConfig

    def fit(
        self,
        train: TrainData,
        *,
        rng: np.random.Generator,
        device: str = "cpu",
        on_epoch: OnEpoch | None = None,
    ) -> Self:
        """Multiply and factor R̃; O(Σ over users of length²) + O(events · rank) time.

        Raises:
            TooLarge: the neighbours or the low-pass do not fit into free memory.
        """
        config, log = self.config, train.interactions
        self._base = self._rows = None  # an earlier fit makes room
        x = strengths(log)
        _check_size(x, config, device)
        people = _power(x.sum(axis=1), config.user_exponent)
        self._scale = _power(x.sum(axis=0), config.item_exponent)
        x = (sparse.diags(_inverse(people)) @ x @ sparse.diags(_inverse(self._scale))).tocsr()
        self._basis, largest_sigma = _right_singular(x, config.rank, rng, device)
        x.data /= np.float32(largest_sigma or 1)
        rows = sparse.vstack(list(_neighbours(x, config.k)), format="csr")
        base = tie_breaker(log, largest_per_row(rows))
        decay = config.history_decay if log.times is not None else 1.0
        self._keep(base, SparseRows(rows, device), decay, device)
        return self

    def score(self, queries: Queries) -> Tensor:
        """Scores (B, n_items), float32, on the model's device."""
        near = super().score(queries)
        weight = self.config.low_pass
        return near.addmm_(self.encode(queries), self.encode_items().T, alpha=weight)

    def shares(self, queries: Queries, items: Array) -> Array:
        """What each event adds to these items' scores while it is the latest, (E, T) float64."""
        near = super().shares(queries, items)
        basis = self._basis.cpu().numpy().astype(np.float64)
        scale = np.asarray(self._scale, np.float64)
        weights = queries.weights * np.asarray(_inverse(self._scale), np.float64)[queries.items]
        broad = (basis[queries.items] * weights[:, None]) @ (basis[items] * scale[items][:, None]).T
        both: Array = near + self.config.low_pass * broad
        return both

    def encode(self, queries: Queries) -> Tensor:
        """The tastes of these histories, r·D_I^-q V, (B, rank); at most n_items columns."""
        self._fitted()
        weights = self._weights(queries) * _inverse(self._scale)[queries.items]
        return sum_rows(queries, weights, self._basis)

    def encode_items(self) -> Tensor:
        """What the items offer to each taste, D_I^q V, (I, rank): its product is the low-pass."""
        self._fitted()
        return self._basis * tensor(self._scale, self._basis.device)[:, None]

    def state(self) -> dict[str, Array]:
        """Base (I,), decay (1,), R̃ᵀR̃ as indptr, indices, data, V (I, rank), D_I^q (I,)."""
        return super().state() | {"v": self._basis.cpu().numpy(), "scale": self._scale}

    def load(self, state: Mapping[str, Array], *, device: str = "cpu") -> Self:
        """Take up what an earlier fit learnt."""
        super().load(state, device=device)
        self._basis, self._scale = tensor(state["v"], device), state["scale"]
        return self


def _check_size(x: sparse.csr_matrix, config: GFCFConfig, device: str) -> None:
    """The neighbours are made on the host, then copied; the low-pass is made on the device."""
    kind = torch.device(device).type
    (n_users, n_items), columns = x.shape, config.rank + SPARE
    near = int(np.minimum(products(x), min(config.k, n_items)).sum())
    broad = 4 * min(columns, n_items) * (n_users + 4 * n_items)
    if kind == "cpu":
        _check_memory("cpu", ON_HOST[kind] * near, broad, config, n_items)
    else:
        _check_memory("cpu", ON_HOST[kind] * near, 0, config, n_items)
        _check_memory(device, ON_GPU * near, broad, config, n_items)


def _check_memory(device: str, near: int, broad: int, config: GFCFConfig, n_items: int) -> None:
    free = free_memory(device)
    if near + broad > free:
        raise TooLarge(
            f"GF-CF may need {near / 2**30:,.1f} GiB of the {torch.device(device).type}'s memory "
            f"for k = {config.k:,} and {broad / 2**30:,.1f} GiB for rank = {config.rank:,} with "
            f"{n_items:,} items, but {free / 2**30:,.1f} GiB are free: lower them, or drop rare "
            "items (k-core)"
        )


def _power(sums: Array, exponent: float) -> Floats:
    """sums^exponent, 0 where the sum is 0."""
    sums = np.asarray(sums, np.float32).ravel()
    return np.power(sums, np.float32(exponent), out=np.zeros_like(sums), where=sums > 0)


def _inverse(x: Floats) -> Floats:
    """1 / x, 0 where it is 0."""
    return np.divide(1, x, out=np.zeros_like(x), where=x > 0)


def _neighbours(x: sparse.csr_matrix, k: int) -> Iterator[sparse.csr_matrix]:
    """The k largest of each row of xᵀx, as many rows at a time as PRODUCTS allows."""
    transposed, cost = x.T.tocsr(), products(x)
    bounds = np.searchsorted(np.cumsum(cost), np.arange(0, cost.sum(), PRODUCTS))
    for start, stop in pairwise(np.unique([0, *bounds, x.shape[1]]).tolist()):
        yield largest(transposed[start:stop] @ x, k)


def _right_singular(
    x: sparse.csr_matrix, rank: int, rng: np.random.Generator, device: str
) -> tuple[Tensor, float]:
    """The top right singular vectors of x (U, I), by falling σ, 0 where it is; the largest σ.

    (I, min(rank, I)). Halko, Martinsson, Tropp, SIAM Review 2011, algorithm 4.4, on xᵀx.
    """
    n, torch_device = x.shape[1], torch.device(device)
    right = tensor(rng.standard_normal((n, min(rank + SPARE, n)), np.float32), device)
    forth, back = sparse_tensor(x.tocsc(), torch_device), sparse_tensor(x.T, torch_device)
    for _ in range(PASSES):
        right = torch.linalg.qr(torch.sparse.mm(back, torch.sparse.mm(forth, right))).Q
    image = torch.sparse.mm(forth, right)
    squares, turn = torch.linalg.eigh(image.T @ image)  # σ², rising
    basis: Tensor = right @ (turn * (squares > NOISE * squares[-1])).flip(1)[:, :rank]
    return basis.contiguous(), float(squares[-1].clamp(min=0).sqrt())
