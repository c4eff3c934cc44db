"""Pictures of the items, kept small in the dataset's own folder: what pages show of a list.

A person brings them once (`recscope pictures`); nothing is ever fetched to show a page.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa
from pyarrow import compute, dataset, parquet

from core.data import dataset as arrays
from core.data.durable import sync_file, sync_folder
from core.data.features.images import Images, image_places
from core.data.limits import in_words, writing
from core.data.read_only import ADD_PICTURES, check_writable
from core.data.store import DatasetInfo, Workspace
from core.errors import BadInput, Corrupt
from core.types import Progress, silent

FILE = "pictures.parquet"
SIDE = 240  # pixels of the longer side that are kept
QUALITY = 82  # of the JPEG, 0 … 100
BATCH = 256  # pictures made, and read, at a time
AGAIN = "bring the pictures again (recscope pictures), which mends it"

_CHECKED = dataset.ParquetFileFormat(
    default_fragment_scan_options=dataset.ParquetFragmentScanOptions(
        page_checksum_verification=True
    )
)


@dataclass(frozen=True)
class PictureCounts:
    """What became of the pictures that were brought."""

    items: int  # with a picture
    of: int
    unreadable: int
    example: str  # one that could not be read, and why; "" where all could

    def to_json(self) -> dict[str, Any]:
        """As `recscope pictures --json` has it."""
        return asdict(self)


def add_pictures(
    workspace: Workspace, info: DatasetInfo, images: str, progress: Progress | None = None
) -> PictureCounts:
    """Keeps a small copy of each item's picture, in place of those that were kept before.

    Args:
        workspace: Where the dataset is.
        info: The dataset.
        images: A folder with files named by item id, or a column of the items with paths, or
            addresses on the hosts of RECSCOPE_IMAGE_HOSTS.
        progress: Told the stage and the share done.

    Raises:
        BadInput: not one item has a picture, or none can be read.
    """
    check_writable(workspace.path, ADD_PICTURES)
    say = progress or silent
    data = arrays.load(info)
    places = image_places(images, data)
    ids = list(map(str, data.items.ids.tolist()))
    order = sorted(range(len(ids)), key=ids.__getitem__)  # a few are then found without reading all
    rows = [row for row in order if places[row] is not None]
    source = Images(places)
    kept = 0
    with workspace.scratch() as scratch, writing(info.folder / FILE):
        schema = pa.schema({"item_id": pa.string(), "picture": pa.binary()})
        with parquet.ParquetWriter(scratch / FILE, schema, write_page_checksum=True) as file:
            for low in range(0, len(rows), BATCH):
                part = rows[low : low + BATCH]
                made = {
                    ids[row]: _small(one) for row, one in zip(part, source.read(part), strict=True)
                }
                shown = {item: jpeg for item, jpeg in made.items() if jpeg}
                file.write_table(pa.table([list(shown), list(shown.values())], schema=schema))
                kept += len(shown)
                say("pictures", (low + len(part)) / len(rows))
        place, why = next(iter(sorted(source.faults.items())), ("", ""))
        counts = PictureCounts(kept, len(ids), len(rows) - kept, f"{place}: {why}" if place else "")
        if not kept:
            raise BadInput(f"none of the {len(rows)} pictures can be read ({counts.example})")
        sync_file(scratch / FILE)
        (scratch / FILE).replace(info.folder / FILE)
        sync_folder(info.folder)
    return counts


def _small(image: Any) -> bytes | None:
    if image is None:
        return None
    image.thumbnail((SIDE, SIDE))
    written = io.BytesIO()
    image.save(written, "JPEG", quality=QUALITY)
    return written.getvalue()


def pictures(info: DatasetInfo, ids: Iterable[object]) -> dict[str, bytes]:
    """str(item id) → a JPEG of at most SIDE pixels, of those of these items that have one.

    Raises:
        Corrupt: what is kept is not what was written.
    """
    if not (info.folder / FILE).is_file():
        return {}
    wanted = compute.field("item_id").isin(pa.array(list(map(str, ids)), pa.string()))
    try:
        kept = dataset.dataset(info.folder / FILE, format=_CHECKED)
        table = kept.to_table(filter=wanted)
        found = dict(
            zip(*(table[name].to_pylist() for name in ("item_id", "picture")), strict=True)
        )
    except (OSError, KeyError, pa.ArrowException) as error:
        if refused := in_words(error, info.folder / FILE):
            raise refused from None
        raise Corrupt(f"{info.folder / FILE} is damaged: {AGAIN}") from None
    return found


def pictures_mark(info: DatasetInfo) -> str:
    """What tells these pictures from those that were kept before; "" where there are none."""
    try:
        stat = (info.folder / FILE).stat()
    except OSError:
        return ""
    return f"{stat.st_size} {stat.st_mtime_ns}"
