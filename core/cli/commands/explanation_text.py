"""An explanation as people read it in a terminal: a table of what weighs most."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from core.cli.terminal import table
from core.explain.contrast import Contrast
from core.explain.interactions import Interaction
from core.explain.parts import ItemPartValues
from core.pipeline.explanations.as_json import ItemExplanation
from core.pipeline.explanations.evidence import Evidence
from core.pipeline.explanations.sentences import confidence_sentence
from core.pipeline.replays.replay import Difference, Replay, ValueDifference
from core.pipeline.replays.seal import HMAC, SHA256, Verdict

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


def answer(explanation: ItemExplanation, evidence: Sequence[Evidence] | None) -> str:
    """The sentence, what the log says of the causes that it names, and the figures."""
    named = {cause.item for cause in explanation.reasons.speaking} if explanation.reasons else set()
    if explanation.known_by == "described":
        evidence = None  # nobody took it, as the sentence says
    lines = [
        f"  {evidence_text(each, explanation.label)}"
        for each in evidence or ()
        if each.code in named
    ]
    return "\n".join([explanation.sentence, *lines, figures(explanation)])


def evidence_text(evidence: Evidence, label: str) -> str:
    """What people who took one item did about another of this label, and what chance would do."""
    after = "after it" if evidence.ordered else "too"
    people = f"in the log {evidence.then:,} of {evidence.people:,} people who took {evidence.label}"
    text = f"{people} took {label} {after}"
    if evidence.verdict == "too_little" or evidence.lift is None:
        return f"{text}: too few to tell it from chance"
    times = f"{evidence.lift:.2f} times as many as by chance"
    interval = f"({evidence.low:.2f} to {evidence.high:.2f})"
    return f"{text}: {times} {interval}{', which may be chance' * (evidence.verdict == 'chance')}"


def interactions_text(pairs: Sequence[Interaction], explanation: ItemExplanation) -> str:
    """A line for each pair of events that surely does something together."""
    lines = []
    for pair in pairs:
        if pair.claimed:
            first, second = (
                explanation.players[place].player.label for place in (pair.first, pair.second)
            )
            how = "add more together" if pair.together else "overlap: one does what the other did"
            lines.append(f"\n{first} and {second} {how} ({pair.value:+.3g})")
    return "".join(lines)


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
    what = _quantity(explanation)
    rows += [{"event": f"base: what anybody gets, {what}", "value": explanation.base}]
    rows += [{"event": f"score, {what}", "value": explanation.score}]
    columns = ["event", "value"] + ["±"] * any(each.se for each in shown)
    columns = ["time"] * any(each.player.timestamp is not None for each in shown) + columns
    how = f"{explanation.method}, {explanation.evaluations:,} histories asked"
    said = f"{explanation.confidence.level} ({how}). {confidence_sentence(explanation.confidence)}"
    return f"{table(rows, columns)}\nconfidence: {said}"


def _quantity(explanation: ItemExplanation) -> str:
    """What base and score are, in few words."""
    if explanation.against:
        return f"less that of {explanation.against.label}"
    share = explanation.quantity == Contrast.SHARE.value
    return "as the log of its share of all items" if share else "above the mean of all items"


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
