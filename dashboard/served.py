"""What the browser fetches by itself: modules, a map's points, their names, pictures.

A page publishes an answer and gets its address, which is made of a hash of the content: it means
the same for ever, nobody guesses it, and what was fetched once is never fetched again. Nothing in
an address is a path. An answer lives in memory, on the server of one workspace, until newer ones
need its room; each page publishes again what it shows whenever it is drawn.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

MOST_BYTES = 512 << 20  # of published answers, the newest stay
MOST_PICTURES = 64 << 20  # the same of pictures
MOST_ROWS = 200  # described in one answer
FOR_EVER = "private, max-age=31536000, immutable"
_HERE = Path(__file__).resolve().parent
MODULES = {  # components' own JavaScript
    "map": _HERE / "map" / "point_map" / "map.bundle.js",
    "editor": _HERE / "components" / "sql" / "editor" / "editor.bundle.js",
}
# A component's own script, which mounts its module: inline ones are run from a blob.
SHIM = """
export default function (component) {
  const url = new URL(component.data.module, document.baseURI).href;
  const loaded = import(url).then((module) => module.default(component));
  return () => loaded.then((stop) => stop?.());
}
"""

Describe = Callable[[Sequence[int]], Sequence[Mapping[str, Any]]]


class Shelf:
    """Published answers by the hash of their content; safe to use from many threads."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._lock = Lock()
        self._held: OrderedDict[str, tuple[Any, int]] = OrderedDict()

    def put(self, name: str, answer: Any, size: int) -> None:
        """Keeps an answer of so many bytes, and drops those longest unused to make room."""
        with self._lock:
            self._held[name] = (answer, size)
            self._held.move_to_end(name)
            while sum(size for _, size in self._held.values()) > self._most_bytes:
                if len(self._held) == 1:  # what is shown now is served, however large
                    return
                self._held.popitem(last=False)

    def get(self, name: str) -> Any:
        """The answer of this name, or None."""
        with self._lock:
            if name not in self._held:
                return None
            self._held.move_to_end(name)
            return self._held[name][0]


_buffers, _descriptions, _pictures = Shelf(), Shelf(), Shelf(MOST_PICTURES)


def publish(content: bytes) -> str:
    """The address of these bytes."""
    name = hashlib.sha256(content).hexdigest()[:32]
    _buffers.put(name, content, len(content))
    return f"/api/map/{name}"


def published(address: str) -> bytes | None:
    """What is published under this address, if it still is."""
    content: bytes | None = _buffers.get(address.rpartition("/")[2])
    return content


def publish_picture(content: bytes, kind: str) -> str:
    """The address of a picture.

    Args:
        content: As a file has it; of an SVG only one that we drew.
        kind: Its media type.
    """
    name = hashlib.sha256(content).hexdigest()[:32]
    _pictures.put(name, (content, kind), len(content))
    return f"/api/picture/{name}"


def describe(name: str, answer: Describe) -> str:
    """The address that describes rows: `?rows=3,5` gives what `answer([3, 5])` gives, as JSON.

    Args:
        name: What tells these descriptions apart from all others, ever; hashed.
        answer: Row numbers, not checked, → one description a row.
    """
    digest = hashlib.sha256(name.encode()).hexdigest()[:32]
    _descriptions.put(digest, answer, 1)
    return f"/api/rows/{digest}"


def module(name: str) -> str:
    """The address of one of MODULES, which changes with its content."""
    return f"/api/assets/{name}.{_module(name)[1]}.js"


def _module(name: str) -> tuple[bytes, str]:
    content = MODULES[name].read_bytes()
    return content, hashlib.sha256(content).hexdigest()[:16]


def _buffer(request: Request) -> Response:
    name = request.path_params["name"]
    content = _buffers.get(name)
    if content is None:
        return _not_found()
    return _not_modified(request, name) or _answer(content, name, "application/octet-stream")


def _picture(request: Request) -> Response:
    name = request.path_params["name"]
    picture: tuple[bytes, str] | None = _pictures.get(name)
    if picture is None:
        return _not_found()
    return _not_modified(request, name) or _answer(picture[0], name, picture[1])


def _asset(request: Request) -> Response:
    name = request.path_params["name"].partition(".")[0]
    if name not in MODULES:
        return _not_found()
    content, digest = _module(name)
    if request.path_params["name"] != f"{name}.{digest}.js":
        return _not_found()
    return _not_modified(request, digest) or _answer(content, digest, "text/javascript")


def _rows(request: Request) -> Response:
    answer = _descriptions.get(request.path_params["name"])
    rows = request.query_params.get("rows", "").split(",")
    if answer is None:
        return _not_found()
    if len(rows) > MOST_ROWS or not all(row.isascii() and row.isdecimal() for row in rows):
        return Response(f"rows must be 1 to {MOST_ROWS} numbers with commas between", 400)
    try:
        return JSONResponse(answer([int(row) for row in rows]), headers=_HEADERS)
    except IndexError:
        return _not_found()


_HEADERS = {"X-Content-Type-Options": "nosniff", "Cross-Origin-Resource-Policy": "same-origin"}


def _answer(content: bytes, name: str, kind: str) -> Response:
    headers = {**_HEADERS, "ETag": f'"{name}"', "Cache-Control": FOR_EVER}
    return Response(content, media_type=kind, headers=headers)


def _not_modified(request: Request, name: str) -> Response | None:
    """304 where the browser has it already."""
    if f'"{name}"' not in request.headers.get("if-none-match", ""):
        return None
    return Response(status_code=304, headers={"ETag": f'"{name}"', "Cache-Control": FOR_EVER})


def _not_found() -> Response:
    return Response("there is no such thing here (any more): draw the page again", 404)


ROUTES = [
    Route("/api/map/{name}", _buffer),
    Route("/api/rows/{name}", _rows),
    Route("/api/picture/{name}", _picture),
    Route("/api/assets/{name}", _asset),
]
