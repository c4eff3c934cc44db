"""What runs were computed on, where that tells them apart: sums in another order end otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from core.runs.artifact import Run


@dataclass(frozen=True)
class Machine:
    """What one run was computed on; None where its run.json does not say."""

    run: str  # id
    device: str  # cpu or cuda
    device_name: str | None
    threads: int | None  # of the processor

    @classmethod
    def of(cls, run: Run) -> Machine:
        """As run.json has it."""
        said = run.meta["machine"]
        return cls(run.id, run.config.device, said.get("device_name"), said.get("threads"))

    def to_json(self) -> dict[str, Any]:
        """The same as JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Machines:
    """What compared runs were computed on, and in what they differ."""

    runs: tuple[Machine, ...]
    differ: tuple[str, ...]  # of "device", "device_name" and "threads"

    @classmethod
    def of(cls, runs: Sequence[Run]) -> Machines:
        """Of these runs; what a run does not say differs from nothing."""
        machines = tuple(Machine.of(run) for run in runs)
        said = {
            name: {value for machine in machines if (value := getattr(machine, name)) is not None}
            for name in ("device", "device_name", "threads")
        }
        return cls(machines, tuple(name for name, values in said.items() if len(values) > 1))

    def to_json(self) -> dict[str, Any]:
        """The same as JSON."""
        return {"differ": list(self.differ), "runs": [machine.to_json() for machine in self.runs]}

    def sentence(self) -> str:
        """In English what a reader of their difference must know; empty where nothing differs."""
        if not self.differ:
            return ""
        each = ", ".join(f"{machine.run[:6]} {_in_words(machine)}" for machine in self.runs)
        return (
            f"not computed alike: {each}; sums in another order can differ in the last digits and "
            "a fit with them, so a small difference may come from that"
        )


def _in_words(machine: Machine) -> str:
    threads = "" if machine.threads is None else f", {machine.threads} threads"
    return f"on {machine.device_name or machine.device} ({machine.device}{threads})"
