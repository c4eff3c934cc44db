"""`python -m dashboard --port 8501 --data-dir DIR`: the server, bound to this machine only."""

from __future__ import annotations

import argparse
import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import streamlit as st
from starlette.middleware import Middleware

from core.data.store import Workspace
from dashboard import headers, served, uploads
from dashboard.components.errors import show_error

HERE = Path(__file__).resolve().parent


def settings(port: int) -> dict[str, object]:
    """config.toml as dotted keys, with the port asked for."""
    tree = tomllib.loads((HERE / "config.toml").read_text("utf-8"))
    return {**dict(_dotted(tree)), "server.port": port}


def _dotted(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from _dotted(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m dashboard", description=__doc__)
    parser.add_argument("--port", type=int, default=8501)
    parser.add_argument("--data-dir", type=Path, help="the workspace; else RECSCOPE_HOME")
    options = parser.parse_args()
    if options.data_dir:
        os.environ["RECSCOPE_HOME"] = str(options.data_dir.resolve())
    app = st.App(
        HERE / "app.py",
        routes=[*headers.ROUTES, *served.ROUTES],
        middleware=[
            Middleware(headers.SafeHeaders),
            Middleware(uploads.UploadsOnDisk, workspace=Workspace.open()),
        ],
        on_script_error=show_error,
    )
    app.run(config=settings(options.port))


if __name__ == "__main__":
    main()
