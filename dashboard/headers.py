"""What every answer of the server says to the browser: nothing comes from, or goes to, elsewhere.

Each page is Streamlit's, with one script of ours before its own (browser.js).
"""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit import file_util

_HERE = Path(__file__).resolve().parent
PAGES = sorted(path.stem for path in (_HERE / "views").glob("[!_]*.py"))
_SCRIPT = "api/browser.js"


def _index() -> str:
    whole = (Path(file_util.get_static_dir()) / "index.html").read_text("utf-8")
    return whole.replace("<head>", f'<head>\n    <script src="./{_SCRIPT}"></script>', 1)


_INDEX = _index()


def policy() -> str:
    """The Content-Security-Policy; of scripts in the page only those that Streamlit came with."""
    written = re.findall(r"<script>(.*?)</script>", _INDEX, re.DOTALL)
    hashes = [base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in written]
    scripts = [*(f"'sha256-{digest}'" for digest in hashes), "'unsafe-eval'"]  # regl's, of the map
    rules = {
        "default-src": "'self'",
        "script-src": " ".join(["'self'", "blob:", *scripts]),
        "style-src": "'self' 'unsafe-inline'",
        "img-src": "'self' data: blob:",
        "font-src": "'self' data:",
        "media-src": "'self' data: blob:",
        "connect-src": "'self' data: blob:",
        "worker-src": "'self' blob:",
        "object-src": "'none'",
        "base-uri": "'self'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
    }
    return "; ".join(f"{name} {sources}" for name, sources in rules.items())


HEADERS = {
    "Content-Security-Policy": policy(),
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class SafeHeaders:
    """Middleware that puts HEADERS on every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes everything on; of HTTP with the headers."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await self.app(scope, receive, send_safely)


def _page(request: Request) -> Response:
    return HTMLResponse(_INDEX, headers={"Cache-Control": "no-cache"})


def _script(request: Request) -> Response:
    content = (_HERE / "browser.js").read_text("utf-8")
    return Response(content, media_type="text/javascript", headers={"Cache-Control": "no-cache"})


ROUTES = [
    Route(f"/{_SCRIPT}", _script),
    *(Route(f"/{page}", _page) for page in ["", *PAGES]),
]
