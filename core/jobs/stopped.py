"""What stopped a process before it could say how it ended: the signal, and whether it was memory.

Most signals a command hears itself, and says so before it goes. SIGKILL and crashes it cannot hear:
there its parent is told by the system. Where neither was there to see it, nothing is claimed.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.data.durable import check_entries, read_object, write_json_atomically
from core.errors import Corrupt
from core.runs.checkpoints import CHECKPOINTS

STOPPED = "stopped.json"  # in the job's folder
HEARD = tuple(
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGXCPU")
)
_BY_DEFAULT = (signal.SIG_DFL, signal.default_int_handler)  # else ignored, as nohup wants it
_KEPT = (f"{CHECKPOINTS}/*.safetensors", "trials.jsonl")  # of a run, of a search
_FIRST_PIDS = "pid:[4026531836]"  # the kernel's log tells of numbers in this namespace
_OUT_OF_MEMORY = re.compile(rb"\d+,\d+,(\d+),[^;]*;.*out of memory: Killed process (\d+) ", re.I)
_CLOCKS_S = 10.0  # by which the kernel's log and the clock of the system may differ


@dataclass(frozen=True)
class Stop:
    """What is known of how a process was stopped from outside."""

    signal: str | None  # such as SIGTERM; None: nobody was there to see it
    out_of_memory: bool = False  # the kernel's log says that it made room by this

    @property
    def key(self) -> str:
        """Which of the sentences it is, for texts in other languages."""
        if self.out_of_memory:
            return "memory"
        return {None: "unseen", "SIGKILL": "killed"}.get(self.signal, "signal")

    def sentence(self) -> str:
        """In English."""
        return {
            "memory": "was killed by the system, because memory ran out (SIGKILL): try a smaller "
            "model or dataset, or close what else needs memory",
            "killed": "was killed (SIGKILL); the system does that where memory runs out, or "
            "somebody did",
            "signal": f"was stopped by a signal ({self.signal})",
            "unseen": "ended without a word: it was killed, it crashed, or the machine went down",
        }[self.key]


def read_stop(folder: Path, pid: int | None) -> Stop:
    """What is known of the end of this process, which did the job of this folder and is gone."""
    with suppress(Corrupt):
        content = read_object(folder / STOPPED)
        if content and content.get("pid") == pid:
            check_entries(folder / STOPPED, content, {"signal": str, "out_of_memory": bool})
            return Stop(content["signal"], content["out_of_memory"])
    return Stop(None)


def record_stop(folder: Path, pid: int, number: int, *, out_of_memory: bool = False) -> None:
    """Says which signal ended this process; where that cannot be written, nothing is known."""
    content: dict[str, Any] = {"pid": pid, "signal": signal.Signals(number).name}
    with suppress(OSError):  # a full disk; or the folder is deleted meanwhile
        if folder.is_dir():
            write_json_atomically(folder / STOPPED, {**content, "out_of_memory": out_of_memory})


@contextmanager
def stopped_by_signals(folder: Path) -> Iterator[None]:
    """A signal ends this process at once, also inside a long call, and is told of.

    Python itself would wait for the call to return. Only in the main thread of a command, which
    then exits with 128 and the signal's number.
    """
    heard, told = os.pipe()
    os.set_blocking(told, False)

    def listen() -> None:
        while said := os.read(heard, 1):
            if said[0] in HEARD:
                record_stop(folder, os.getpid(), said[0])
                sys.stderr.write(f"\nrecscope: {_last_words(folder, signal.Signals(said[0]))}\n")
                sys.stderr.flush()
                os._exit(128 + said[0])
        os.close(heard)

    threading.Thread(target=listen, daemon=True).start()
    before = {s: signal.getsignal(s) for s in HEARD if signal.getsignal(s) in _BY_DEFAULT}
    wakeup = signal.set_wakeup_fd(told)
    for number in before:
        signal.signal(number, lambda *_: None)  # with none, the system ends us without a word
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(wakeup)
        os.close(told)


def _last_words(folder: Path, by: signal.Signals) -> str:
    kept = any(path for pattern in _KEPT for path in folder.glob(pattern))
    again = "goes on from what was last kept" if kept else "begins anew"
    return f"stopped ({by.name}); the same command {again}"


def killed_for_memory(pid: int, since: float) -> bool:
    """Whether the kernel's log says that it ended this process to make room.

    Only where that log may be read, and process numbers in it are those that are seen here.

    Args:
        pid: Of a process that is gone.
        since: When it was started, Unix seconds; another may have had the number before.
    """
    since += time.monotonic() - time.time()
    return any(
        int(found[2]) == pid and int(found[1]) / 1e6 > since - _CLOCKS_S
        for found in map(_OUT_OF_MEMORY.match, _kernel_log())
        if found
    )


def _kernel_log() -> Iterator[bytes]:
    try:
        if str(Path("/proc/self/ns/pid").readlink()) != _FIRST_PIDS:
            return
        log = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return
    try:
        while True:
            try:
                yield os.read(log, 8192)
            except BrokenPipeError:  # overwritten before it could be read: the next is there
                continue
            except OSError:  # the end of the log
                return
    finally:
        os.close(log)
