"""EASE and EDLAE: the linear autoencoder in closed form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import torch
from scipy.linalg import lapack
from torch import Tensor

from core.errors import BadInput, TooLarge
from core.models.common.gram import gram, mirror
from core.models.common.linear_history import FadesAfterwards, HistoryLinear
from core.models.common.memory import free_memory
from core.models.common.settings import Settings, history_decay_setting, setting
from core.models.common.strengths import strengths, tie_breaker
from core.types import OnEpoch, TrainData

COPIES = {"cpu": 1.3, "cuda": 3.1}  # of the (I, I) matrix, held at the worst moment of the fit


@dataclass(frozen=True)
class EASEConfig(Settings):
    """How far the weights are held back."""

    l2: float = setting(
        100.0, "Pulls the weights towards 0: more for noisier data", min=0.01, max=1e6, step=10
    )
    dropout: float = setting(
        0.0, "Share of a history to be thought missing (EDLAE)", min=0.0, max=0.95, step=0.05
    )
    history_decay: float = history_decay_setting(0.8)


class EASE(FadesAfterwards, HistoryLinear):
    """Each item's ridge regression on all others: what in a history speaks for it, or against.

    G = XᵀX + diag(λ), P = G⁻¹, rows = -P / diag(P) by column, its diagonal 0; X (U, I) holds
    log2(1 + Σ event weights). λ = l2 + p / (1 - p) · diag(XᵀX). Steck, "Embarrassingly Shallow
    Autoencoders", WWW 2019, arXiv:1905.03375; with dropout p > 0 the EDLAE of Steck, "Autoencoders
    that don't overfit towards the Identity", NeurIPS 2020. Differs: the history fades by
    history_decay, if the log tells what came last.
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
            BadInput: the matrix cannot be inverted in float32.
        """
        log, p = train.interactions, self.config.dropout
        self._base = self._rows = None  # an earlier fit makes room
        _check_size(log.n_items, device)
        matrix = gram(strengths(log), device)
        diagonal = matrix.diagonal()
        diagonal.mul_(1 + p / (1 - p)).add_(self.config.l2)
        weights = _inverse(matrix)
        weights.mul_(-1 / weights.diagonal()).fill_diagonal_(0)
        typical = float(weights.amax(dim=1).mean())
        decay = self.config.history_decay if log.times is not None else 1.0
        self._keep(tie_breaker(log, typical), weights, decay, device)
        return self


def _check_size(n_items: int, device: str) -> None:
    kind = torch.device(device).type
    need, free = COPIES[kind] * 4 * n_items**2, free_memory(device)
    if need > free:
        raise TooLarge(
            f"EASE needs {need / 2**30:,.1f} GiB of the {kind}'s memory for {n_items:,} items, but "
            f"{free / 2**30:,.1f} GiB are free, enough for "
            f"{int((free / COPIES[kind] / 4) ** 0.5):,} items: "
            "drop rare items (k-core), or train item_knn instead"
        )


def _inverse(matrix: Tensor) -> Tensor:
    """The inverse of this positive definite matrix, whose memory it may take."""
    if matrix.device.type == "cpu":  # LAPACK works in place; its columns are our rows
        factor, failed = lapack.spotrf(matrix.numpy().T, overwrite_a=1, clean=0)
        if not failed:
            factor, failed = lapack.spotri(factor, overwrite_c=1)
        inverse = mirror(torch.from_numpy(factor.T))
    else:
        factor, failed = torch.linalg.cholesky_ex(matrix)
        del matrix
        inverse = torch.cholesky_inverse(factor)
    if failed:
        raise BadInput("these events leave EASE without a solution in float32: raise l2")
    return inverse
