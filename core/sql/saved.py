"""Statements that are kept in a workspace: saved ones as files of their own, the last ones asked.

`<workspace>/queries/NAME-HASH.sql` begins with a comment that has the name, so that it can be read,
edited and carried elsewhere like any file; other files *.sql laid there are listed too. A name is
never a path: of it the file's name has letters, digits and dashes alone.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from core.data.durable import read_json, write_json_atomically, write_text_atomically
from core.data.limits import writing
from core.data.refs import checked_name, name_from
from core.data.store import Workspace
from core.data.unreadable import Unreadable, read_all
from core.errors import BadInput, Corrupt, NotFound
from core.sql.sandbox import LONGEST

MOST_ASKED = 50  # statements that are remembered
_NAMED = "-- name: "
_ASKED = "asked.json"


@dataclass(frozen=True)
class SavedQuery:
    """A statement under a name; the id is its file's name without the ending."""

    id: str
    name: str
    statement: str


def saved(workspace: Workspace) -> tuple[list[SavedQuery], list[Unreadable]]:
    """All saved queries by name, and the files that are none."""
    paths = sorted(_folder(workspace).glob("[!.]*.sql"))
    queries, unreadable = read_all("query", paths, _read)
    return sorted(queries, key=lambda query: (query.name.casefold(), query.id)), unreadable


def save(workspace: Workspace, name: str, statement: str) -> SavedQuery:
    """Keeps the statement under this name, in the place of what bore it before.

    Raises:
        BadInput: the name is not one printable line, there is no statement, or no room for it.
    """
    name, statement = checked_name(name), statement.strip()
    if not statement:
        raise BadInput("there is no statement to save: write one first")
    if len(statement) > LONGEST:
        raise BadInput(f"the statement has {len(statement)} letters: at most {LONGEST} are kept")
    word = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40] or "query"
    ident = f"{word}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    folder = _folder(workspace)
    with writing(folder):
        folder.mkdir(exist_ok=True)
    write_text_atomically(folder / f"{ident}.sql", f"{_NAMED}{name}\n{statement}\n")
    return SavedQuery(ident, name, statement)


def forget(workspace: Workspace, ident: str) -> None:
    """Removes a saved query.

    Raises:
        NotFound: none has this id.
    """
    if all(query.id != ident for query in saved(workspace)[0]):
        raise NotFound(f"there is no saved query {ident!r}")
    path = _folder(workspace) / f"{ident}.sql"
    with writing(path):
        path.unlink(missing_ok=True)


def asked(workspace: Workspace) -> list[str]:
    """The statements that were asked last, the latest first."""
    content = read_json(_folder(workspace) / _ASKED) or {}
    statements = content.get("statements")
    if not isinstance(statements, list):
        return []
    return [each for each in statements if isinstance(each, str)][:MOST_ASKED]


def remember(workspace: Workspace, statement: str) -> None:
    """Puts a statement before all that were asked, if it is of a length to be read again.

    Nothing in a workspace that is only looked at.
    """
    if workspace.read_only:
        return
    statement = statement.strip()
    before = asked(workspace)
    if not statement or len(statement) > LONGEST // 10 or before[:1] == [statement]:
        return
    folder = _folder(workspace)
    with writing(folder):
        folder.mkdir(exist_ok=True)
    statements = [statement, *(each for each in before if each != statement)][:MOST_ASKED]
    write_json_atomically(folder / _ASKED, {"statements": statements})


def _folder(workspace: Workspace) -> Path:
    return workspace.path / "queries"


def _read(path: Path) -> SavedQuery:
    try:
        if path.stat().st_size > 4 * LONGEST:
            raise Corrupt(f"{path} is larger than a statement may be")
        text = path.read_bytes().decode()
    except (OSError, UnicodeDecodeError):
        raise Corrupt(f"{path} cannot be read as text in UTF-8") from None
    name, statement = path.stem, text
    if text.startswith(_NAMED):
        first, _, statement = text.partition("\n")
        name = first.removeprefix(_NAMED)
    return SavedQuery(path.stem, name_from(name), statement.strip())
