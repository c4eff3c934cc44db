"""How much memory is free on a device."""

from __future__ import annotations

import os
from pathlib import Path

import torch


def free_memory(device: str) -> int:
    """Bytes that can still be allocated on this device."""
    if torch.device(device).type == "cuda":
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0]) + unused
    try:
        free = 1024 * _number_after("/proc/meminfo", "MemAvailable:")
    except OSError:  # not Linux: all the memory there is, the closest that the OS tells
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:  # a container's own limit; what it holds of files can be given back, so only "anon" counts
        limit = int(Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii"))
        return min(free, limit - _number_after("/sys/fs/cgroup/memory.stat", "anon"))
    except (OSError, ValueError):  # no such group, or its limit is "max"
        return free


def _number_after(file: str, word: str) -> int:
    lines = [line.split() for line in Path(file).read_text(encoding="ascii").splitlines()]
    return next(int(line[1]) for line in lines if line[0] == word)
