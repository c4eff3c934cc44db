"""An explanation as people read it in a terminal: a sentence, and a table of what weighs most."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from core.cli.terminal import table
from core.explain.parts import ItemPartValues
from core.pipeline.explanation_json import ItemExplanation, NamedItem, PlayerValue
from core.pipeline.replay import Difference, Replay, ValueDifference
from core.pipeline.seal import HMAC, SHA256, Verdict

IMPERSONAL = {"popularity", "recent_popularity"}  # models that do not look at the history
LISTED = 10  # places of a usual list
NAMED = 3  # causes in a sentence
SHOWN = 8  # events in a table
SEALED_BY = {
    HMAC: "sealed with this workspace's key: only here can it be told whether the file was changed",
    SHA256: "with a checksum only: this workspace cannot be written to, so it has no key",
}
VOUCHES = {
    Verdict.SEALED: "sealed with this workspace's key, so nothing in the file was changed",
    Verdict.CHECKSUM: "its seal is a checksum, which whoever changes the file can make anew: only "
    "what was computed again is certain",
    Verdict.UNKNOWN_KEY: "it was sealed with a key that is not here, so the seal could not be "
    "checked: only what was computed again is certain",
    Verdict.FOREIGN: "not sealed by this workspace: only what was computed again is certain",
    Verdict.CHANGED: "the file was changed after it was written: its seal does not fit",
}
WORTH_NAMING = 0.1  # of the strongest event for it, that the strongest against it must weigh


def sentence(explanation: ItemExplanation) -> str:
    """Why this item, in one sentence (a second says if the model never saw an event of it)."""
    other = explanation.against
    if other is None or explanation.score >= 0:
        return f"{_head(explanation)}{_reasons(explanation)}.{_unseen(explanation)}"
    flipped = replace(  # what puts the other one before it
        explanation,
        item=other.item,
        label=other.label,
        against=NamedItem(explanation.item, explanation.label),
        players=tuple(replace(each, value=-each.value) for each in explanation.players),
        score=-explanation.score,
    )
    return f"{_head(flipped)}{_reasons(flipped)}.{_unseen(explanation)}"


def _head(explanation: ItemExplanation) -> str:
    label, rank = explanation.label, explanation.rank
    if explanation.against is not None:
        return f"{label} comes before {explanation.against.label}"
    if rank is None:
        return f"{label} is in the history already"
    return f"{label} is recommended" if rank <= LISTED else f"{label} is in place {rank}"


def _reasons(explanation: ItemExplanation) -> str:
    contrast, players = explanation.against is not None, explanation.players
    popular = f"it is {'more ' if contrast else ''}popular in general"
    if not players:
        return ": the history is empty, so this is what anybody gets"
    if explanation.model in IMPERSONAL:
        return f" because {popular}: {explanation.model} does not look at what a person did"
    speaks = sum(each.value for each in players if each.value > 0)
    causes = _by_label(each for each in players if each.sure and each.value > 0)
    opponents = _by_label(each for each in players if each.sure and each.value < 0)
    named = causes[:NAMED]
    share = sum(value for _, value in named) / speaks if speaks else 0.0
    names = _listed([label for label, _ in named])
    because = contrast or (explanation.rank is not None and explanation.rank <= LISTED)
    if because and not contrast and explanation.rank_without <= LISTED:
        reasons = ", and would be without any history"
        reasons += f"; in this one {names} {_s('speak', named)} for it" if named else ""
    elif not named:
        reasons = ": nothing in this history clearly speaks for it"
    elif because:
        reasons = f" because of {names} ({100 * share:.0f} % of what speaks for it)"
    else:
        reasons = f"; {names} {_s('speak', named)} for it ({100 * share:.0f} % of what does)"
    return reasons + _opponent(opponents, named)


def _s(verb: str, subjects: Sequence[object]) -> str:
    return verb + "s" * (len(subjects) == 1)


def _opponent(opponents: Sequence[tuple[str, float]], named: Sequence[tuple[str, float]]) -> str:
    """What speaks against it most, if it weighs something beside what speaks for it."""
    causes = {label for label, _ in named}
    least = WORTH_NAMING * named[0][1] if named else 0.0
    for label, value in opponents:
        if label not in causes and -value >= least:
            return f"; {label} spoke against it"
    return ""


def _by_label(players: Iterable[PlayerValue]) -> list[tuple[str, float]]:
    """What the events of each label are worth together, the most first."""
    totals: dict[str, float] = {}
    for each in players:
        totals[each.player.label] = totals.get(each.player.label, 0.0) + each.value
    return sorted(totals.items(), key=lambda pair: -abs(pair[1]))


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def _unseen(explanation: ItemExplanation) -> str:
    how = {"content": "by its content only", "nothing": "not at all"}.get(
        explanation.known_by or ""
    )
    return f" It has no event in training: {explanation.model} knows it {how}." if how else ""


def figures(explanation: ItemExplanation) -> str:
    """The events that weigh most, with standard errors where there are any; base and score."""
    players = sorted(explanation.players, key=lambda each: -abs(each.value))
    shown = [each for each in players[:SHOWN] if each.value]
    rows: list[dict[str, Any]] = [
        {
            "time": each.player.timestamp,
            "event": each.player.label,
            "value": each.value,
            "±": each.se,
        }
        for each in shown
    ]
    rest = [each.value for each in players[len(shown) :]]
    if rest:
        which = f"the other {len(rest)}" if shown else f"all {len(rest)}"
        rows.append({"event": f"{which} events", "value": float(sum(rest))})
    less = f" less that of {explanation.against.label}" if explanation.against else ""
    rows += [{"event": f"base: what anybody gets{less}", "value": explanation.base}]
    rows += [{"event": f"score{less}", "value": explanation.score}]
    columns = ["event", "value"] + ["±"] * any(each.se for each in shown)
    columns = ["time"] * any(each.player.timestamp is not None for each in shown) + columns
    how = f"{explanation.method}, {explanation.evaluations:,} histories asked"
    return f"{table(rows, columns)}\nconfidence: {explanation.confidence} ({how})"


def parts_text(item_parts: ItemPartValues) -> str:
    """What the item's id and attributes are worth, the most first.

    >>> import numpy as np
    >>> from core.types import ItemPart
    >>> parts = (ItemPart("id", ""), ItemPart("categorical", "kind"))
    >>> parts_text(ItemPartValues(3, parts, np.array([0.5, -2.0]), 0.0, -1.5, evaluations=4))
    'of what the item is made of: kind -2, id +0.5'
    """
    pairs = zip(item_parts.parts, item_parts.values.tolist(), strict=True)
    strongest = sorted(pairs, key=lambda pair: -abs(pair[1]))
    worth = [f"{part.name or part.kind} {value:+.3g}" for part, value in strongest]
    return f"of what the item is made of: {', '.join(worth)}"


def replay_text(result: Replay) -> str:
    """Whether an exported explanation holds, what vouches for it, and what is not as it was.

    >>> numpy = Difference("numpy", then="1.0", now="2.0")
    >>> print(replay_text(Replay(True, "r", Verdict.SEALED, 2e-9, moved=0, differs=(numpy,))))
    it holds: the largest difference is 2e-09 of max(1, |score|)
      sealed with this workspace's key, so nothing in the file was changed
      numpy: 1.0 then, 2.0 now
    """
    text = "it holds" if result.ok else "it does not hold"
    if result.largest_difference is None:
        text += ": it could not be made again"
    else:
        text += f": the largest difference is {result.largest_difference:.2g} of max(1, |score|)"
        text += f", {result.moved} values moved" if result.moved else ""
    lines = [VOUCHES[result.seal]]
    if result.unchecked:
        lines.append(
            f"nothing here tells whether these are as they were: {', '.join(result.unchecked)}"
        )
    lines += [
        _difference_text(each) for each in result.differs if each.what not in ("file", "seal")
    ]
    lines += [f"and {result.omitted} more differences"] if result.omitted else []
    return "\n".join([text, *(f"  {line}" for line in lines)])


def _difference_text(difference: Difference) -> str:
    what = difference.what
    if isinstance(difference, ValueDifference):
        event = f"value of event {difference.position + 1} (item {difference.event})"
        what = f"{event} for item {difference.item}"
    return f"{_printable(what)}: {_short(difference.then)} then, {_short(difference.now)} now"


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    text = _printable(str(value))
    return f"{text[:12]}…" if len(text) == 64 else text


def _printable(text: str) -> str:
    """A text that anybody may have written: signs that steer a terminal are written out."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
