"""An explanation as people read it in a terminal: a sentence, and a table of what weighs most."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from core.cli.terminal import table

IMPERSONAL = {"popularity", "recent_popularity"}  # models that do not look at the history
LISTED = 10  # places of a usual list
NAMED = 3  # causes in a sentence
SHOWN = 8  # events in a table
WORTH_NAMING = 0.1  # of the strongest event for it, that the strongest against it must weigh

Told = Mapping[str, Any]  # one item of core.pipeline.told


def sentence(told: Told) -> str:
    """Why this item, in one sentence (a second says if the model never saw an event of it).

    >>> cup = {"label": "Cup", "value": 3.0, "sure": True}
    >>> pot = {"label": "Pot", "value": -1.0, "sure": True}
    >>> told = {"label": "Tea", "rank": 1, "rank_without": 30, "players": [cup, pot]}
    >>> sentence(told | {"model": "ease", "score": 2.0, "against": None, "known_by": "events"})
    'Tea is recommended because of Cup (100 % of what speaks for it); Pot spoke against it.'
    """
    other = told["against"]
    if other is not None and told["score"] < 0:  # what puts the other one before it
        players = [{**p, "value": -p["value"]} for p in told["players"]]
        flipped = {"label": other["label"], "against": {"label": told["label"]}}
        figures = {"players": players, "score": -told["score"]}
        return sentence({**told, **flipped, **figures, "known_by": None}) + _unseen(told)
    return f"{_head(told)}{_reasons(told)}.{_unseen(told)}"


def _head(told: Told) -> str:
    label, rank = told["label"], told["rank"]
    if told["against"] is not None:
        return f"{label} comes before {told['against']['label']}"
    if rank is None:
        return f"{label} is in the history already"
    return f"{label} is recommended" if rank <= LISTED else f"{label} is in place {rank}"


def _reasons(told: Told) -> str:
    contrast, players = told["against"] is not None, told["players"]
    popular = f"it is {'more ' if contrast else ''}popular in general"
    if not players:
        return ": the history is empty, so this is what anybody gets"
    if told["model"] in IMPERSONAL:
        return f" because {popular}: {told['model']} does not look at what a person did"
    speaks = sum(p["value"] for p in players if p["value"] > 0)
    causes = _by_label(p for p in players if p["sure"] and p["value"] > 0)
    against = _by_label(p for p in players if p["sure"] and p["value"] < 0)
    named = causes[:NAMED]
    share = sum(value for _, value in named) / speaks if speaks else 0.0
    names = _listed([label for label, _ in named])
    because = contrast or (told["rank"] is not None and told["rank"] <= LISTED)
    if because and not contrast and told["rank_without"] <= LISTED:
        said = ", and would be without any history"
        said += f"; in this one {names} {_s('speak', named)} for it" if named else ""
    elif not named:
        return ": nothing in this history clearly speaks for it" + _opponent(against, named)
    elif because:
        said = f" because of {names} ({100 * share:.0f} % of what speaks for it)"
    else:
        said = f"; {names} {_s('speak', named)} for it ({100 * share:.0f} % of what does)"
    return said + _opponent(against, named)


def _s(verb: str, subjects: Sequence[object]) -> str:
    return verb + "s" * (len(subjects) == 1)


def _opponent(against: Sequence[tuple[str, float]], named: Sequence[tuple[str, float]]) -> str:
    """What speaks against it most, if it weighs something beside what speaks for it."""
    causes = {label for label, _ in named}
    least = WORTH_NAMING * named[0][1] if named else 0.0
    for label, value in against:
        if label not in causes and -value >= least:
            return f"; {label} spoke against it"
    return ""


def _by_label(players: Iterable[Mapping[str, Any]]) -> list[tuple[str, float]]:
    """What the events of each label are worth together, the most first."""
    found: dict[str, float] = {}
    for p in players:
        found[p["label"]] = found.get(p["label"], 0.0) + p["value"]
    return sorted(found.items(), key=lambda one: -abs(one[1]))


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def _unseen(told: Told) -> str:
    how = {"content": "by its content only", "nothing": "not at all"}.get(told["known_by"])
    return f" It has no event in training: {told['model']} knows it {how}." if how else ""


def figures(told: Told) -> str:
    """The events that weigh most, with standard errors where there are any; base and score."""
    players = sorted(told["players"], key=lambda p: -abs(p["value"]))
    shown = [p for p in players[:SHOWN] if p["value"]]
    sampled = any(p["se"] for p in shown)
    rows = [
        {"time": p["timestamp"], "event": p["label"], "value": p["value"], "±": p["se"]}
        for p in shown
    ]
    rest = [p["value"] for p in players[len(shown) :]]
    if rest:
        which = f"the other {len(rest)}" if shown else f"all {len(rest)}"
        rows.append({"event": f"{which} events", "value": float(sum(rest))})
    less = f" less that of {told['against']['label']}" if told["against"] else ""
    rows += [{"event": f"base: what anybody gets{less}", "value": told["base"]}]
    rows += [{"event": f"score{less}", "value": told["score"]}]
    columns = ["event", "value"] + ["±"] * sampled
    columns = ["time"] * any(p["timestamp"] is not None for p in shown) + columns
    asked = f"{told['method']}, {told['evaluations']:,} histories asked"
    said = f"{table(rows, columns)}\nconfidence: {told['confidence']} ({asked})"
    return said + (f"\n{parts_text(told['attributes'])}" if told.get("attributes") else "")


def parts_text(attributes: Mapping[str, Any]) -> str:
    """What the item's id and attributes are worth, the most first.

    >>> kinds = [{"kind": "id", "name": "", "value": 0.5}, {"kind": "x", "name": "y", "value": -2}]
    >>> made_of({"parts": kinds})
    'of what the item is made of: y -2, id +0.5'
    """
    parts = sorted(attributes["parts"], key=lambda part: -abs(part["value"]))
    worth = [f"{part['name'] or part['kind']} {part['value']:+.3g}" for part in parts]
    return f"of what the item is made of: {', '.join(worth)}"


def replay_text(result: Mapping[str, Any]) -> str:
    """Whether an exported explanation holds, and what is not as it was."""
    largest, differs = result["largest_difference"], result["differs"]
    said = "it holds" if result["ok"] else "it does not hold"
    if largest is None:
        said += ": it could not be made again"
    else:
        said += f": the largest difference is {largest:.2g} of max(1, |score|)"
        said += f", {result['moved']} values moved" if result["moved"] else ""
    return "\n".join([said, *(f"  {_change(one)}" for one in differs)])


def _change(one: Mapping[str, Any]) -> str:
    what = one["what"]
    if what == "value":
        what = f"value of event {one['place'] + 1} (item {one['event']}) for item {one['item']}"
    return f"{what}: {_short(one['then'])} then, {_short(one['now'])} now"


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    text = str(value)
    return f"{text[:12]}…" if len(text) == 64 else text
