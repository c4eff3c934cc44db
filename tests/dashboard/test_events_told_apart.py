"""What an event is called beside others: alike names, one item many times, many events as one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from core.explain import Explanation
from core.explain.interactions import Interaction
from dashboard.charts.explain import LONGEST, shortened
from dashboard.components.explain import together, values, words
from dashboard.components.explain.values import STRONGEST, Values, player_labels, strongest
from dashboard.text import text
from tests.dashboard.test_explain import explanation

PHONE = "electronics.smartphone · a brand with a name (100{})"


class Shopper:
    """A history of phones, as the labels want a case to be."""

    def __init__(self, items: list[int], days: list[str]) -> None:
        self.query, self.days = self, days
        self.items = np.array(items)

    def name(self, item: int) -> str:
        return PHONE.format(item)

    def when(self, event: int) -> str:
        return self.days[event]


def labels(items: list[int], days: list[str]) -> list[str]:
    case: Any = Shopper(items, days)
    return player_labels(case, np.arange(len(items)), np.arange(len(items)))


def test_events_of_one_item_are_told_apart_also_where_labels_are_cut() -> None:
    by_day = labels([4, 4, 5], ["2019-10-01", "2019-10-02", "2019-10-02"])
    assert [label[-10:] for label in by_day[:2]] == ["2019-10-01", "2019-10-02"]
    one_day = labels([4, 4, 5], ["2019-10-01"] * 3)
    assert [label[-4:] for label in one_day[:2]] == ["· #1", "· #2"]
    for each in (by_day, one_day):
        assert all(shortened(label) == label for label in each[:2])
        assert len({shortened(label) for label in each}) == 3
    assert "2019" not in one_day[2]


def test_names_that_differ_at_their_ends_still_differ_when_cut() -> None:
    one, other = shortened(PHONE.format(4)), shortened(PHONE.format(5))
    assert one != other
    assert len(one) == len(other) <= LONGEST
    assert one.startswith("electronics")
    assert one.endswith("(1004)")
    assert shortened("Roots (1977)") == "Roots (1977)"


def test_the_other_events_are_counted_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(values, "t", lambda key, **said: text("en", key, **said))
    players = np.array([0] * 400 + list(range(1, 13)))  # the oldest 400 are one player
    case: Any = Shopper(list(range(412)), [""] * 412)
    each = np.array([0.0, *range(1, 13)])
    frame = strongest(case, Values(0.0, each, np.zeros(13), players))
    assert len(frame) == STRONGEST + 1
    assert frame["label"].iloc[-1] == f"the other {412 - STRONGEST} events"


def test_some_events_of_an_item_are_not_told_as_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "t", lambda key, **said: text("en", key, **said))
    case: Any = Shopper([4, 4, 4, 5, 5, 6], [""] * 6)
    told = [each.plain for each in words.repeated(case, [4, 5, 5, 6])]
    assert [each.partition("” ")[2] for each in told] == ["(1 of 3 times)", "(2 times)", ""]


def pair(value: float) -> Interaction:
    return Interaction(0, 1, value, 0.0, True)


@pytest.mark.parametrize(
    ("own", "value", "kind"),
    [
        ([1.0, 2.0], 0.5, "more"),
        ([1.0, 2.0], -0.5, "overlap"),
        ([-1.0, -2.0], -0.5, "more"),
        ([-1.0, -2.0], 0.5, "overlap"),
        ([1.0, -2.0], -0.5, "apart.less"),  # what pulls it down has not done what lifts it
        ([1.0, -2.0], 0.5, "apart.more"),
    ],
)
def test_only_what_pulls_the_same_way_overlaps(own: list[float], value: float, kind: str) -> None:
    assert together.kind(explanation(own), 0, pair(value)) == kind


def test_of_what_is_not_sure_no_direction_is_told() -> None:
    found: Explanation = explanation([1.0, 0.2], se=[0.1, 0.5])
    assert together.kind(found, 0, pair(-0.5)) == "apart.less"
