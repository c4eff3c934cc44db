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
from core.models.blocks import Settings, setting, tensor
from core.types import Holdout, Ints, OnEpoch, Queries

logger = logging.getLogger(__name__)

VALIDATION_QUERIES = 10_000  # at most; a drawn part of them decides as well, and sooner
PLACES = 10


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


class Batches:
    """Rows 0 … n-1 in a new order for each pass, `size` at a time, equal lengths together.

    Args:
        lengths: The length of each row, (n,); rows in a batch differ by less than a factor of 1.3,
            so that little is padded.
        size: Rows in a batch, at most.
        generator: Where the order comes from.
    """

    def __init__(self, lengths: Tensor, size: int, generator: torch.Generator) -> None:
        buckets = (lengths.clamp(min=4).log() / np.log(1.3)).ceil().long()
        self._buckets = [(buckets == b).nonzero()[:, 0] for b in buckets.unique()]
        self._generator = generator
        self.size = size

    def __len__(self) -> int:
        return sum(len(bucket) for bucket in self._buckets)

    def __iter__(self) -> Iterator[Tensor]:
        parts: list[Tensor] = []
        for bucket in self._buckets:
            order = torch.randperm(len(bucket), generator=self._generator)
            parts += bucket[order].split(self.size)
        for place in torch.randperm(len(parts), generator=self._generator).tolist():
            yield parts[place]


def optimise(
    module: nn.Module,
    batches: Batches,
    loss: Callable[[Tensor], Tensor],
    *,
    config: Any,
    epochs: int,
    validate: Callable[[], float] | None = None,
    on_epoch: OnEpoch | None = None,
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
        on_epoch: Is told epoch, epochs, loss, validation, rows per second, bytes, seconds left.

    Returns:
        The best epoch, from 1.

    Raises:
        TooLarge: even a batch of one row does not fit into the device's memory.
        BadInput: the loss is no longer a finite number.
    """
    device = next(module.parameters()).device
    optimiser = torch.optim.AdamW(_groups(module, config), fused=device.type == "cuda")
    warmup = min(200, max(1, epochs * len(batches) // batches.size // 25))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda n: min(1.0, (n + 1) / warmup))
    average = Average(module, config.averaging)
    best, best_epoch, kept = -np.inf, 0, {}
    began = time.perf_counter()
    for epoch in range(1, epochs + 1):
        start = time.perf_counter()
        module.train()
        total = torch.zeros((), device=device)
        for rows in batches:
            total += _step(loss, rows, optimiser, batches) * len(rows)
            schedule.step()
            average.add()
        mean = float(total) / max(1, len(batches))
        if not np.isfinite(mean):
            raise BadInput(
                f"the loss became {mean} in epoch {epoch}: lower learning_rate "
                f"(now {config.learning_rate:g})"
            )
        speed = len(batches) / (time.perf_counter() - start)
        module.eval()
        figure = None
        if validate:
            with average.applied():
                figure = validate()
                if figure > best:
                    best, best_epoch, kept = figure, epoch, _copy(module)
        else:
            best_epoch = epoch
        if on_epoch:
            on_epoch(
                {
                    "epoch": epoch,
                    "epochs": epochs,
                    "loss": mean,
                    "validation": figure,
                    "best_epoch": best_epoch,
                    "rows_per_second": speed,
                    "memory": torch.cuda.max_memory_allocated() if device.type == "cuda" else None,
                    "seconds_left": (time.perf_counter() - began) / epoch * (epochs - epoch),
                }
            )
        if epoch - best_epoch >= config.patience:
            break
    if validate:
        module.load_state_dict(kept)
    else:
        average.keep()
    return best_epoch


class Average:
    """The exponential average of a module's parameters over its steps."""

    def __init__(self, module: nn.Module, decay: float) -> None:
        self._parameters = [p.detach() for p in module.parameters()]
        self._means = [p.clone() for p in self._parameters]
        self._decay, self._steps = decay, 0

    def add(self) -> None:
        """Takes up the parameters as they are now."""
        self._steps += 1
        share = 1 - min(self._decay, self._steps / (self._steps + 9))
        torch._foreach_lerp_(self._means, self._parameters, share)

    def keep(self) -> None:
        """Gives the module the averages for good."""
        torch._foreach_copy_(self._parameters, self._means)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Inside, the module has the averages; outside, its own parameters again."""
        own = [p.clone() for p in self._parameters]
        self.keep()
        yield
        torch._foreach_copy_(self._parameters, own)


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
    try:
        value = loss(rows)
        optimiser.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]
    except torch.OutOfMemoryError as error:
        if len(rows) == 1:
            raise TooLarge(
                "not even one history fits into the GPU's memory: lower max_len or dim, or train "
                "on the CPU"
            ) from error
        half = (len(rows) + 1) // 2
    else:
        optimiser.step()
        return value.detach()
    optimiser.zero_grad()  # outside of except, whose traceback holds the tensors
    torch.cuda.empty_cache()
    if batches.size > half:
        batches.size = half
        logger.warning("The GPU's memory is short: from here on a step takes %d histories.", half)
    parts = [_step(loss, part, optimiser, batches) * len(part) for part in torch.split(rows, half)]
    return torch.stack(parts).sum() / len(rows)


def _copy(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in module.state_dict().items()}


def validation_score(
    score: Callable[[Queries], Tensor], holdout: Holdout, rng: np.random.Generator, block: int
) -> Callable[[], float]:
    """A function that measures a model on held-out events: NDCG@10 where each query has one target.

    With several, each is ranked alone, 1 / log2(1 + rank) and 0 beyond 10, and their mean is the
    query's figure. All items are ranked; those of the history are hidden unless they are the
    target; ties count against the target. More than 10,000 queries: a drawn part.

    Args:
        score: (B, n_items) for queries.
        holdout: What came next.
        rng: Draws the part.
        block: Queries scored at once.
    """
    n = len(holdout)
    if n > VALIDATION_QUERIES:
        holdout = holdout[np.sort(rng.choice(n, VALIDATION_QUERIES, replace=False))]
    queries, targets, starts = holdout.queries, holdout.targets, holdout.offsets
    counts: Ints = np.diff(starts)
    shares = 1 / np.maximum(counts, 1)

    def measure() -> float:
        gain = 0.0
        for low in range(0, len(queries), block):
            high = min(low + block, len(queries))
            part = queries[low:high]
            with torch.no_grad():
                scores = score(part)
            owners = tensor(np.repeat(np.arange(high - low), counts[low:high]), scores.device)
            wanted = tensor(targets[starts[low] : starts[high]], scores.device)
            hit = scores[owners, wanted]
            seen = (tensor(part.rows, scores.device), tensor(part.items, scores.device))
            scores = scores.index_put(seen, scores.new_tensor(-np.inf))
            scores[owners, wanted] = -np.inf
            ranks = 1 + (scores[owners] >= hit[:, None]).sum(dim=1)
            gains = torch.where(ranks <= PLACES, 1 / torch.log2(1 + ranks.double()), 0.0)
            gain += float(gains @ tensor(shares[low:high], scores.device)[owners])
        return gain / max(1, int((counts > 0).sum()))

    return measure
