"""Items as people know them: a picture, the title, and a few words on what it is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import streamlit as st

from core.data.item_cards import ItemFacts
from core.data.store import DatasetInfo
from core.errors import Corrupt
from dashboard import cache, served
from dashboard.covers import drawn_cover
from dashboard.text import Text, literal, picture, small

UNKNOWN = ItemFacts()
WIDE, HIGH = 33, 44  # pixels of a picture in a list
OURS = 'img[src^="/api/picture/"]'
OPTION = f'[data-testid="stRadioOption"]:has({OURS})'
# Streamlit makes a picture within a text as high as a letter. Here it is as large as on a card, in
# an option of a list beside both lines.
STYLE = f"""<style>
{OURS} {{ width: {WIDE}px; height: {HIGH}px; max-height: none; max-width: none;
  object-fit: cover; border-radius: 4px; vertical-align: middle; }}
[data-testid="stTable"] {OURS} {{ float: left; margin: 2px 8px 2px 0; }}
.st-key-still_map {OURS} {{ width: 100%; height: auto; }}
div:has(> [data-testid="stRadioOption"] {OURS}) {{ position: relative; min-height: {HIGH + 4}px; }}
{OPTION} {OURS} {{ position: absolute; left: 23px; top: 2px; }}
{OPTION} p, {OPTION} + [data-testid="stRadioCaption"] p {{ padding-left: {WIDE + 9}px; }}
.st-key-explain_items {OURS} {{ width: 21px; height: 28px; border-radius: 3px; }}
.st-key-explain_items div:has(> [data-testid="stRadioOption"] {OURS}) {{ min-height: 31px; }}
.st-key-explain_items {OPTION} p {{ padding-left: 28px; }}
</style>"""


def card_style() -> None:
    """What makes pictures within texts as large as on a card; drawn once on a page with cards."""
    st.html(STYLE)


@dataclass(frozen=True)
class ItemCard:
    """What stands on an item's card."""

    title: str  # as the log has it
    address: str  # of its picture, or of the cover drawn for it
    picture: Text  # that alone; whom it is of is said beside it
    about: Text  # its main attributes; "" where nothing is known

    def beside(self, title: Text) -> Text:
        """The picture, and beside it this title, with what the item is below."""
        return self.picture + " " + title + (Text("  \n") + small(self.about) if self.about else "")


def item_cards(dataset: DatasetInfo, ids: Iterable[Any]) -> dict[str, ItemCard]:
    """str(item id) → its card, of each of these items.

    Args:
        dataset: Where they are described.
        ids: As the dataset has them.
    """
    asked = tuple(dict.fromkeys(ids))
    titles, facts = cache.labels(dataset, asked), cache.item_facts(dataset, asked)
    pictures, frequent = _pictures(dataset, asked), cache.card_columns(dataset).frequent
    cards = {}
    for ident in map(str, asked):
        title, known = titles.get(ident, ident), facts.get(ident, UNKNOWN)
        own = pictures.get(ident)
        address = (
            served.publish_picture(drawn_cover(title, known.category, frequent), "image/svg+xml")
            if own is None
            else served.publish_picture(own, "image/jpeg")
        )
        cards[ident] = ItemCard(title, address, picture(address), _about(title, known))
    return cards


def _pictures(dataset: DatasetInfo, ids: tuple[Any, ...]) -> dict[str, bytes]:
    """Their own; where these cannot be read the page says so, and goes on with covers."""
    try:
        return cache.pictures(dataset, ids)
    except Corrupt as error:
        st.warning(literal(error), icon=":material/broken_image:")
        return {}


def _about(title: str, facts: ItemFacts) -> Text:
    """What the title does not say already."""
    return Text(" · ").join(value for value in facts.values if value not in title)
