"""Permalinks under a name: `<workspace>/views/NAME-HASH.json`, a page and what its address says.

A name is never a path: of it the file's name has letters, digits and dashes alone.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from core.data.durable import check_entries, read_object, write_json_atomically
from core.data.limits import writing
from core.data.refs import checked_name
from core.data.store import Workspace
from core.data.unreadable import Unreadable, read_all
from core.errors import BadInput, Corrupt, NotFound

LONGEST = 8_000  # letters of an address: what browsers and servers pass on
AGAIN = "save the view again, or delete the file"


@dataclass(frozen=True)
class SavedView:
    """A page and what its address says; the id is its file's name without the ending."""

    id: str
    name: str
    page: str  # a view's name, such as "compare"
    query: Mapping[str, str]  # of the names in dashboard.state.NAMES


def saved(workspace: Workspace) -> tuple[list[SavedView], list[Unreadable]]:
    """All saved views by name, and the files that are none."""
    views, unreadable = read_all("view", sorted(_folder(workspace).glob("[!.]*.json")), _read)
    return sorted(views, key=lambda view: (view.name.casefold(), view.id)), unreadable


def save(workspace: Workspace, name: str, page: str, query: Mapping[str, str]) -> SavedView:
    """Keeps the view under this name, in the place of what bore it before.

    Raises:
        BadInput: the name is not one printable line, or the address is too long to be one.
        ReadOnly: the workspace may only be looked at.
    """
    name = checked_name(name)
    length = sum(len(word) for word in (*query, *query.values()))
    if length > LONGEST:
        raise BadInput(f"the address has {length} letters: at most {LONGEST} are kept")
    word = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40] or "view"
    ident = f"{word}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    folder = _folder(workspace)
    with writing(folder):
        folder.mkdir(exist_ok=True)
    content = {"name": name, "page": page, "query": dict(query)}
    write_json_atomically(folder / f"{ident}.json", content)
    return SavedView(ident, name, page, query)


def forget(workspace: Workspace, ident: str) -> None:
    """Removes a saved view.

    Raises:
        NotFound: none has this id.
        ReadOnly: the workspace may only be looked at.
    """
    if all(view.id != ident for view in saved(workspace)[0]):
        raise NotFound(f"there is no saved view {ident!r}: look at the list again")
    path = _folder(workspace) / f"{ident}.json"
    with writing(path):
        path.unlink(missing_ok=True)


def _folder(workspace: Workspace) -> Path:
    return workspace.path / "views"


def _read(path: Path) -> SavedView:
    try:
        content = read_object(path)
        if content is None:
            raise Corrupt(f"{path} is missing")
        check_entries(path, content, {"name": str, "page": str, "query": dict})
        if not all(isinstance(value, str) for value in content["query"].values()):
            raise Corrupt(f"{path} says no address")
        name = checked_name(content["name"])
    except BadInput as error:
        raise Corrupt(f"{path}: {error}") from None
    except Corrupt as error:
        raise Corrupt(f"{error}: {AGAIN}") from None
    return SavedView(path.stem, name, content["page"], content["query"])
