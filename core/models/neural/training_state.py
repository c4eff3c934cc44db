"""How far a training is: the rows to come, averaged weights, the best epoch; to go on from."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict

import numpy as np
import torch
from torch import Tensor, nn

from core.models.neural.snapshots import Snapshots, is_snapshot
from core.types import Checkpoint, EpochReport

SELDOM_S = 10.0  # at least, between two checkpoints
SHARE = 0.05  # of the time, at most, goes into them
NUMBERS = ("epoch", "best", "best_epoch", "seconds")  # of a TrainingState, as they stand


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
        self.widths = torch.zeros_like(lengths)  # of each row: the longest that it may come with
        for bucket in self._buckets:
            self.widths[bucket] = lengths[bucket].max()
        self._generator = generator
        self.size = size

    def __len__(self) -> int:
        return sum(len(bucket) for bucket in self._buckets)

    def random_state(self) -> dict[str, Tensor]:
        """What the orders to come, and all else that torch draws, hang on."""
        state = {"order": self._generator.get_state(), "cpu": torch.get_rng_state()}
        return state | ({"cuda": torch.cuda.get_rng_state()} if torch.cuda.is_available() else {})

    def set_random_state(self, state: Mapping[str, Tensor]) -> None:
        """Draws on as it would have from there."""
        self._generator.set_state(state["order"])
        torch.set_rng_state(state["cpu"])
        if "cuda" in state and torch.cuda.is_available():
            torch.cuda.set_rng_state(state["cuda"])

    def __iter__(self) -> Iterator[Tensor]:
        batches: list[Tensor] = []
        for bucket in self._buckets:
            order = torch.randperm(len(bucket), generator=self._generator)
            batches += bucket[order].split(self.size)
        for number in torch.randperm(len(batches), generator=self._generator).tolist():
            yield batches[number]


class Average:
    """The exponential average of a module's parameters over its steps."""

    def __init__(self, module: nn.Module, decay: float) -> None:
        self._parameters = [p.detach() for p in module.parameters()]
        self.means = [p.clone() for p in self._parameters]
        self._decay, self.steps = decay, 0

    def update(self) -> None:
        """Takes up the parameters as they are now."""
        self.steps += 1
        share = 1 - min(self._decay, self.steps / (self.steps + 9))
        torch._foreach_lerp_(self.means, self._parameters, share)

    def apply(self) -> None:
        """Gives the module the averages for good."""
        torch._foreach_copy_(self._parameters, self.means)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Inside, the module has the averages; outside, its own parameters again."""
        own = [p.clone() for p in self._parameters]
        self.apply()
        yield
        torch._foreach_copy_(self._parameters, own)


class TrainingState:
    """How far a training is, in a form that it can go on from."""

    def __init__(
        self,
        module: nn.Module,
        optimiser: torch.optim.Optimizer,
        average: Average,
        batches: Batches,
        snapshots: Snapshots | None = None,
    ) -> None:
        self.average = average
        self.epoch, self.best, self.best_epoch, self.seconds = 0, -np.inf, 0, 0.0
        self.best_weights: dict[str, Tensor] = {}  # the best epoch's averaged weights
        self.reports: list[EpochReport] = []
        self._module, self._optimiser, self._batches = module, optimiser, batches
        self._snapshots = snapshots
        self._written, self._cost = time.perf_counter(), 0.0

    def record_validation(
        self, epoch: int, epochs: int, validate: Callable[[], float] | None
    ) -> float | None:
        """Takes the epoch's averaged weights as the best if they are; without validation always."""
        self.epoch, figure = epoch, None
        if validate is None:
            self.best_epoch = epoch
            if self._snapshots and is_snapshot(epoch, epochs):
                with self.average.applied():
                    self._snapshots.take(epoch, epoch)
            return None
        with self.average.applied():
            figure = validate()
            if figure > self.best:
                self.best, self.best_epoch = figure, epoch
                self.best_weights = _copy(self._module)
            if self._snapshots:  # any may turn out to be the best, or the last
                self._snapshots.take(epoch, self.best_epoch)
        return figure

    def write_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Writes all of it, unless that was done so lately that it would take too much time."""
        start = time.perf_counter()
        if start - self._written < max(SELDOM_S, self._cost / SHARE):
            return
        numbers = {name: getattr(self, name) for name in NUMBERS}
        numbers |= {
            "steps": self.average.steps,
            "batch": self._batches.size,
            "reports": [asdict(report) for report in self.reports],
        }
        tensors = {
            **{f"module.{name}": value for name, value in self._module.state_dict().items()},
            **{f"average.{number}": mean for number, mean in enumerate(self.average.means)},
            **{f"kept.{name}": value for name, value in self.best_weights.items()},
            **{f"random.{name}": value for name, value in self._batches.random_state().items()},
        }
        if self._snapshots:
            tensors |= {f"milestone.{at}": value for at, value in self._snapshots.kept.items()}
        for number, held in self._optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{number}.{name}": value for name, value in held.items()}
        arrays = {name: value.cpu().numpy() for name, value in tensors.items()}
        checkpoint.write(
            arrays | {"numbers": np.frombuffer(json.dumps(numbers).encode(), np.uint8)}
        )
        self._written = time.perf_counter()
        self._cost = self._written - start

    def read_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Takes up what an interrupted training left there, if anything."""
        arrays = checkpoint.read()
        if arrays is None:
            return
        numbers = json.loads(bytes(arrays["numbers"]))
        self.average.steps, self._batches.size = numbers["steps"], numbers["batch"]
        self.reports = [EpochReport(**report) for report in numbers["reports"]]
        for name in NUMBERS:
            setattr(self, name, numbers[name])

        def tensors_of(start: str) -> dict[str, Tensor]:
            return {
                name.removeprefix(start): torch.from_numpy(np.array(value))
                for name, value in arrays.items()
                if name.startswith(start)
            }

        self._module.load_state_dict(tensors_of("module."))
        for number, mean in tensors_of("average.").items():
            self.average.means[int(number)].copy_(mean)
        device = next(self._module.parameters()).device
        self.best_weights = {name: value.to(device) for name, value in tensors_of("kept.").items()}
        self._batches.set_random_state(tensors_of("random."))
        if self._snapshots:
            marked = tensors_of("milestone.")
            self._snapshots.kept = {at: marked[str(at)] for at in sorted(map(int, marked))}
        held: dict[int, dict[str, Tensor]] = {}
        for name, value in tensors_of("optimiser.").items():
            number, _, key = name.partition(".")
            held.setdefault(int(number), {})[key] = value
        self._optimiser.load_state_dict({**self._optimiser.state_dict(), "state": held})


def _copy(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in module.state_dict().items()}
