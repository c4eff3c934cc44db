"""Where the items' images lie, and the images: files named by item id, paths or addresses.

A table may come from anyone, so a path in it, or a link, is followed into the folders of
RECSCOPE_DATA_ROOT alone, and an address to the hosts of RECSCOPE_IMAGE_HOSTS alone.
"""

from __future__ import annotations

import hashlib
import io
import re
import time
import warnings
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard
from urllib.parse import urljoin

import numpy as np
import pandas as pd

from core.data.features.roots import check_host, server_path
from core.errors import BadInput

if TYPE_CHECKING:
    import urllib3

    from core.data.dataset import Dataset

FORMATS = {
    ".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG", ".webp": "WEBP", ".gif": "GIF", ".bmp": "BMP",
}  # fmt: skip
MAX_BYTES = 50 * 2**20  # of one image
SIDE = 1024  # pixels are kept, more than any model looks at
PATIENCE_S = 30.0  # for one image from an address
REDIRECTS = 3
AT_ONCE = 8  # read, or fetched, at a time
_ADDRESS = re.compile(r"https?://", re.I)

Place = str | Path  # what a column says, an address or a path; or a file of a folder


def image_files(folder: Path) -> list[Path]:
    """The images in a folder, by name."""
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in FORMATS)


def image_places(images: str, data: Dataset) -> list[Place | None]:
    """Where each item's image lies, (I,): in this folder, or as this column of the items says.

    Raises:
        BadInput: not one item has an image.
    """
    found: list[Place | None]
    table = data.item_table()
    if images in table:
        found = [_place(cell) for cell in table[images]]
        wanted = "in that column, as a path or an address"
    elif Path(images).is_dir():
        by_id: dict[str, Place] = {path.stem: path for path in reversed(image_files(Path(images)))}
        found = [by_id.get(str(item_id)) for item_id in data.items.ids.tolist()]
        wanted = f"named by an item id, such as {data.items.ids[0]}.jpg"
    else:
        raise BadInput(f"the folder {images!r} is not there any more: put it back")
    if not any(found):
        raise BadInput(f"no item of {data.info.name} has an image in {images!r}: one is {wanted}")
    return found


def _place(cell: Any) -> Place | None:
    if isinstance(cell, (list, tuple, np.ndarray)):
        cell = next(iter(cell), None)  # of several images the first
    said = "" if pd.isna(cell) else str(cell).strip()
    return said or None


def _is_address(place: Place) -> TypeGuard[str]:
    return isinstance(place, str) and _ADDRESS.match(place) is not None


class Images:
    """The images at these places (n,); `faults` says of which there is none to be had, and why."""

    def __init__(self, places: Sequence[Place | None]) -> None:
        self.places = places
        self.faults: dict[str, str] = {}

    @cached_property
    def _web(self) -> urllib3.PoolManager:
        import urllib3

        retries = urllib3.Retry(2, backoff_factor=0.2)
        patience = urllib3.Timeout(connect=5, read=10)
        return urllib3.PoolManager(maxsize=AT_ONCE, retries=retries, timeout=patience)

    def keys(self) -> list[str | None]:
        """What sets each image apart: the hash of its file, or of its address; None for none.

        What an address once gave is not asked for again.
        """
        return self._each(self._key, self.places)

    def read(self, rows: Iterable[int]) -> list[Any]:
        """The images of these rows in RGB; None where one cannot be read."""
        return self._each(self._image, [self.places[row] for row in rows])

    def _each(self, work: Any, places: Sequence[Place | None]) -> list[Any]:
        from PIL import Image

        def safely(place: Place | None) -> Any:
            if place is None:
                return None
            try:
                return work(place)
            except Exception as error:  # whatever a decoder makes of a broken or hostile file
                self.faults[str(place)] = str(error) or type(error).__name__
                return None

        with warnings.catch_warnings(), ThreadPoolExecutor(AT_ONCE) as pool:
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            return list(pool.map(safely, places))

    def _key(self, place: Place) -> str:
        content = place.encode() if _is_address(place) else self._bytes(place)
        return hashlib.sha256(content).hexdigest()

    def _image(self, place: Place) -> Any:
        from PIL import Image, ImageOps

        kinds = sorted(set(FORMATS.values()))
        with Image.open(io.BytesIO(self._bytes(place)), formats=kinds) as image:
            image.draft("RGB", (SIDE, SIDE))  # a large JPEG is not even decoded whole
            upright = ImageOps.exif_transpose(image).convert("RGBA")  # palettes take two steps
            upright.thumbnail((SIDE, SIDE))
            return upright.convert("RGB")

    def _bytes(self, place: Place) -> bytes:
        if _is_address(place):
            return self._fetched(place)
        own = isinstance(place, Path) and not place.is_symlink()
        path = Path(place) if own else server_path(str(place))
        if path.stat().st_size > MAX_BYTES:
            raise OSError(f"larger than {MAX_BYTES / 2**20:.0f} MiB")
        return path.read_bytes()

    def _fetched(self, address: str) -> bytes:
        until = time.monotonic() + PATIENCE_S
        for _ in range(REDIRECTS + 1):
            check_host(address)  # where an allowed host leads to must be allowed too
            with self._web.request("GET", address, preload_content=False, redirect=False) as answer:
                if moved := answer.get_redirect_location():
                    address = urljoin(address, moved)
                    continue
                if answer.status != 200:
                    raise OSError(f"the answer is {answer.status}")
                return _body(answer.stream(2**16), until)
        raise OSError(f"it leads elsewhere more than {REDIRECTS} times")


def _body(blocks: Iterable[bytes], until: float) -> bytes:
    data = bytearray()
    for block in blocks:
        data += block
        if len(data) > MAX_BYTES:
            raise OSError(f"larger than {MAX_BYTES / 2**20:.0f} MiB")
        if time.monotonic() > until:
            raise OSError(f"not there after {PATIENCE_S:.0f} s")
    return bytes(data)
