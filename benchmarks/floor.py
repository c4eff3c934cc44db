"""A training step of unified against the floor: the time that its arithmetic and its bytes take.

FLOPs are those of forward and backward, counted as they are dispatched. Bytes are what no kernel
can save: parameters are read forwards and backwards, their gradients written, AdamW reads gradient,
weight and two moments and writes three, the average reads two and writes one: 13 times each
parameter; what is kept for the way back, logits among it, is written once and read once. The peaks
are those of a large matrix product, in the type that the step computes in, and of a large copy,
timed in the same process. The step itself is timed as `optimise` runs it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from machine import Figures, peak_mib
from protocols import CUTS
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from core.models.neural.train_loop import train_loop
from core.models.neural.training_state import Batches
from core.models.unified import Unified
from core.runs.config import model_config
from core.types import EpochReport

PASSES = 13
TOP = 10
Loss = Callable[[Tensor], Tensor]


class Few(Batches):
    """The first so many batches of a pass, always the same."""

    def __init__(self, batches: Batches, n: int) -> None:
        self.parts, self.size = list(islice(batches, n)), batches.size

    def __len__(self) -> int:
        return sum(len(rows) for rows in self.parts)

    def __iter__(self) -> Iterator[Tensor]:
        return iter(self.parts)


def floor(folder: Path, given: Figures) -> Figures:
    """What a step needs, what the machine gives, and how near it comes; the dearest operators."""
    device, config = given["device"], model_config("unified", given["params"])
    train, _ = CUTS[given["data"]](folder / given["data"], validation=False)
    torch.manual_seed(0)
    model = Unified(config)
    net = model._network(train, train.interactions).to(device)
    task = model._task(net, train.interactions, torch.Generator().manual_seed(0))
    assert task is not None
    steps = Few(task[0], given["steps"])
    flops, kept = needs(net, steps, task[1])
    seconds, operators = takes(net, steps, task[1], config, device)
    peak_flops, peak_bytes = peaks(device)
    n = len(steps.parts)
    parameters = sum(p.numel() * p.element_size() for p in net.parameters())
    moved = PASSES * parameters + 2 * kept / n
    compute, copy = 1e3 * flops / n / peak_flops, 1e3 * moved / peak_bytes
    step = 1e3 * seconds / n
    lines = [
        f"{given['data']} {given['params']}",
        f"a step: {step:.1f} ms, {len(steps) / seconds:,.0f} histories/s, mean of {n} steps",
        f"arithmetic: {flops / n / 1e9:.2f} GFLOP, {compute:.1f} ms at {peak_flops / 1e9:,.0f} "
        "GFLOP/s",
        f"bytes: {moved / 2**20:.0f} MiB, {copy:.1f} ms at {peak_bytes / 2**30:.1f} GiB/s: "
        f"{PASSES} × {parameters / 2**20:.0f} MiB of parameters, "
        f"2 × {kept / n / 2**20:.0f} MiB kept for the way back",
        f"floor {max(compute, copy):.1f} ms where both overlap: {max(compute, copy) / step:.0%} of "
        f"the step; {compute + copy:.1f} ms where they do not: {(compute + copy) / step:.0%}",
        *operators,
    ]
    return {"lines": lines, "mib": peak_mib(device)}


def needs(net: nn.Module, steps: Few, loss: Loss) -> tuple[float, float]:
    """FLOPs of forward and backward, and bytes kept between them, of all the steps."""
    known = {p.untyped_storage().data_ptr() for p in [*net.parameters(), *net.buffers()]}
    flops = kept = 0.0
    for rows in steps:
        held: dict[int, int] = {}  # of this step; none is freed before the way back

        def hold(saved: Tensor, held: dict[int, int] = held) -> Tensor:
            storage = saved.untyped_storage()
            if storage.data_ptr() not in known:
                held[storage.data_ptr()] = storage.nbytes()
            return saved

        counter = FlopCounterMode(display=False)
        # the plain kernel of attention, whose products the counter knows on every device
        with counter, sdpa_kernel(SDPBackend.MATH):
            with saved_tensors_hooks(hold, lambda saved: saved):
                value = loss(rows)
            value.backward()  # type: ignore[no-untyped-call]
        net.zero_grad()
        flops, kept = flops + counter.get_total_flops(), kept + sum(held.values())
    return flops, kept


def takes(
    net: nn.Module, steps: Few, loss: Loss, config: Any, device: str
) -> tuple[float, list[str]]:
    """Seconds of all the steps, the optimiser's part included, and which operators took them."""
    speeds: list[float] = []

    def tell(report: EpochReport) -> None:
        assert report.rows_per_second is not None, "learnt by gradients"
        speeds.append(report.rows_per_second)

    train_loop(net, steps, loss, config=config, epochs=3, on_epoch=tell)  # the first warms up
    kinds = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if device == "cuda" else [])]
    with profile(activities=kinds) as profiled:
        train_loop(net, steps, loss, config=config, epochs=1)
    key = "self_device_time_total" if device == "cuda" else "self_cpu_time_total"
    operators = sorted(profiled.key_averages(), key=lambda one: -getattr(one, key))
    total = sum(getattr(one, key) for one in operators)
    lines = [
        f"  {getattr(one, key) / total:6.1%} {getattr(one, key) / 1e3 / len(steps.parts):8.2f} ms "
        f"a step, {one.count / len(steps.parts):6.1f} calls, {one.key[:60]}"
        for one in operators[:TOP]
    ]
    return len(steps) / max(speeds[1:]), lines


def peaks(device: str) -> tuple[float, float]:
    """FLOP/s of a large matrix product and bytes/s of a large copy, the best of some."""
    n, kind = (8192, torch.bfloat16) if device == "cuda" else (2048, torch.float32)
    a, b = (torch.rand(n, n, device=device).to(kind) for _ in range(2))
    source = torch.ones(2**26, device=device)  # 256 MiB
    sink = torch.empty_like(source)
    product = best(lambda: a @ b, device)
    copy = best(lambda: sink.copy_(source), device)
    return 2 * n**3 / product, 2 * source.nbytes / copy


def best(work: Callable[[], Any], device: str) -> float:
    """The quickest of ten, in seconds."""
    found = []
    for _ in range(10):
        start = perf_counter()
        work()
        if device == "cuda":
            torch.cuda.synchronize()
        found.append(perf_counter() - start)
    return min(found)
