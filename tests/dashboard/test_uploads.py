"""What Streamlit refuses, and what a closed page has left, does not stay on the disk."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from core.data.store import Workspace
from dashboard.uploads import GONE_S, RECEIVED, UploadsOnDisk, folder_of

ADDRESS = "/_stcore/upload_file/page1/file1"


class Streamlit:
    """Its address of uploads, which answers as it is told to."""

    def __init__(self, status: int) -> None:
        self.status = status

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await Request(scope, receive).body()
        await PlainTextResponse("", self.status)(scope, receive, send)


def uploaded(uploads: UploadsOnDisk) -> int:
    """The status of the answer to an upload."""
    head = b'--mark\r\nContent-Disposition: form-data; name="file"; filename="log.csv"\r\n\r\n'
    scope: Scope = {
        "type": "http", "method": "PUT", "path": ADDRESS, "query_string": b"",
        "headers": [(b"content-type", b"multipart/form-data; boundary=mark")],
    }  # fmt: skip
    answers: list[Message] = []

    async def receive() -> Message:
        body = head + b"u,i\n1,2\n\r\n--mark--\r\n"
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        answers.append(message)

    asyncio.run(uploads(scope, receive, send))
    return int(answers[0]["status"])


def lying(workspace: Workspace) -> list[Path]:
    return list((workspace.tmp_folder / "uploads").rglob(RECEIVED))


@pytest.mark.parametrize("status", [400, 413, 500])
def test_what_is_refused_does_not_stay(nothing: Workspace, status: int) -> None:
    uploads = UploadsOnDisk(Streamlit(status), nothing, lambda session: True)
    assert uploaded(uploads) == status
    assert lying(nothing) == []
    assert not folder_of(nothing, "file1").exists()


def test_what_is_taken_stays_while_its_page_is_open(nothing: Workspace) -> None:
    open_pages = {"page1"}
    uploads = UploadsOnDisk(Streamlit(204), nothing, open_pages.__contains__)
    assert uploaded(uploads) == 204
    (path,) = lying(nothing)
    assert path.read_bytes() == b"u,i\n1,2\n"
    uploads.forget_ended(0.0)
    open_pages.clear()  # closed; it may come back for a while, as after a lost connection
    uploads.forget_ended(10.0)
    uploads.forget_ended(10.0 + GONE_S - 1)
    assert lying(nothing) == [path]
    open_pages.add("page1")
    uploads.forget_ended(10.0 + GONE_S)
    open_pages.clear()
    uploads.forget_ended(11.0 + GONE_S)  # counted anew
    uploads.forget_ended(10.0 + 2 * GONE_S)
    assert lying(nothing) == [path]
    uploads.forget_ended(11.0 + 2 * GONE_S)
    assert lying(nothing) == []
