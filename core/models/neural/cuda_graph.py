"""Steps of training as CUDA graphs: a small one takes a GPU less time than telling it what to do.

A step of a network of this size is some hundred kernels of a few microseconds, and to launch each
takes as long. Recorded once, all of them are launched at once (Nguyen et al., "Accelerating PyTorch
with CUDA Graphs", 2021). What is recorded has fixed shapes and never waits for the GPU.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from core.models.neural.training_state import Batches


class RecordedGraph(NamedTuple):
    """A graph, the rows that it reads (size,) and the loss that it leaves (); on the GPU."""

    graph: torch.cuda.CUDAGraph
    rows: Tensor
    value: Tensor


class CudaGraph:
    """A loss and its gradients, recorded for each width of a step and replayed from then on.

    The first step of a width is taken as it is, which makes room and chooses kernels; the second
    is recorded. All graphs share their memory, since one runs after the other.

    Args:
        loss: The mean loss of rows on the GPU, padded with the number of rows to (size,), each
            padded to a width.
        parameters: What learns.
        batches: How many rows a step has, and to what each is padded.
    """

    def __init__(
        self,
        loss: Callable[[Tensor, int], Tensor],
        parameters: Iterable[torch.nn.Parameter],
        batches: Batches,
    ) -> None:
        self._loss, self._batches = loss, batches
        self._parameters = [p for p in parameters if p.requires_grad]
        self._learning: list[torch.nn.Parameter] = []  # those that the loss hangs on
        self._graphs: dict[int, RecordedGraph | None] = {}  # by width; None: it was seen once
        self._size = batches.size

    @property
    def size(self) -> int:
        """Rows of a step, those that only pad it counted in."""
        return self._batches.size

    def __call__(self, rows: Tensor) -> Tensor:
        """The mean loss of these rows, (b,) on the CPU, (), as any other loss."""
        return self._loss(*self._padded(rows))

    def learn(self, rows: Tensor) -> Tensor:
        """The same, from a graph where it can be; what learns has its gradients in `.grad`."""
        if self._size != self.size:  # memory was short
            self._graphs.clear()
            self._size = self.size
        padded, width = self._padded(rows)
        if width not in self._graphs:
            value = self._step(padded, width)
            self._graphs[width] = None
            return value
        recorded = self._graphs[width] or self._record(padded, width)
        self._graphs[width] = recorded
        recorded.rows.copy_(padded)
        recorded.graph.replay()
        return recorded.value

    def _padded(self, rows: Tensor) -> tuple[Tensor, int]:
        """As many rows as a step has, on the GPU, and their width."""
        widths = self._batches.widths
        padded = functional.pad(rows, (0, self.size - len(rows)), value=len(widths))
        device = self._parameters[0].device
        return padded.to(device, non_blocking=True), int(widths[rows].max())

    def _step(self, rows: Tensor, width: int) -> Tensor:
        value = self._loss(rows, width)
        if not self._learning:
            optional = torch.autograd.grad(value, self._parameters, allow_unused=True)
            both = zip(self._parameters, optional, strict=True)
            pairs = [(p, g) for p, g in both if g is not None]
            self._learning = [p for p, _ in pairs]
            for parameter, gradient in pairs:  # where all graphs leave it, and AdamW finds it
                parameter.grad = gradient.clone()
            return value.detach()
        gradients = torch.autograd.grad(value, self._learning)
        held = [p.grad for p in self._learning if p.grad is not None]
        torch._foreach_copy_(held, list(gradients))
        return value.detach()

    def _record(self, rows: Tensor, width: int) -> RecordedGraph:
        graph = torch.cuda.CUDAGraph()
        others = [recorded.graph for recorded in self._graphs.values() if recorded]
        with torch.cuda.graph(graph, pool=others[0].pool() if others else None):
            value = self._step(rows, width)
        return RecordedGraph(graph, rows, value)
