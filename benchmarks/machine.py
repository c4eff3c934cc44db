"""What measures: the machine's name, the most memory that was held, a process for each figure."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch

Figures = dict[str, Any]


def machine(device: str) -> str:
    """What the figures were measured on."""
    if device == "cuda":
        return torch.cuda.get_device_name()
    return f"CPU {platform.machine()}, {torch.get_num_threads()} threads"


def forget_peak(device: str) -> None:
    """Memory's peak is measured from here on."""
    Path("/proc/self/clear_refs").write_text("5", "ascii")
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()


def peak_mib(device: str) -> tuple[float, float]:
    """The most that this process held in memory, and of the GPU's memory."""
    gpu = torch.cuda.max_memory_allocated() / 2**20 if device == "cuda" else 0.0
    return resident_mib("VmHWM:"), gpu


def resident_mib(kind: str) -> float:
    """What this process holds in memory now (VmRSS:), or held at most (VmHWM:)."""
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) / 2**10 for line in lines if line.startswith(kind))


def apart(script: str, *words: str, python: str = sys.executable) -> Figures:
    """What a script says in a process of its own: its last line, JSON; and the process's seconds.

    A script that ends with a sentence instead is quoted, as "failed".
    """
    start = time.perf_counter()
    command = [python, str(Path(__file__).with_name(script)), *words]
    quiet = os.environ | {"OPENBLAS_NUM_THREADS": "1"}  # as `implicit` asks for; torch has its own
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=quiet)
    seconds = time.perf_counter() - start
    if done.returncode:
        return {"failed": (done.stderr.strip().splitlines() or ["no word why"])[-1]}
    return {"process": seconds, **json.loads(done.stdout.splitlines()[-1])}
