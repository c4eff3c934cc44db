"""What the machine would not do, as a sentence: no room, no permission, no memory, no handles."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.data.read_only import check_writable
from core.errors import BadInput, CoreError, TooLarge

_ELSEWHERE = "or choose another folder (--data-dir, RECSCOPE_HOME)"
_FULL = (errno.ENOSPC, errno.EDQUOT)
_SENTENCES = {
    errno.EACCES: "{path} may not be read or written by you: change its permissions, {elsewhere}",
    errno.EPERM: "{path} may not be read or written by you: change its permissions, {elsewhere}",
    errno.EROFS: "{path} is on a disk that is read only: make it writable, {elsewhere}",
    errno.EFBIG: "{path} would be larger than files may be here: raise the limit (ulimit -f), "
    "{elsewhere}",
    errno.EIO: "the disk that {path} is on gives an error: check the disk, {elsewhere}",
    errno.EMFILE: "too many files are open at once, {path} was one too many: raise the limit "
    "(ulimit -n), or do less at a time",
    errno.ENFILE: "too many files are open on this machine, {path} was one too many: close what "
    "else is running",
}
_BY_WORDS = {os.strerror(number): number for number in (*_FULL, *_SENTENCES)}


def in_words(
    error: BaseException, path: Path | None = None, needed: int | None = None
) -> CoreError | None:
    """The sentence for what the machine would not do; None for any other error.

    Args:
        error: Of Python, or of a library that writes by itself and tells of it in a text.
        path: What was being read or written, where the error does not say it.
        needed: How many bytes it has, where that is known.
    """
    if isinstance(error, CoreError):
        return error
    text = str(error)
    if isinstance(error, MemoryError) or _is_out_of_memory(text):
        return TooLarge(f"memory ran out ({text}): try a smaller model or dataset")
    number = getattr(error, "errno", None)
    if number == errno.ENOMEM:
        return TooLarge(f"memory ran out ({text}): close what else needs memory")
    if number is None:
        number = next((number for words, number in _BY_WORDS.items() if words in text), None)
    named = _named_path(error)
    if named is None or (path and named.name.startswith(".")):  # a temporary one of ours
        named = path
    where = "what was written" if named is None else str(named)
    if number in _FULL:
        return BadInput(_no_room(where, named, needed))
    if number not in _SENTENCES:
        return None
    return BadInput(_SENTENCES[number].format(path=where, elsewhere=_ELSEWHERE))


@contextmanager
def writing(path: Path | None = None, needed: int | None = None) -> Iterator[None]:
    """Inside, what the machine would not do is a sentence, about this file of so many bytes.

    Raises:
        BadInput: there is no room for it, it may not be written, …
        ReadOnly: it lies in a workspace that may only be looked at; nothing inside is done.
        TooLarge: memory ran out.
    """
    if path is not None:
        check_writable(path)
    try:
        yield
    except CoreError:
        raise
    except Exception as error:
        if sentence := in_words(error, path, needed):
            raise sentence from error
        raise


def size_in_words(size: float) -> str:
    """So many bytes as people read them, in powers of 1000.

    >>> size_in_words(0), size_in_words(1234), size_in_words(5_600_000_000)
    ('0 B', '1.2 kB', '5.6 GB')
    """
    units = ("B", "kB", "MB", "GB", "TB")
    place = 0
    while size >= 999.5 and place < len(units) - 1:
        size, place = size / 1000, place + 1
    return f"{size:.{0 if place == 0 or size >= 99.5 else 1}f} {units[place]}"


def _no_room(where: str, path: Path | None, needed: int | None) -> str:
    bytes_needed = "" if needed is None else f", which has {size_in_words(needed)} ({needed} bytes)"
    free = ""
    for folder in () if path is None else (path, *path.absolute().parents):
        if folder.is_dir():
            free = f", and {size_in_words(shutil.disk_usage(folder).free)} are free there"
            break
    return (
        f"the disk is full: there is no room for {where}{bytes_needed}{free}: make room, "
        f"{_ELSEWHERE}"
    )


def _named_path(error: BaseException) -> Path | None:
    """The path that the error names; DuckDB does so in its text, between double quotes."""
    if name := getattr(error, "filename", None):
        return Path(os.fsdecode(name))
    parts = str(error).split('"')
    return Path(parts[1]) if len(parts) > 2 and os.sep in parts[1] else None


def _is_out_of_memory(text: str) -> bool:
    text = text.lower()  # torch raises plain RuntimeErrors for it on the CPU
    return "out of memory" in text or "allocate memory" in text
