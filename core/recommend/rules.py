"""What a business wants of lists, rule by rule, each with a text that parses and prints.

| text | means |
|---|---|
| exclude genres=Horror | no item that has this value |
| only genres=Comedy | items with one of the values that are named for this attribute |
| at-most genres=2 | each value of the attribute at most twice in a list |
| boost genres=Drama:0.3 | so much is added to an item's worth, -1 … 1 (core.recommend.rerank) |
| pin 17 | this item first; of several, in the order given |

An attribute is a column of the table of items, or item_id; values are compared as they are written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Self

from core.errors import BadInput

ITEM = "item_id"
LONGEST = 1_000_000  # items of a list

FORMS = {
    "exclude": "exclude genres=Horror",
    "only": "only genres=Comedy",
    "at-most": "at-most genres=2",
    "boost": "boost genres=Drama:0.3",
    "pin": "pin ITEM",
}


@dataclass(frozen=True, order=True)
class Rule:
    """One rule.

    Raises:
        BadInput: no such kind, nothing named, or a number outside what the kind takes.

    >>> rule = Rule.parse("boost genres=Drama:0.3")
    >>> rule.attribute, rule.value, rule.number, str(rule)
    ('genres', 'Drama', 0.3, 'boost genres=Drama:0.3')
    """

    kind: str  # a name in FORMS
    attribute: str
    value: str = ""  # of at-most none: each value is meant
    number: float = 0  # at-most: items of each value; boost: what is added to the worth

    def __post_init__(self) -> None:
        if self.kind not in FORMS:
            raise BadInput(f"there is no rule {self.kind!r}: choose one of {', '.join(FORMS)}")
        if not self.attribute or (not self.value and self.kind != "at-most"):
            raise self._malformed(f"{self.attribute}={self.value}")
        if self.kind == "at-most" and self.number not in range(1, LONGEST + 1):
            raise BadInput(
                f"at most {self.number:g} of each {self.attribute} cannot be: a whole number "
                "from 1 up can (exclude leaves out all)"
            )
        if self.kind == "boost" and not -1 <= self.number <= 1:
            raise BadInput(
                f"a boost must be a number from -1 to 1, not {self.number:g}: 1 is what the first "
                "place is worth above the 200th"
            )

    @classmethod
    def parse(cls, text: str) -> Self:
        """The rule that this text says; an attribute ends at the first "=".

        Raises:
            BadInput: it says none.
        """
        kind, _, said = text.strip().partition(" ")
        said = said.strip()
        if kind == "pin":
            return cls(kind, ITEM, said)
        attribute, _, value = (part.strip() for part in said.partition("="))
        if kind not in ("at-most", "boost"):
            return cls(kind, attribute, value)
        value, _, number = ("", "", value) if kind == "at-most" else value.rpartition(":")
        try:
            amount = int(number) if kind == "at-most" else float(number)
        except ValueError:
            raise cls._refused(kind, said) from None
        return cls(kind, attribute, value.strip(), amount)

    def _malformed(self, said: str) -> BadInput:
        return self._refused(self.kind, said)

    @staticmethod
    def _refused(kind: str, said: str) -> BadInput:
        return BadInput(f"the rule {f'{kind} {said}'!r} is not of the form {FORMS[kind]!r}")

    def __str__(self) -> str:
        if self.kind == "pin":
            return f"pin {self.value}"
        if self.kind == "at-most":
            return f"at-most {self.attribute}={self.number:.0f}"
        number = f":{self.number!r}" if self.kind == "boost" else ""
        return f"{self.kind} {self.attribute}={self.value}{number}"


@dataclass(frozen=True)
class Rules:
    """Rules that hold together, each once; only of pins does the order play a part.

    Raises:
        BadInput: one value is boosted by two numbers.

    >>> Rules.parse(["pin 3", "only kind=tea", "pin 1", "only kind=tea"]).texts
    ('only kind=tea', 'pin 3', 'pin 1')
    """

    rules: tuple[Rule, ...] = ()

    def __post_init__(self) -> None:
        distinct = dict.fromkeys(self.rules)
        pins = [rule for rule in distinct if rule.kind == "pin"]
        others = sorted(rule for rule in distinct if rule.kind != "pin")
        object.__setattr__(self, "rules", (*others, *pins))
        boosts = self.of("boost")
        for one, other in pairwise(boosts):
            if (one.attribute, one.value) == (other.attribute, other.value):
                raise BadInput(
                    f"{one.attribute}={one.value} is boosted by {one.number!r} and by "
                    f"{other.number!r}: give one of them"
                )

    @classmethod
    def parse(cls, texts: Iterable[str]) -> Self:
        """The rules that these texts say; BadInput where one says none."""
        return cls(tuple(map(Rule.parse, texts)))

    @property
    def texts(self) -> tuple[str, ...]:
        """Each rule as it is written; `parse` makes the same of them."""
        return tuple(map(str, self.rules))

    def of(self, kind: str) -> list[Rule]:
        """Those of this kind, in order."""
        return [rule for rule in self.rules if rule.kind == kind]

    def __bool__(self) -> bool:
        return bool(self.rules)


@dataclass(frozen=True)
class RuleCost:
    """A metric under rules against the same lists without them, over the same people."""

    metric: str  # "ndcg@10"
    own: float  # without the rules
    mean: float  # under them
    difference: float  # mean - own
    low: float | None = None  # 95 % of the paired difference; None where it is no mean over people
    high: float | None = None


@dataclass(frozen=True)
class RulesReport:
    """What rules did to lists."""

    rules: tuple[str, ...]
    k: int  # the length asked for
    short: int  # people who got fewer than k items
    unlimited: Mapping[str, int]  # attribute of at-most → items that it cannot limit: no value
    costs: tuple[RuleCost, ...] = ()  # of an evaluation

    def to_json(self) -> dict[str, Any]:
        """The same as JSON."""
        return asdict(self)

    def sentence(self) -> str:
        """The rules, who got a shorter list, and what no rule could limit."""
        told = [f"under {'; '.join(self.rules)}"]
        told.append(f"people with fewer than {self.k:,} items: {self.short:,}")
        told += [
            f"items without {attribute}, so not limited: {n:,}"
            for attribute, n in self.unlimited.items()
        ]
        return ", ".join(told)
