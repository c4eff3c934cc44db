"""Texts and images of the items → embeddings, by encoders that a person names, each made once.

What was made lies in <workspace>/embeddings, a folder per encoder, under the hash of each content.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict
from uuid import uuid4

import numpy as np
import pyarrow as pa
from pyarrow import compute, dataset, parquet

from core.data.durable import publish, sha256_file
from core.data.features.encode import texts
from core.data.features.encoders import LIBRARIES, Encode, is_name, library, open_encoder
from core.data.features.images import Images, image_files, image_places
from core.data.limits import in_words, writing
from core.data.store import Workspace
from core.errors import BadInput, Corrupt
from core.types import FeatureBlock, Features, Floats

if TYPE_CHECKING:
    from core.data.dataset import Dataset

CHOICES = ("text_model", "image_model", "images")
SVD = "svd"  # the text model that needs no extra
SVD_DIM = 128
BATCH = 64  # contents encoded at a time
STORED_AT_ONCE = 32  # batches, so that what is stopped by hand need not begin anew

_CHECKED = dataset.ParquetFileFormat(  # what was written without checksums is read as it is
    default_fragment_scan_options=dataset.ParquetFragmentScanOptions(
        page_checksum_verification=True
    )
)

OnShare = Callable[[float], None]
Read = Callable[[list[int]], list[Any]]


def resolve_encoders(asked: Mapping[str, str], columns: Sequence[str]) -> dict[str, str]:
    """The choice of encoders, checked: a folder by its full path and a hash of what is in it.

    Args:
        asked: text_model ("svd", a name or a folder), image_model (the same, its library before
            ":" if it is not timm), images (a column of the items, or a folder).
        columns: Of the items.

    Raises:
        BadInput: what is neither a name nor there, an extra that is not installed, images without
            a model.
    """
    chosen = {name: value.strip() for name, value in asked.items() if value.strip()}
    if unknown := sorted(set(chosen) - set(CHOICES)):
        raise BadInput(f"there is no choice {unknown[0]!r}: there are {', '.join(CHOICES)}")
    if ("image_model" in chosen) != ("images" in chosen):
        missing = "images" if "image_model" in chosen else "image_model"
        raise BadInput(
            f"images need both a model and where they lie, and {missing} is missing: a model is "
            "given by name or path, images as a folder or as a column of the items"
        )
    for kind in ("text", "image"):
        name = chosen.get(f"{kind}_model")
        if name and (kind, name) != ("text", SVD):
            chosen |= _settled_model(kind, name)
    if (images := chosen.get("images")) and images not in columns:
        if not Path(images).is_dir():
            raise BadInput(
                f"{images!r} is neither a folder nor a column of the items: "
                + (f"their columns are {', '.join(columns)}" if columns else "they have no columns")
            )
        chosen["images"] = str(Path(images).resolve())
        chosen["images_hash"] = _listing_hash(Path(images))
    return chosen


def _settled_model(kind: str, model: str) -> dict[str, str]:
    prefix, name = library(kind, model)
    LIBRARIES[kind][prefix].version()
    if (path := Path(name)).is_dir():
        full = f"{prefix}:{path.resolve()}"
        return {f"{kind}_model": full, f"{kind}_model_hash": _content_hash(path)}
    if not is_name(name):
        raise BadInput(f"{name!r} is neither a folder nor the name of a model of {prefix}")
    return {}


def _content_hash(folder: Path) -> str:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return _hash([[str(path.relative_to(folder)), sha256_file(path)] for path in files])


def _listing_hash(folder: Path) -> str:
    """Names, sizes and times: an image that changes changes one of them."""
    stats = [(path.name, path.stat()) for path in image_files(folder)]
    return _hash([[name, stat.st_size, stat.st_mtime_ns] for name, stat in stats])


def _hash(parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]


class ImageFaults(TypedDict, total=False):
    """What became of images; empty for texts."""

    unreadable: int
    example: str  # one of them, and why


class EmbeddedItems(ImageFaults):
    """What became of the texts, or the images, of the items; as run.json keeps it."""

    items: int  # with a vector
    of: int
    dim: int


def embed_items(
    workspace: Workspace,
    data: Dataset,
    chosen: Mapping[str, str],
    device: str = "cpu",
    on_share: OnShare = lambda share: None,
) -> tuple[Features | None, dict[str, EmbeddedItems]]:
    """The items' features with the embeddings chosen, and what became of texts and images.

    Args:
        workspace: Where embeddings are kept.
        data: The items.
        chosen: What `settled` gave.
        device: Where encoders run.
        on_share: Is told how much is done, 0 … 1.

    Raises:
        BadInput: there are no texts or no images, or an encoder cannot be opened.
    """
    features = data.item_features
    embedded: dict[str, EmbeddedItems] = {}
    kinds = [kind for kind in ("text", "image") if f"{kind}_model" in chosen]
    for done, kind in enumerate(kinds):

        def say(share: float, done: int = done) -> None:
            on_share((done + share) / len(kinds))

        make = _of_texts if kind == "text" else _of_images
        vectors, faults = make(workspace, data, chosen, device, say)
        names = tuple(f"{kind} {d}" for d in range(vectors.shape[1]))
        part = {f"{kind}_embedding": FeatureBlock(names, vectors)}
        features = replace(features or Features(), **part)
        having = int(np.isfinite(vectors).all(axis=1).sum())
        embedded[kind] = {"items": having, "of": len(vectors), "dim": vectors.shape[1], **faults}
    return features, embedded


def _of_texts(
    workspace: Workspace, data: Dataset, chosen: Mapping[str, str], device: str, on_share: OnShare
) -> tuple[Floats, ImageFaults]:
    words = data.item_features.text if data.item_features else None
    if chosen["text_model"] == SVD and words is not None:
        return _decomposed(words.matrix), {}
    said = texts(data.item_table(), "item_id")
    if chosen["text_model"] == SVD or not any(said):
        raise BadInput(
            f"the items of {data.info.name} have no texts for {chosen['text_model']!r} to read: "
            "ingest it with a file of items that has titles or descriptions"
        )
    keys = [hashlib.sha256(text.encode()).hexdigest() if text else None for text in said]
    open_it, folder = _encoder(workspace, "text", chosen, device)

    def read(rows: list[int]) -> list[Any]:
        return [said[row] for row in rows]

    return _encoded(workspace, folder, keys, read, open_it, on_share), {}


def _of_images(
    workspace: Workspace, data: Dataset, chosen: Mapping[str, str], device: str, on_share: OnShare
) -> tuple[Floats, ImageFaults]:
    where = image_places(chosen["images"], data)
    images = Images(where)
    open_it, folder = _encoder(workspace, "image", chosen, device)
    vectors = _encoded(workspace, folder, images.keys(), images.read, open_it, on_share)
    place, why = next(iter(sorted(images.faults.items())), ("", ""))
    example = f"{place}: {why}" if place else ""
    wanted = np.array([one is not None for one in where])
    unreadable = int((wanted & np.isnan(vectors).any(axis=1)).sum())
    if unreadable == wanted.sum():
        raise BadInput(f"none of the {unreadable} images can be read ({example})")
    return vectors, {"unreadable": unreadable, "example": example}


def _decomposed(matrix: Any) -> Floats:
    """The TF-IDF (I, F) in its strongest directions (I, D); NaN where an item has no word."""
    from sklearn.decomposition import TruncatedSVD

    svd = TruncatedSVD(min(SVD_DIM, *matrix.shape), random_state=0)
    vectors: Floats = svd.fit_transform(matrix).astype(np.float32)
    vectors[np.diff(matrix.indptr) == 0] = np.nan
    return vectors


def _encoder(
    workspace: Workspace, kind: str, chosen: Mapping[str, str], device: str
) -> tuple[Callable[[], Encode], Path]:
    """What opens the chosen encoder, and the folder of what this version of it has made."""
    model = chosen[f"{kind}_model"]
    prefix, name = library(kind, model)
    version = LIBRARIES[kind][prefix].version()
    own = _hash([kind, prefix, name, version, chosen.get(f"{kind}_model_hash")])
    short = re.sub(r"[^\w.-]+", "-", name)[-60:]
    folder = workspace.path / "embeddings" / f"{kind}-{short}-{own}"
    return lambda: open_encoder(kind, model, device), folder


def _encoded(
    workspace: Workspace,
    folder: Path,
    keys: Sequence[str | None],
    read: Read,
    open_it: Callable[[], Encode],
    on_share: OnShare,
) -> Floats:
    """The embedding of each content, (n, D), NaN where there is none; only new ones are made.

    Args:
        workspace: Where it is written first.
        folder: Of this encoder, with what it made before.
        keys: The hash of each content; None for none.
        read: The contents of these rows; None where one cannot be read.
        open_it: Opens the encoder.
        on_share: Is told how much is done.
    """
    first = {key: row for row, key in reversed(list(enumerate(keys))) if key is not None}
    found = _stored(folder, list(first))
    rows = sorted(row for key, row in first.items() if key not in found)
    encode = open_it() if rows else None
    fresh: dict[str, Floats] = {}
    for n, low in enumerate(range(0, len(rows), BATCH), start=1):
        part = rows[low : low + BATCH]
        pairs = [(row, one) for row, one in zip(part, read(part), strict=True) if one is not None]
        if pairs and encode:
            made = encode([one for _, one in pairs])
            fresh |= {str(keys[row]): v for (row, _), v in zip(pairs, made, strict=True)}
        if fresh and (n % STORED_AT_ONCE == 0 or low + BATCH >= len(rows)):
            _store(workspace, folder, fresh)
            found, fresh = found | fresh, {}
        on_share((low + len(part)) / len(rows))
    dim = len(next(iter(found.values()), (None,)))
    nothing = np.full(dim, np.nan, np.float32)
    return np.stack([found.get(key or "", nothing) for key in keys])


def _stored(folder: Path, keys: Sequence[str]) -> dict[str, Floats]:
    """What was made before of these contents, by key."""
    if not folder.is_dir():
        return {}
    try:
        wanted = compute.field("key").isin(pa.array(keys, pa.string()))
        table = dataset.dataset(folder, format=_CHECKED).to_table(filter=wanted)
    except (OSError, pa.ArrowException) as error:
        if refused := in_words(error, folder):
            raise refused from None
        raise Corrupt(f"{folder} is damaged ({error}): delete it, and it is made anew") from None
    values = table["vector"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
    vectors = values.reshape(len(table), -1) if len(table) else []
    return dict(zip(table["key"].to_pylist(), vectors, strict=True))


def _store(workspace: Workspace, folder: Path, vectors: Mapping[str, Floats]) -> None:
    """Adds these to what the encoder has made, whole or not at all, if it may be kept."""
    if workspace.read_only:
        return
    numbers = np.stack(list(vectors.values()))
    values = pa.FixedSizeListArray.from_arrays(pa.array(numbers.ravel()), numbers.shape[1])
    table = pa.table({"key": pa.array(list(vectors), pa.string()), "vector": values})
    folder.mkdir(parents=True, exist_ok=True)
    with workspace.scratch() as scratch:
        part = scratch / uuid4().hex
        part.mkdir()
        with writing(folder, numbers.nbytes):
            parquet.write_table(table, part / "vectors.parquet", write_page_checksum=True)
        publish(part, folder / part.name)
