"""The one loop that trains models by gradients: step, validate, keep the best, stop early."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from core.errors import BadInput, TooLarge
from core.models.common.deadline import NEVER, Deadline
from core.models.common.settings import Settings, setting
from core.models.neural.cuda_graph import CudaGraph
from core.models.neural.snapshots import Snapshots
from core.models.neural.training_state import Average, Batches, TrainingState
from core.types import Checkpoint, EpochReport, OnEpoch

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingSettings(Settings):
    """How long and how boldly to train."""

    epochs: int = setting(100, "Passes over the log, at most", min=1, max=1000, step=10)
    patience: int = setting(
        10, "Passes without progress on validation before it stops", min=1, max=1000, step=1
    )
    batch: int = setting(128, "Histories per step", min=1, max=65536, step=64)
    learning_rate: float = setting(1e-3, "Size of a step", min=1e-6, max=1.0, step=1e-4)
    weight_decay: float = setting(
        0.01, "Pulls the weights of layers towards 0", min=0.0, max=10.0, step=0.01
    )
    averaging: float = setting(
        0.999,
        "Weights are averaged over about 1 / (1 - this) steps",
        min=0.0,
        max=0.9999,
        step=0.001,
    )
    refit: bool = setting(
        True, "After stopping, train anew for as long, with the validation events"
    )


@contextmanager
def seeded(rng: np.random.Generator, device: str) -> Iterator[torch.Generator]:
    """Inside, torch draws from `rng`'s seed; outside, its own state is as it was before."""
    kind = torch.device(device)
    devices = [torch.cuda.current_device()] if kind.type == "cuda" else []
    with torch.random.fork_rng(devices):
        torch.manual_seed(int(rng.integers(2**63)))
        yield torch.Generator().manual_seed(int(rng.integers(2**63)))


