"""Reading other people's files in a process of its own: whatever a file does to it, we live on.

A reader may crash, ask for all the memory there is, or never come back. The child has limits on
memory and time, gets what is asked for as JSON on its standard input, and answers in lines of JSON:
how far it is, and at last what came out or the sentence that says why nothing did.
"""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from core import errors
from core.data.files.dialects import ReadAs
from core.data.ingest.ingest import ingest
from core.data.ingest.preview import Preview, PreviewColumn, preview
from core.data.limits import in_words
from core.data.processes import child_environment
from core.data.store import DatasetInfo, Workspace
from core.errors import BadInput, CoreError, TooLarge
from core.types import Progress, silent

Files = Mapping[str, Sequence[Path]]  # "events", "items" and "users" → files


@dataclass(frozen=True)
class Limits:
    """What the child may take."""

    memory: int = 10 << 30  # bytes of addresses; DuckDB's own limit is well below
    seconds: float = 24 * 3600.0  # by the wall's clock


PREVIEW_LIMITS = Limits(seconds=120.0)


def preview_apart(
    workspace: Workspace,
    files: Files,
    *,
    mapping: Mapping[str, str | None],
    read_as: ReadAs | None = None,
    limits: Limits = PREVIEW_LIMITS,
) -> Preview:
    """As core.data.ingest.preview.preview, in a child; times in the rows are texts.

    Raises:
        BadInput: as there, or the child did not come back.
    """
    request = _request("preview", workspace, files, mapping, read_as)
    found = _ask(request, _names(files), limits, silent)
    return Preview(
        **{
            **found,
            "columns": [
                PreviewColumn(**{**column, "samples": tuple(column["samples"])})
                for column in found["columns"]
            ],
        }
    )


def ingest_apart(
    workspace: Workspace,
    files: Files,
    *,
    mapping: Mapping[str, str | None],
    read_as: ReadAs | None = None,
    weights: Mapping[str, float] | None = None,
    name: str | None = None,
    progress: Progress | None = None,
    limits: Limits | None = None,
) -> DatasetInfo:
    """As core.data.ingest.ingest.ingest, in a child; an exception of `progress` ends it.

    Raises:
        BadInput: as there, or the child did not come back.
    """
    request = _request("ingest", workspace, files, mapping, read_as)
    request |= {"weights": dict(weights or {}), "name": name}
    found = _ask(request, _names(files), limits or Limits(), progress or silent)
    return workspace.dataset(found["id"])


def _request(
    what: str,
    workspace: Workspace,
    files: Files,
    mapping: Mapping[str, str | None],
    read_as: ReadAs | None,
) -> dict[str, Any]:
    return {
        "what": what,
        "workspace": str(workspace.path),
        "files": {part: [str(path) for path in paths] for part, paths in files.items()},
        "mapping": dict(mapping),
        "read_as": None if read_as is None else asdict(read_as),
    }


def _names(files: Files) -> str:
    return ", ".join(path.name for paths in files.values() for path in paths)


def _ask(request: dict[str, Any], names: str, limits: Limits, progress: Progress) -> dict[str, Any]:
    """What the child answers; its sentence is raised as it was there."""
    result: dict[str, Any] | None = None
    with _child(request, limits) as (child, late):
        assert child.stdout is not None
        for line in child.stdout:
            said = json.loads(line)
            if "progress" in said:
                progress(*said["progress"])
            elif "error" in said:
                raise getattr(errors, said["error"], BadInput)(said["sentence"])
            else:
                result = said["result"]
        code = child.wait()
    if result is None:
        raise _lost(names, code, limits, late.is_set())
    return result


@contextmanager
def _child(
    request: dict[str, Any], limits: Limits
) -> Iterator[tuple[subprocess.Popen[str], threading.Event]]:
    """The child at work, and whether it was stopped for being late; it never outlives this."""
    late = threading.Event()
    child = subprocess.Popen(
        [sys.executable, "-m", "core.data.ingest.apart", str(limits.memory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=child_environment(),
    )

    def stop() -> None:
        late.set()
        child.kill()

    clock = threading.Timer(limits.seconds, stop)
    clock.start()
    try:
        assert child.stdin is not None
        with suppress(BrokenPipeError), child.stdin as pipe:  # it ended before: told below
            pipe.write(json.dumps(request))
        yield child, late
    finally:
        clock.cancel()
        child.kill()
        child.wait()
        if child.stdout is not None:
            child.stdout.close()


def _lost(names: str, code: int, limits: Limits, late: bool) -> CoreError:
    if late:
        return TooLarge(
            f"reading {names} took longer than {limits.seconds:,.0f} s and was stopped: give a "
            "smaller part of it, or save it as Parquet"
        )
    how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    return BadInput(
        f"{names} cannot be read: what reads it ended by itself ({how}), as it does when a file is "
        f"damaged or asks for more than {limits.memory >> 30} GiB of memory; save it in another way"
    )


def _main(memory: int) -> None:
    """The child: one request, one answer."""
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    request = json.load(sys.stdin)
    try:
        _tell({"result": _answer(request)})
    except Exception as error:
        told = in_words(error)
        if told is None:
            raise
        _tell({"error": type(told).__name__, "sentence": str(told)})


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    workspace = Workspace.open(request["workspace"])
    files = {part: [Path(path) for path in paths] for part, paths in request["files"].items()}
    read_as = None if request["read_as"] is None else ReadAs(**request["read_as"])
    how: dict[str, Any] = {"mapping": request["mapping"], "read_as": read_as}
    how |= {part: files.get(part) or None for part in ("items", "users")}
    if request["what"] == "preview":
        return asdict(preview(files["events"], workspace=workspace, **how))
    info = ingest(
        workspace,
        files["events"],
        name=request["name"],
        weights=request["weights"],
        progress=_tell_progress,
        **how,
    )
    return {"id": info.id}


def _tell_progress(stage: str, share: float | None = None) -> None:
    _tell({"progress": [stage, share]})


def _tell(said: dict[str, Any]) -> None:
    print(json.dumps(said, default=str), flush=True)  # noqa: T201


if __name__ == "__main__":
    _main(int(sys.argv[1]))
