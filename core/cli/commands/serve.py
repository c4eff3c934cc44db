"""The workbench itself, and whether it has all that it needs."""

from __future__ import annotations

import os
import socket
import sys
from dataclasses import asdict
from typing import Any

from core.cli.terminal import Result, end_of_progress, progress
from core.data import read_only
from core.data.processes import child_environment
from core.data.store import Workspace
from core.demo import open_browser_soon, prepare
from core.doctor import examine
from core.errors import BadInput


def doctor(options: Any) -> Result:
    checks = examine(options.data_dir)
    lines = [f"{'ok ' if c.ok else 'BAD'}  {c.name}: {c.found}" for c in checks]
    lines += [f"{c.name}: {c.advice}" for c in checks if c.advice]
    ok = all(c.ok for c in checks)
    return {"ok": ok, "checks": [asdict(c) for c in checks]}, "\n".join(lines)


def serve(options: Any) -> Result:
    """Shows the workspace, which stays as it is where that is asked for or it cannot change."""
    folder = Workspace.at(options.data_dir).path
    if options.read_only or (folder.is_dir() and not os.access(folder, os.W_OK)):
        os.environ[read_only.VARIABLE] = str(folder)
    return _become_server(Workspace.open(folder), options.port)


def _become_server(workspace: Workspace, port: int) -> Result:
    """So that signals and the exit code are the server's own; what it starts inherits the rest."""
    _check_free(port)
    stays = ", read only" if workspace.read_only else ""
    print(f"recscope: http://127.0.0.1:{port}{stays} (Ctrl-C stops it)", file=sys.stderr)
    command = [sys.executable, "-m", "dashboard", "--port", str(port)]
    sys.stderr.flush()
    environment = child_environment(RECSCOPE_HOME=str(workspace.path))
    os.execve(sys.executable, [*command, "--data-dir", str(workspace.path)], environment)


def _check_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise BadInput(
                f"port {port} cannot be used ({error.strerror}): choose another with --port"
            ) from None


def demo(options: Any) -> Result:
    """The sample data with its runs are made first: nobody waits for them before a page."""
    _check_free(options.port)
    workspace = Workspace.open(options.data_dir)
    prepare(workspace, progress())
    end_of_progress()
    open_browser_soon(options.port)
    return _become_server(workspace, options.port)
