"""What a page, or somebody's table, may open: files in these folders, images on these hosts."""

from __future__ import annotations

import os
from fnmatch import fnmatchcase
from pathlib import Path

from core import ROOT
from core.errors import BadInput, NotFound

SAMPLES = ROOT / "sample_data"


def roots() -> list[Path]:
    """RECSCOPE_DATA_ROOT names them (several with `:` between); the sample data is always one."""
    named = [
        Path(part) for part in os.environ.get("RECSCOPE_DATA_ROOT", "").split(os.pathsep) if part
    ]
    return [root.resolve() for root in (SAMPLES, *named) if root.is_dir()]


def server_path(written: str, *, folder: bool = False) -> Path:
    """The file or folder at this path, which must lie in an allowed folder, also through links."""
    allowed = roots()
    asked = Path(written.strip())
    for base in [Path("/"), *allowed] if asked.is_absolute() else allowed:
        path = (base / asked).resolve()
        there = path.is_dir() if folder else path.is_file()
        if there and any(path.is_relative_to(root) for root in allowed):
            return path
    raise NotFound(
        f"there is no {'folder' if folder else 'file'} {written.strip()!r} in "
        f"{' or '.join(map(str, allowed))}: "
        "the environment variable RECSCOPE_DATA_ROOT names the folders that may be opened"
    )


def check_host(address: str) -> None:
    """Nothing, if images may be fetched from the host of this address.

    RECSCOPE_IMAGE_HOSTS names the hosts, with `,` between, such as `*.example.org`; without it
    there are none, so that nobody's table makes this machine call on its neighbours.

    Raises:
        BadInput: it is another host.
    """
    from urllib3.util import parse_url  # as what fetches it reads it

    host = (parse_url(address).host or "").lower()
    named = os.environ.get("RECSCOPE_IMAGE_HOSTS", "").lower().split(",")
    if not host or not any(fnmatchcase(host, one.strip()) for one in named):
        raise BadInput(
            f"no image is fetched from {host!r}: the environment variable RECSCOPE_IMAGE_HOSTS "
            "names the hosts that may be asked"
        )
