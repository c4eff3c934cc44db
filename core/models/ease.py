"""EASE and EDLAE: the linear autoencoder in closed form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import torch
from scipy import sparse
from scipy.linalg import lapack
from torch import Tensor

from core.errors import BadInput, TooLarge
from core.models.blocks import HistoryLinear, Settings, free_memory, setting, strengths, tie_breaker
from core.types import OnEpoch, TrainData


@dataclass(frozen=True)
class EASEConfig(Settings):
    """How far the weights are held back."""

    l2: float = setting(
        100.0, "Pulls the weights towards 0: more for sparse data", min=0.01, max=1e6, step=10
    )
    dropout: float = setting(
        0.0, "Share of a history to be thought missing (EDLAE)", min=0.0, max=0.95, step=0.05
    )
    history_decay: float = setting(
        0.9, "Weight of an event relative to the one after it", min=0.0, max=1.0, step=0.05
    )


class EASE(HistoryLinear):
    """Each item's ridge regression on all others: what in a history speaks for it, or against.

    G = XᵀX + diag(λ), P = G⁻¹, rows = -P / diag(P) by column, its diagonal 0; X (U, I) holds
    log2(1 + Σ event weights). λ = l2 + p / (1 - p) · diag(XᵀX). Steck, "Embarrassingly Shallow
    Autoencoders", WWW 2019, arXiv:1905.03375; with p > 0 the denoising EDLAE of Steck,
    "Autoencoders that don't overfit towards the Identity", NeurIPS 2020, diagonal removed.
    Differs: the history fades by history_decay, if the log tells what came last.
    """

    Config: ClassVar[type] = EASEConfig

    def fit(
        self,
        train: TrainData,
        *,
        rng: np.random.Generator,
        device: str = "cpu",
        on_epoch: OnEpoch | None = None,
    ) -> Self:
        """Invert the items' Gram matrix; O(I³) time, I² floats.

        Raises:
            TooLarge: that many floats do not fit into the device's free memory.
        """
        log = train.interactions
        _check_size(log.n_items, device)
        weights = _gram(strengths(log), device)
        diagonal = weights.diagonal()
        p = self.config.dropout
        diagonal.add_(self.config.l2 + p / (1 - p) * diagonal)
        weights = _inverse(weights)
        scale = -1 / weights.diagonal()
        weights.mul_(scale).fill_diagonal_(0)
        typical = float(weights.amax(1).mean())
        decay = self.config.history_decay if log.times is not None else 1.0
        self._keep(tie_breaker(log, typical), weights, decay, device)
        return self


def _check_size(n_items: int, device: str) -> None:
    copies = 1.3 if torch.device(device).type == "cpu" else 3.1
    need, free = copies * 4 * n_items**2, free_memory(device)
    if need > free:
        raise TooLarge(
            f"EASE needs {need / 2**30:.1f} GiB on the {device} for {n_items:,} items, and "
            f"{free / 2**30:.1f} GiB are free: drop rare items (k-core) so that at most "
            f"{int((free / copies / 4) ** 0.5):,} are left, or use item_knn"
        )


def _gram(x: sparse.csr_matrix, device: str) -> Tensor:
    """XᵀX, dense (I, I) float32."""
    gram = (x.T @ x).toarray()
    return torch.from_numpy(gram).to(device)


def _inverse(gram: Tensor) -> Tensor:
    """The inverse of a positive definite matrix; overwrites it where it can."""
    if gram.device.type == "cpu":
        upper, failed = lapack.spotrf(gram.numpy().T, overwrite_a=1, clean=0)
        if not failed:
            upper, failed = lapack.spotri(upper, overwrite_c=1)
        inverse = torch.from_numpy(upper.T)
        inverse = inverse.tril() + inverse.tril(-1).T
    else:
        lower, failed = torch.linalg.cholesky_ex(gram)
        inverse = torch.cholesky_inverse(lower)
    if failed:
        raise BadInput("these events leave EASE's equations unsolvable: a larger l2 is needed")
    return inverse
