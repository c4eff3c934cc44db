"""What a person wrote on a run, as it is kept beside it: notes.json.

It is no part of what was trained: the id, which follows from that, stays, and training the same
again leaves it as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self
from unicodedata import category

from core.errors import BadInput

LONGEST_NOTE = 10_000  # characters
LONGEST_TAG = 40
MOST_TAGS = 20


@dataclass(frozen=True)
class RunNotes:
    """A note of any number of lines, and tags: short words to find runs by."""

    note: str = ""
    tags: tuple[str, ...] = ()  # sorted, each once

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """What notes.json says."""
        note, tags = content["note"], content["tags"]
        if not isinstance(note, str) or not isinstance(tags, list):
            raise TypeError
        if not all(isinstance(tag, str) for tag in tags):
            raise TypeError
        return cls(note, tuple(tags))

    def to_json(self) -> dict[str, Any]:
        """As notes.json and `recscope note --json` have it."""
        return {"note": self.note, "tags": list(self.tags)}

    def changed(
        self, note: str | None = None, add: Iterable[str] = (), remove: Iterable[str] = ()
    ) -> RunNotes:
        """The same with another note, if one is given, and with and without these tags.

        Raises:
            BadInput: too long, too many, unprintable, or a tag to remove that is not there.
        """
        gone = [tag.strip() for tag in remove]
        for tag in gone:
            if tag not in self.tags:
                have = ", ".join(self.tags) or "none"
                raise BadInput(f"there is no tag {tag!r} to remove: there are {have}")
        tags = {*(tag for tag in self.tags if tag not in gone), *map(checked_tag, add)}
        if len(tags) > MOST_TAGS:
            raise BadInput(f"a run has at most {MOST_TAGS} tags, not {len(tags)}: remove some")
        return RunNotes(self.note if note is None else checked_note(note), tuple(sorted(tags)))


def checked_note(note: str) -> str:
    """The note without blanks around it, its lines ended alike.

    Raises:
        BadInput: it is longer than LONGEST_NOTE, or holds a character that is not to be read.
    """
    note = "\n".join(note.splitlines()).strip()
    if len(note) > LONGEST_NOTE:
        raise BadInput(
            f"a note has at most {LONGEST_NOTE} characters, not {len(note)}: keep what is longer "
            "in a file of yours, and name that"
        )
    odd = next((c for c in note if not _is_read(c)), None)
    if odd is not None:
        raise BadInput(f"a note is printable text, without {odd!r}: take that out")
    return note


def _is_read(character: str) -> bool:
    """Whether it shows, or is a blank of any width, such as that of Chinese texts."""
    blank = character in "\n\t" or category(character) == "Zs"
    return blank or character.isprintable()


def checked_tag(tag: str) -> str:
    """The tag without blanks around it.

    Raises:
        BadInput: it is not one printable word or two of at most LONGEST_TAG characters, or has a
            comma, which parts tags from one another.
    """
    tag = tag.strip()
    if not 0 < len(tag) <= LONGEST_TAG or not tag.isprintable() or "," in tag:
        raise BadInput(
            f"a tag is 1 to {LONGEST_TAG} printable characters without a comma, "
            f"not {tag[: LONGEST_TAG + 1]!r}"
        )
    return tag
