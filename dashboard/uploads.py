"""Uploads go to the disk as they come in; Streamlit, which keeps them in memory, gets a receipt.

A receipt names the upload that lies in the workspace's tmp/uploads. Nobody else can write one: it
holds a secret of this process, and whatever is uploaded is replaced by one.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import shutil
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import IO

from anyio import to_thread
from starlette.datastructures import MutableHeaders, UploadFile
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit import runtime

from core.data.read_only import UPLOAD, check_writable
from core.data.store import Workspace
from core.errors import ReadOnly

MAX_BYTES = 2000 << 20  # of one file, as server.maxUploadSize
MAX_SESSION_BYTES = 4 * MAX_BYTES  # of all files that one page has uploaded and not taken back
GONE_S = 180.0  # a closed page may come back within server.disconnectedSessionTTL
SWEEP_S = 60.0
RECEIVED = ".received"
BLOCK = 1 << 20
_SECRET = secrets.token_hex(16)
_RECEIPT = re.compile(rf"recscope {_SECRET} ([\w-]{{1,64}})\Z")
_UPLOADS = "/_stcore/upload_file/"
_ADDRESS = re.compile(_UPLOADS + r"([^/]+)/([\w-]{1,64})\Z")


class TooMuch(Exception):
    """More than may be uploaded is coming in."""


def check_uploads(workspace: Workspace) -> None:
    """Raises ReadOnly where nothing may be uploaded."""
    check_writable(workspace.path, UPLOAD)


def received(workspace: Workspace, source: IO[bytes]) -> Path | None:
    """Where the upload lies that this is the receipt of; None where it is an upload itself."""
    source.seek(0)
    found = _RECEIPT.match(source.read(200).decode("ascii", errors="replace"))
    return folder_of(workspace, found[1]) / RECEIVED if found else None


def folder_of(workspace: Workspace, file_id: str) -> Path:
    """The folder of an upload."""
    return workspace.tmp_folder / "uploads" / (re.sub(r"[^\w-]", "", file_id)[:80] or "file")


class UploadsOnDisk:
    """ASGI middleware that does so for Streamlit's address of uploads."""

    def __init__(
        self, app: ASGIApp, workspace: Workspace, is_open: Callable[[str], bool] | None = None
    ) -> None:
        is_open = is_open or (lambda session: runtime.get_instance().is_active_session(session))
        self._app, self._workspace = app, workspace
        self._is_open = is_open
        self._sizes: dict[str, dict[str, int]] = defaultdict(dict)  # session → upload → bytes
        self._ended: dict[str, float] = {}  # session → when it was first seen to be closed
        self._sweeping: asyncio.Task[None] | None = None
        if not workspace.read_only:
            tempfile.tempdir = str(
                workspace.tmp_folder
            )  # what comes in is no guest of /tmp's memory

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Stores what is uploaded, forgets what is taken back, passes everything else on."""
        path = scope.get("path", "") if scope["type"] == "http" else ""
        if _UPLOADS in path and scope["method"] not in ("GET", "HEAD", "OPTIONS"):
            try:
                check_uploads(self._workspace)
            except ReadOnly as error:
                await PlainTextResponse(str(error), 403)(scope, receive, send)
                return
        address = _ADDRESS.search(path)
        if address is None or not self._is_open(address[1]):
            await self._app(scope, receive, send)  # which refuses uploads to nobody's page
        elif scope["method"] == "PUT":
            await self._put(scope, receive, send, *address.groups())
        else:
            if scope["method"] == "DELETE":
                self._forget(*address.groups())
            await self._app(scope, receive, send)

    async def _put(
        self, scope: Scope, receive: Receive, send: Send, session: str, file_id: str
    ) -> None:
        left = min(MAX_BYTES, MAX_SESSION_BYTES - sum(self._sizes[session].values()))
        try:
            async with Request(scope, _at_most(left, receive)).form(max_files=1) as form:
                upload = next(
                    (part for part in form.values() if isinstance(part, UploadFile)), None
                )
                if upload is None:
                    await PlainTextResponse("no file in it", 400)(scope, receive, send)
                    return
                await to_thread.run_sync(partial(self._store, file_id, upload.file))
        except TooMuch:
            await PlainTextResponse("File too large", 413)(scope, receive, send)
            return
        except OSError:
            self._forget(session, file_id)
            await PlainTextResponse("The disk is full", 507)(scope, receive, send)
            return
        self._sizes[session][file_id] = upload.size or 0
        content = f"recscope {_SECRET} {file_id}".encode()
        status = 500  # until it has answered

        async def watched(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            await self._app(*_replaced(scope, upload, content), watched)
        finally:
            if status >= 400:  # Streamlit refused it, so no page will ever ask for it
                self._forget(session, file_id)
        self._sweep_from_now()

    def _store(self, file_id: str, source: IO[bytes]) -> None:
        path = folder_of(self._workspace, file_id) / RECEIVED
        path.parent.mkdir(parents=True, exist_ok=True)
        source.seek(0)
        with path.open("wb") as file:
            shutil.copyfileobj(source, file, BLOCK)

    def _forget(self, session: str, file_id: str) -> None:
        if self._sizes[session].pop(file_id, None) is not None:
            shutil.rmtree(folder_of(self._workspace, file_id), ignore_errors=True)

    def forget_ended(self, now: float) -> None:
        """Removes what pages uploaded that have been closed for longer than they may come back.

        Args:
            now: By a clock that only rises, in seconds.
        """
        for session in list(self._sizes):
            if self._is_open(session):
                self._ended.pop(session, None)
            elif now - self._ended.setdefault(session, now) >= GONE_S:
                for file_id in list(self._sizes[session]):
                    self._forget(session, file_id)
                del self._sizes[session], self._ended[session]

    def _sweep_from_now(self) -> None:
        if self._sweeping is None or self._sweeping.done():
            self._sweeping = asyncio.create_task(self._sweep())

    async def _sweep(self) -> None:
        """As long as something lies there, looks whether the page is still open."""
        while self._sizes:
            await asyncio.sleep(SWEEP_S)
            await to_thread.run_sync(self.forget_ended, time.monotonic())


def _at_most(n: int, receive: Receive) -> Receive:
    """The same request, which fails as soon as it brings more than so many bytes."""
    came = 0

    async def limited() -> Message:
        nonlocal came
        message = await receive()
        came += len(message.get("body", b""))
        if came > n + BLOCK:  # what stands around the file is less
            raise TooMuch
        return message

    return limited


def _replaced(scope: Scope, upload: UploadFile, content: bytes) -> tuple[Scope, Receive]:
    """The same request with this content in place of the file's."""
    boundary = secrets.token_hex(16)
    head = "".join(f"{name}: {value}\r\n" for name, value in upload.headers.items())
    body = (
        f"--{boundary}\r\n{head}\r\n".encode("latin-1", errors="replace")
        + content
        + f"\r\n--{boundary}--\r\n".encode()
    )
    headers = MutableHeaders(raw=list(scope["headers"]))
    headers["content-type"] = f"multipart/form-data; boundary={boundary}"
    headers["content-length"] = str(len(body))

    async def once() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return {**scope, "headers": headers.raw}, once
