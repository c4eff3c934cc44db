"""Processes: whether one that wrote something still lives, and what a child of ours needs."""

from __future__ import annotations

import os
import time

import psutil

from core import ROOT

SAME_S = 2.0  # clocks of the system are read in coarse ticks


def started_at(pid: int) -> float | None:
    """When the living process of this number started, Unix seconds; None for a zombie too."""
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else float(process.create_time())
    except (psutil.NoSuchProcess, ValueError, OverflowError):  # or no number that a process has
        return None


def process_began() -> float:
    """When this process was started, as a moment of time.perf_counter()."""
    age = time.time() - float(psutil.Process().create_time())
    return time.perf_counter() - max(0.0, age)


def is_alive(pid: int, started: float) -> bool:
    """Whether the very process of this number that started then (Unix seconds) lives."""
    try:
        now = started_at(pid)
    except psutil.AccessDenied:  # somebody else's: there is one, and more cannot be known
        return True
    return now is not None and abs(now - started) < SAME_S


def child_environment(**more: str) -> dict[str, str]:
    """This process's environment, so that a child imports the Recscope that it is a child of."""
    path = filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path), **more}