def train_loop(
    module: nn.Module,
    batches: Batches,
    loss: Callable[[Tensor], Tensor],
    *,
    config: Any,
    epochs: int,
    validate: Callable[[], float] | None = None,
    on_epoch: OnEpoch | None = None,
    checkpoint: Checkpoint | None = None,
    snapshots: Snapshots | None = None,
    until: Deadline = NEVER,
) -> int:
    """Trains in place and leaves the best epoch's averaged weights; AdamW, short warm-up.

    What is judged and kept is the exponential average of the weights (Polyak averaging; the
    average reaches as far back as `averaging` says only when there have been as many steps).

    Args:
        module: What learns.
        batches: The rows.
        loss: The mean loss of the rows of one batch, (b,) int64 on the CPU.
        config: TrainingSettings.
        epochs: Passes, at most.
        validate: A figure to be raised (validation_score); without it the last pass is the best.
        on_epoch: Is told how it is doing after each pass.
        checkpoint: Where to go on from, and to leave how far it is; on a CPU an interrupted
            training so ends with the very weights of one that was not.
        snapshots: Is given what the items are after each epoch, and keeps some of it.
        until: When it ends with the best that there is, in the middle of an epoch if need be; no
            epoch is begun that would not be done by then, but for the first.

    Returns:
        The best epoch, from 1.

    Raises:
        TooLarge: even a batch of one row does not fit into the device's memory.
        BadInput: the loss is no longer a finite number.
    """
    device, tell = next(module.parameters()).device, on_epoch or _silent
    optimiser = torch.optim.AdamW(_groups(module, config), fused=device.type == "cuda")
    warmup = min(200, max(1, epochs * len(batches) // batches.size // 25))
    state = TrainingState(module, optimiser, Average(module, config.averaging), batches, snapshots)
    if checkpoint:
        state.read_checkpoint(checkpoint)
        for report in state.reports:
            tell(report)
    began, took = time.perf_counter() - state.seconds, 0.0
    while state.epoch < epochs and state.epoch - state.best_epoch < config.patience:
        epoch, start = state.epoch + 1, time.perf_counter()
        if until.left < took:
            break
        module.train()
        total = torch.zeros((), device=device)
        for rows in batches:
            if until.passed and state.average.steps:
                break
            share = min(1.0, (state.average.steps + 1) / warmup)
            for group in optimiser.param_groups:
                group["lr"] = config.learning_rate * share
            total += _step(loss, rows, optimiser, batches) * len(rows)
            state.average.update()
        if until.passed and state.epoch:  # what is left of this epoch would not be judged
            break
        mean = float(total) / max(1, len(batches))
        if not np.isfinite(mean):
            raise BadInput(
                f"the loss became {mean} in epoch {epoch}: lower learning_rate "
                f"(now {config.learning_rate:g})"
            )
        speed = len(batches) / (time.perf_counter() - start)
        module.eval()
        figure = state.record_validation(epoch, epochs, validate)
        state.seconds = time.perf_counter() - began
        took = time.perf_counter() - start
        gpu, memory, memory_of = _gpu(device)
        report = EpochReport(
            epoch,
            epochs,
            loss=mean,
            validation=figure,
            best_epoch=state.best_epoch,
            rows_per_second=speed,
            gpu=gpu,
            memory=memory,
            memory_of=memory_of,
            seconds_left=state.seconds / epoch * (epochs - epoch),
        )
        state.reports.append(report)
        tell(report)
        if checkpoint:
            state.write_checkpoint(checkpoint)
    if validate and state.epoch:
        module.load_state_dict(state.best_weights)
    else:
        state.average.apply()
    return max(1, state.best_epoch)


def _gpu(device: torch.device) -> tuple[str | None, int | None, int | None]:
    """The GPU's name, the bytes taken at most so far, the bytes it has; None on a CPU."""
    if device.type != "cuda":
        return None, None, None
    properties = torch.cuda.get_device_properties(device)
    return properties.name, torch.cuda.max_memory_allocated(device), properties.total_memory


def _silent(report: EpochReport) -> None:
    """Nobody listens."""


def _groups(module: nn.Module, config: Any) -> list[dict[str, Any]]:
    """Only matrices of layers decay: an embedding's rows are rarely touched, a bias never."""
    decayed = [m.weight for m in module.modules() if isinstance(m, nn.Linear)]
    held = {id(parameter) for parameter in decayed}
    free = [parameter for parameter in module.parameters() if id(parameter) not in held]
    rate = config.learning_rate
    return [
        {"params": free, "lr": rate, "weight_decay": 0.0},
        {"params": decayed, "lr": rate, "weight_decay": config.weight_decay},
    ]


def _step(
    loss: Callable[[Tensor], Tensor],
    rows: Tensor,
    optimiser: torch.optim.Optimizer,
    batches: Batches,
) -> Tensor:
    """One step, or two of half the rows where memory is short; the mean loss."""
    held = loss.size if isinstance(loss, CudaGraph) else len(rows)
    try:
        if isinstance(loss, CudaGraph):
            value = loss.learn(rows)
        else:
            value = loss(rows)
            optimiser.zero_grad()
            value.backward()  # type: ignore[no-untyped-call]
    except torch.OutOfMemoryError as error:
        if held == 1:
            raise TooLarge(
                "not even one history fits into the GPU's memory: lower max_len or dim, or train "
                "on the CPU"
            ) from error
        half = (held + 1) // 2
    else:
        optimiser.step()
        return value.detach()
    if not isinstance(loss, CudaGraph):
        optimiser.zero_grad()  # outside of except, whose traceback holds the tensors
    torch.cuda.empty_cache()
    if batches.size > half:
        batches.size = half
        logger.warning("The GPU's memory is short: from here on a step takes %d histories.", half)
    halves = torch.split(rows, half)
    losses = [_step(loss, own, optimiser, batches) * len(own) for own in halves]
    return torch.stack(losses).sum() / len(rows)
