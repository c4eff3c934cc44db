"""What cards show of items: what is known of them in a few words, and their pictures."""

from __future__ import annotations

from typing import Any

from core.data import item_cards
from core.data import pictures as kept
from core.data.item_cards import CardColumns, ItemFacts
from core.data.store import DatasetInfo
from dashboard.cache.keeping import MEDIUM, SMALL, cached_copy


@cached_copy(MEDIUM)
def card_columns(info: DatasetInfo) -> CardColumns:
    """Which columns of the items say something in a few words."""
    return item_cards.card_columns(info)


@cached_copy(SMALL)
def item_facts(info: DatasetInfo, ids: tuple[Any, ...]) -> dict[str, ItemFacts]:
    """str(item id) → what is known of it in a few words."""
    return item_cards.item_facts(info, card_columns(info), ids)


def pictures(info: DatasetInfo, ids: tuple[Any, ...]) -> dict[str, bytes]:
    """str(item id) → its picture, of those that have one; see core.data.pictures."""
    mark = kept.pictures_mark(info)
    return _pictures(info, ids, mark) if mark else {}


@cached_copy(MEDIUM)
def _pictures(info: DatasetInfo, ids: tuple[Any, ...], mark: str) -> dict[str, bytes]:
    return kept.pictures(info, ids)
