"""Rules + the dataset's table of items → what they are on a run's catalogue."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from core.data.log import open_log
from core.data.store import DatasetInfo, quoted
from core.errors import BadInput, NotFound
from core.recommend.ruled_lists import CatalogueRules
from core.recommend.rules import ITEM, Rule, Rules
from core.types import PAD, Array, Ints, Vocab

EXAMPLES = 8  # values that a sentence names


@dataclass(frozen=True, eq=False)
class ItemValues:
    """Every value of one attribute, and the items of a catalogue that have it."""

    attribute: str
    names: dict[str, int]  # value → column; also those that no item of the catalogue has
    matrix: sparse.csc_matrix  # (I, V) bool

    def having(self, value: str) -> Array:
        """Which items (I,) have it, bool; NotFound where there is no such value."""
        if value not in self.names:
            near = difflib.get_close_matches(value, self.names, n=3, cutoff=0.6)
            examples = near or sorted(self.names)[:EXAMPLES]
            more = "" if near or len(self.names) <= EXAMPLES else f" … ({len(self.names):,} values)"
            raise NotFound(
                f"no item has {self.attribute}={value!r}; there are {', '.join(examples)}{more}"
            )
        items: Array = self.matrix[:, [self.names[value]]].toarray()[:, 0]
        return items


def catalogue_rules(rules: Rules, items: Vocab, info: DatasetInfo | None) -> CatalogueRules:
    """These rules as they act on these items.

    Args:
        rules: At least one.
        items: The catalogue, ids in code order.
        info: Its dataset, whose table of items says what they are; None if only ids are named.

    Raises:
        NotFound: an attribute, a value or an item that is not there.
        BadInput: a pin that other rules forbid.
    """
    attributes = dict.fromkeys(rule.attribute for rule in rules.rules if rule.kind != "pin")
    values = {name: _item_values(name, items, info) for name in attributes}
    allowed = _allowed(rules, values, len(items))
    boosts = np.zeros(len(items))
    for rule in rules.of("boost"):
        boosts += rule.number * values[rule.attribute].having(rule.value)
    caps = rules.of("at-most")
    blocks = [values[rule.attribute].matrix.astype(np.float64) for rule in caps]
    none = [sparse.csc_matrix((len(items), 0))]
    limited = sparse.csr_matrix(sparse.hstack(blocks or none))
    most = np.repeat(
        np.array([rule.number for rule in caps], np.int64),
        [block.shape[1] for block in blocks],
    )
    pins = _pins(rules.of("pin"), items, allowed)
    _check_limits(pins, limited, most, rules)
    unlimited = {
        rule.attribute: int((allowed & (np.diff(block.tocsr().indptr) == 0)).sum())
        for rule, block in zip(caps, blocks, strict=True)
    }
    return CatalogueRules(rules, allowed, boosts, limited, most, pins, unlimited)


def _allowed(rules: Rules, values: dict[str, ItemValues], n_items: int) -> Array:
    """(I,) bool: nothing excluded, and of each attribute of `only` one of the values named."""
    allowed = np.ones(n_items, bool)
    for rule in rules.of("exclude"):
        allowed &= ~values[rule.attribute].having(rule.value)
    named: dict[str, Array] = {}
    for rule in rules.of("only"):
        before = named.get(rule.attribute, np.zeros(n_items, bool))
        named[rule.attribute] = before | values[rule.attribute].having(rule.value)
    for has_one in named.values():
        allowed &= has_one
    return allowed


def _pins(pins: list[Rule], items: Vocab, allowed: Array) -> Ints:
    codes = items.encode(rule.value for rule in pins)
    for rule, code in zip(pins, codes, strict=True):
        if code == PAD:
            raise NotFound(
                f"no item {rule.value!r} to pin; there are ids such as "
                f"{', '.join(map(str, items.ids[:3]))}"
            )
        if not allowed[code]:
            raise BadInput(
                f"item {rule.value!r} is pinned, but other rules exclude it: leave out one of them"
            )
    return codes


def _check_limits(pins: Ints, limited: sparse.csr_matrix, most: Ints, rules: Rules) -> None:
    """Raises BadInput where the pins alone are more of a value than a limit allows."""
    if (np.asarray(limited[pins].sum(axis=0)).ravel() > most).any():
        raise BadInput(
            f"the {len(pins)} pinned items alone go beyond "
            f"{' or '.join(map(str, rules.of('at-most')))}: pin fewer, or allow more"
        )


def _item_values(attribute: str, items: Vocab, info: DatasetInfo | None) -> ItemValues:
    """All values of this attribute that the table of items has, none left out for being rare."""
    if attribute == ITEM:
        own = sparse.identity(len(items), bool, "csc")
        return ItemValues(ITEM, {str(item): code for code, item in enumerate(items.ids)}, own)
    assert info is not None
    if info.path("items") is None:
        raise NotFound(
            f"dataset {info.name} has no table of items, so rules can name {ITEM} alone, not "
            f"{attribute!r}"
        )
    table = open_log(info).table("items")
    if attribute not in table.columns:
        raise NotFound(
            f"items of dataset {info.name} have no attribute {attribute!r}; there are "
            f"{', '.join(table.columns)}"
        )
    cells: dict[str, Any] = {  # the last row of an item counts, as everywhere
        str(item): cell for item, cell in table.project(f"item_id, {quoted(attribute)}").fetchall()
    }
    names: dict[str, int] = {}
    rows, columns = [], []
    for code, cell in zip(items.encode(cells).tolist(), cells.values(), strict=True):
        for value in texts(cell):
            column = names.setdefault(value, len(names))
            if code != PAD:
                rows.append(code)
                columns.append(column)
    shape = (len(items), len(names))
    matrix = sparse.csc_matrix((np.ones(len(rows), bool), (rows, columns)), shape=shape)
    return ItemValues(attribute, names, matrix)


def texts(cell: object) -> Iterable[str]:
    """The distinct values in a cell, as cards of items show them.

    >>> texts("Comedy| Drama|Comedy"), texts(["a", None]), texts(2.50), texts(1999), texts(None)
    (['Comedy', 'Drama'], ['a'], ['2.5'], ['1999'], [])
    """
    if cell is None or cell != cell:  # NaN
        return []
    several = cell.split("|") if isinstance(cell, str) else cell
    if not isinstance(several, list):
        several = [several]
    values = [_text(value) for value in several if value is not None]
    return list(
        dict.fromkeys(value for value in values if value and not value.startswith("(no "))
    )  # "(no genres listed)" is MovieLens' word for none


def _text(value: object) -> str:
    if isinstance(value, str | bool | int):
        return str(value).strip()
    try:
        return f"{float(value):.2f}".rstrip("0").rstrip(".")  # type: ignore[arg-type]
    except (TypeError, ValueError):  # a date
        return str(value)
