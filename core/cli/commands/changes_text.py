"""What would change a list, as people read it in a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from core.cli.terminal import table
from core.explain.attribute_changes import AttributeChanges
from core.pipeline import ItemCounterfactual, ItemWhyNot, WhatIf
from core.pipeline.explanations.as_json import NamedItem
from core.pipeline.explanations.counterfactuals import NamedAddition
from core.pipeline.labels import with_id
from core.pipeline.named import HistoryEvent

EVENT_COLUMNS = ("number", "item", "label", "timestamp")


def removal_text(answer: ItemCounterfactual) -> str:
    """The smallest removal that takes an item off the list."""
    name = _name(NamedItem(answer.item, answer.label))
    if not answer.found:
        text = (
            f"{name} is in place {answer.rank_before} and stays in the top {answer.k} even without "
            f"any history, in place {answer.rank_after}"
        )
        return _noted(text, answer.note)
    without = _counted(len(answer.removed), "event")
    text = (
        f"{name} goes from place {answer.rank_before} to {answer.rank_after} without "
        f"{without} of {answer.events}"
    )
    if answer.replaced_by is not None:
        text += f", and {_name(answer.replaced_by)} comes into the top {answer.k}"
    text += f"{_smallest(answer.removed, answer.smallest)}\n{_events(answer.removed)}"
    return _noted(text, answer.note)


def why_not_text(answer: ItemWhyNot) -> str:
    """How far an item is from the list, and what brings it in."""
    name = _name(NamedItem(answer.item, answer.label))
    paragraphs = [
        f"{name} is in place {answer.rank}; its score lies {-answer.margin:.4g} below that of "
        f"{_name(answer.last)} in place {answer.k}",
        _additions_text(answer),
    ]
    if answer.removal is not None:
        removed = answer.removal.removed
        paragraphs.append(
            f"without {_counted(len(removed), 'event')} of {answer.events} it is in place "
            f"{answer.removal.rank_after}{_smallest(removed, answer.removal.smallest)}\n"
            f"{_events(removed)}"
        )
    elif answer.events:
        paragraphs.append("no removal of events that was tried brings it in")
    if answer.parts:
        rows = [{"part": p.name or p.kind, "place": p.rank_after} for p in answer.parts]
        paragraphs.append(
            f"were it without one of these of its own, it would be there\n"
            f"{table(rows, ('part', 'place'))}"
        )
    if answer.changes is not None:
        paragraphs.append(_changes_text(answer.changes))
    return _noted("\n\n".join(paragraphs), answer.note)


def _changes_text(answer: AttributeChanges) -> str:
    """Which other values the model would have it there with."""
    if not answer.changes:
        return f"no other value of one attribute brings it in: {answer.tried:,} were tried"
    rows = [
        {
            "attribute": c.name,
            "instead of": c.old or "nothing",
            "value": c.new,
            "place": c.rank_after,
        }
        for c in answer.changes
    ]
    most = f"the best of {answer.enough:,}, " if answer.enough > len(rows) else ""
    return (
        f"had it another value of one attribute ({most}as the model sees such an item, no "
        f"promise), it would be there\n{table(rows, ('attribute', 'instead of', 'value', 'place'))}"
    )


def _additions_text(answer: ItemWhyNot) -> str:
    if not answer.additions:
        return "not one, two or three more events that were tried bring it in: it takes more"
    length = len(answer.additions[0].added)
    many = answer.enough > len(answer.additions)
    head = f"{_counted(length, 'more event')} at the end of the history " + (
        "brings it in" if length == 1 else "together bring it in"
    )
    if many:
        head += f"; {answer.enough:,} of all that were tried do, told are " + (
            "the strongest that are unlike each other" if answer.diverse_by else "the strongest"
        )
    head += _smallest(answer.additions[0].added, answer.smallest)
    rows = [
        {
            "added": ", then ".join(map(_name, one.added)),
            "place": one.rank_after,
            "how": _how(one),
        }
        for one in answer.additions
    ]
    return f"{head}\n{table(rows, ('added', 'place', 'how'))}"


def _noted(text: str, note: str | None) -> str:
    return text if note is None else f"{text}\n\n{note}"


def _how(addition: NamedAddition) -> str:
    return "leaves the list itself" if addition.makes_room else "lifts it"


def moves_text(answer: WhatIf) -> str:
    """The new list with its moves, and what left the old one."""
    done = [
        *([f"{_counted(len(answer.dropped), 'event')} dropped"] if answer.dropped else ()),
        *([f"added {_listed(map(_name, answer.added))}"] if answer.added else ()),
    ]
    rows = [
        {
            "place": move.after,
            "item": move.item,
            "label": move.label,
            "before": move.before,
            "move": _move(move.before, move.after, answer.k),
        }
        for move in answer.moves
    ]
    columns = ("place", "item", "label", "before", "move")
    return f"{'; '.join(done)}\n{table(rows, columns)}"


def _move(before: int | None, after: int | None, k: int) -> str:
    if after is None:
        return "now in the history"
    if before is None:
        return "was in the history"
    if after > k:
        return "left the list"
    if before > k:
        return "new"
    if before == after:
        return "same"
    return f"{'up' if after < before else 'down'} {abs(after - before)}"


def _name(item: NamedItem) -> str:
    return with_id(item.label, item.item)


def _events(events: Sequence[HistoryEvent]) -> str:
    timed = any(event.timestamp is not None for event in events)
    return table(
        [event.to_json() for event in events], EVENT_COLUMNS if timed else EVENT_COLUMNS[:3]
    )


def _smallest(changes: Sequence[object], smallest: bool) -> str:
    """Whether fewer would do; of one change nothing need be said."""
    if len(changes) < 2:
        return ""
    return "; no fewer are enough" if smallest else "; fewer may be: not all were tried"


def _counted(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'s' * (n != 1)}"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
