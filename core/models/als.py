"""Implicit matrix factorisation by alternating least squares (iALS)."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import torch
from scipy import sparse
from torch import Tensor
from torch.nn import functional

from core.errors import NotFitted, TooLarge
from core.models.common.linear_history import FadesAfterwards
from core.models.common.memory import free_memory
from core.models.common.settings import Settings, history_decay_setting, setting
from core.models.common.strengths import strengths, tie_breaker
from core.models.common.tensors import tensor
from core.types import Array, EpochReport, OnEpoch, Queries, TrainData

STEPS = 1  # of conjugate gradients each time: more gain nothing, the other side moves on anyway
FOLD_STEPS = 20  # from zero, for a history that may be new: as good as a direct solution
START = 0.1  # length of the first vectors
TINY = 1e-30  # keeps a row that is solved already from 0 / 0
COPIES, ENTRY = 8, 72  # of the vectors, and bytes per event, held at the worst moment of the fit


@dataclass(frozen=True)
class ALSConfig(Settings):
    """How large the vectors are, and what holds them back."""

    dim: int = setting(128, "Numbers per vector", min=1, max=1024, step=16)
    sweeps: int = setting(
        16, "Times that all people and all items are solved for", min=1, max=1000, step=5
    )
    unobserved: float = setting(
        0.1, "Weight of an item not taken, where one taken has 1", min=1e-4, max=10.0, step=0.1
    )
    l2: float = setting(
        1.0, "Pulls the vectors towards 0: more for noisier data", min=1e-6, max=1e3, step=0.1
    )
    l2_exponent: float = setting(
        0.0,
        "How much harder to pull where many took part; needs a lower l2",
        min=0.0,
        max=1.0,
        step=0.1,
    )
    history_decay: float = history_decay_setting(0.7)


class ALS(FadesAfterwards):
    """A vector for each person and item, their product near 1 for what was taken, else near 0.

    Minimises Σ_taken w_ui (p_u·q_i - 1)² + α Σ_all (p_u·q_i)² + Σ_u λ_u |p_u|² + Σ_i λ_i |q_i|²,
    w = log2(1 + Σ event weights), α = unobserved, λ_u = l2 · (Σ_i w_ui + α I)^l2_exponent, λ_i too.
    Hu, Koren, Volinsky, "Collaborative Filtering for Implicit Feedback Datasets", ICDM 2008, in the
    form of Rendle et al., "Revisiting the Performance of iALS on Item Recommendation Benchmarks",
    RecSys 2022, arXiv:2110.14037. Differs: repeats and weights count; conjugate gradients with a
    preconditioner instead of direct solutions (without one: Takács, Pilászy, Tikk, "Applications of
    the Conjugate Gradient Method for Implicit Feedback Collaborative Filtering", RecSys 2011); and
    a history fades by history_decay when it is folded in, if the log tells what came last.
    """

    Config: ClassVar[type] = ALSConfig
    needs_validation: ClassVar[bool] = False
    needs_features: ClassVar[bool] = False

    def __init__(self, config: Any = None) -> None:
        self.config = self.Config() if config is None else config
        self._ridges: _Ridges | None = None

    def fit(
        self,
        train: TrainData,
        *,
        rng: np.random.Generator,
        device: str = "cpu",
        on_epoch: OnEpoch | None = None,
    ) -> Self:
        """Solve for people and items in turn; O(sweeps · (events + (U + I) · dim) · dim) time.

        After each sweep, on_epoch gets the loss: exact, and it never rises.

        Raises:
            TooLarge: vectors and events do not fit into the device's free memory.
        """
        config, log = self.config, train.interactions
        self._ridges = None  # an earlier fit makes room
        x = strengths(log)
        _check_size(x, config.dim, device)
        users, items = _Taken.of(x, device), _Taken.of(x.T.tocsr(), device)
        random = torch.Generator().manual_seed(int(rng.integers(2**63)))
        q = torch.randn(log.n_items, config.dim, generator=random)
        q = q.mul_(START / config.dim**0.5).to(device) * (items.totals > 0)  # 0 if never taken
        p = q.new_zeros(log.n_users, config.dim)
        taken = float(x.data.sum(dtype=np.float64))
        for epoch in range(1, config.sweeps + 1):
            q, p = _to_principal_axes(q, p, items, config.unobserved)
            p, _, pull = _Ridges.on(q, items, config).solve(users, p, STEPS)
            p, q = _to_principal_axes(p, q, users, config.unobserved)
            q, rest, _ = _Ridges.on(p, users, config).solve(items, q, STEPS)
            if on_epoch is not None:
                on_epoch(EpochReport(epoch, config.sweeps, loss=taken + rest + pull))
        q, _ = _to_principal_axes(q, p, items, config.unobserved)
        self._base = tensor(tie_breaker(log, 1.0), device)
        self._decay = config.history_decay if log.times is not None else 1.0
        self._ridges = _Ridges.on(q, items, config)
        return self

    @property
    def device(self) -> str:
        """Where the vectors lie: "cpu" or "cuda"."""
        return "cpu" if self._ridges is None else self._ridges.y.device.type

    def _fitted(self) -> _Ridges:
        if self._ridges is None:
            raise NotFitted("this ALS model is not fitted yet: fit or load it")
        return self._ridges

    def score(self, queries: Queries) -> Tensor:
        """Scores (B, n_items), float32, on the model's device."""
        vectors = self.encode(queries)
        return torch.addmm(self._base, vectors, self.encode_items().T)

    def encode(self, queries: Queries) -> Tensor:
        """The vectors of these histories, each solved for afresh, (B, dim); 0 for an empty one."""
        ridges = self._fitted()
        weights = queries.weights * self._decay**queries.ages
        x = queries.matrix(len(ridges.y), weights)
        x.data = np.log2(1 + x.data)
        start = ridges.y.new_zeros(len(queries), self.config.dim)
        return ridges.solve(_Taken.of(x, ridges.y.device), start, FOLD_STEPS)[0]

    def encode_items(self) -> Tensor:
        """The items' vectors, (I, dim): a product with a history's vector is near 1 if it fits."""
        return self._fitted().y

    def state(self) -> dict[str, Array]:
        """Items' vectors (I, dim), their gram (dim, dim), spread (dim,); base (I,), decay (1,)."""
        ridges = self._fitted()
        parts = {"items": ridges.y, "gram": ridges.gram, "spread": ridges.spread}
        state = {
            name: array.cpu().numpy() for name, array in (parts | {"base": self._base}).items()
        }
        return state | {"decay": np.array([self._decay])}

    def load(self, state: Mapping[str, Array], *, device: str = "cpu") -> Self:
        """Take up what an earlier fit learnt."""
        items, gram, spread, self._base = (
            tensor(state[name], device) for name in ("items", "gram", "spread", "base")
        )
        self._decay = float(state["decay"][0])
        self._ridges = _Ridges(items, gram, spread, self.config)
        return self


def _check_size(x: sparse.csr_matrix, dim: int, device: str) -> None:
    kind = torch.device(device).type
    per_number, fixed, free = 4 * COPIES * sum(x.shape), ENTRY * x.nnz, free_memory(device)
    need = per_number * dim + fixed
    if need > free:
        raise TooLarge(
            f"ALS needs {need / 2**30:,.1f} GiB of the {kind}'s memory for {sum(x.shape):,} people "
            f"and items with dim = {dim:,}, but {free / 2**30:,.1f} GiB are free: lower dim, to "
            f"{max(0, int((free - fixed) / per_number)):,} at most, or drop rare items (k-core)"
        )


@dataclass(frozen=True, eq=False)
class _Taken:
    """A sparse matrix of weights (N, M) on the device: what each of N rows took of M columns."""

    matrix: Tensor  # (N, M), CSR
    totals: Tensor  # (N, 1) Σ of each row

    @classmethod
    def of(cls, x: sparse.csr_matrix, device: str | torch.device) -> Self:
        starts, places, weights = (tensor(array, device) for array in (x.indptr, x.indices, x.data))
        with warnings.catch_warnings():  # torch remarks, once, that CSR is young and unchecked
            warnings.filterwarnings("ignore", "Sparse ")
            matrix = torch.sparse_csr_tensor(starts, places, weights, x.shape)
        return cls(matrix, tensor(np.asarray(x.sum(axis=1), np.float32), device))

    def products(self, rows: Tensor, columns: Tensor) -> Tensor:
        """rows[n]·columns[m] for each n, m with a weight: (nnz,), from (N, D) and (M, D)."""
        sampled: Tensor = torch.sparse.sampled_addmm(self.matrix, rows, columns.T, beta=0.0)
        return sampled.values()

    def sum(self, weights: Tensor, columns: Tensor) -> Tensor:
        """Σ over each row's m of weight (nnz,) · columns[m], (N, D)."""
        places, starts = self.matrix.col_indices(), self.matrix.crow_indices()[:-1]
        return functional.embedding_bag(
            places, columns, starts, mode="sum", per_sample_weights=weights
        )


@dataclass(frozen=True, eq=False)
class _Ridges:
    """Ridge regressions on fixed vectors y (M, D), one for each row: (A_n) x_n = b_n.

    A_n = α YᵀY + Σ_m w_nm y_m y_mᵀ + λ_n, b_n = Σ_m w_nm y_m. Where y lies in its principal axes,
    diag(α YᵀY) + (Σ_m w_nm) · spread + λ_n comes close to A_n, and so preconditions it.
    """

    y: Tensor
    gram: Tensor  # α YᵀY, (D, D)
    spread: Tensor  # (D,) mean of y² over what was taken
    config: Any

    @classmethod
    def on(cls, y: Tensor, takers: _Taken, config: Any) -> Self:
        """With the totals (M, 1) of how often each was taken."""
        share = takers.totals / takers.totals.sum().clamp_min(TINY)
        return cls(y, config.unobserved * (y.T @ y), (share * y * y).sum(dim=0), config)

    def solve(self, taken: _Taken, x: Tensor, steps: int) -> tuple[Tensor, float, float]:
        """The x (N, D) after so many steps of conjugate gradients, and what the loss owes to it.

        That is Σ_n x_n·A_n x_n - 2 b_n·x_n, and the part of it that is Σ_n λ_n |x_n|².
        """
        config, w = self.config, taken.matrix.values()
        size = taken.totals + config.unobserved * len(self.y)
        pull = config.l2 * size**config.l2_exponent
        scale = 1 / (self.gram.diagonal() + taken.totals * self.spread + pull)
        near = taken.products(x, self.y)
        r = taken.sum(w * (1 - near), self.y).addmm_(x, self.gram, alpha=-1).sub_(pull * x)
        owed = -_total(w * near) - _total(x * r)  # -x·(b + r)
        z = scale * r
        direction, rz = z, _dots(r, z)
        for _ in range(steps):
            moved = taken.sum(w * taken.products(direction, self.y), self.y)
            moved.addmm_(direction, self.gram).addcmul_(pull, direction)
            step = rz / _dots(direction, moved).clamp_min(TINY)
            x, r = x + step * direction, r - step * moved
            owed -= _total(step * rz)
            z, before = scale * r, rz
            rz = _dots(r, z)
            direction = z + rz / before.clamp_min(TINY) * direction
        return x, owed, _total(pull * x * x)


def _to_principal_axes(y: Tensor, x: Tensor, takers: _Taken, unobserved: float) -> list[Tensor]:
    """Both turned alike, which changes no product of theirs, so that y suits _Ridges."""
    moments = y.T @ ((unobserved + takers.totals / max(1, len(x))) * y)
    axes = torch.linalg.eigh(moments.double())[1].to(y.dtype)  # float32 fails on 1e-40
    return [y @ axes, x @ axes]


def _dots(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum(dim=1, keepdim=True)


def _total(a: Tensor) -> float:
    return float(a.sum(dtype=torch.float64))
