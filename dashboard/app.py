"""The script that every page runs through: navigation, context, what is no bug."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from core.data.limits import in_words
from dashboard import state
from dashboard.charts import theme
from dashboard.components.context import context, sidebar
from dashboard.components.errors import show_error
from dashboard.components.saved_views import saved_views_drawer
from dashboard.components.tour import tour
from dashboard.state import dark, t

ICON = Path(__file__).with_name("icon.svg")
LOGO = Path(__file__).with_name("logo.svg")  # the same with the name, drawn in currentColor
PAGES = {  # group → page → icon; the order is the story, the first page is at /
    "explore": {"home": "home", "data": "database", "sql": "terminal"},
    "build": {"train": "model_training", "compare": "balance"},
    "understand": {
        "embeddings": "scatter_plot",
        "recommendations": "recommend",
        "explain": "question_mark",
    },
}
# Streamlit has one colour for words on a button's ground and for a chosen tab on the page's: on a
# dark ground none is read well in both places, so what is chosen has its own.
CHOSEN = f"""<style>
[data-testid="stTab"][aria-selected="true"], [data-testid="stTab"][aria-selected="true"] p,
[data-testid="stTab"]:hover, button[data-selected]:not([disabled]),
[role="radio"][data-selected]:not([data-disabled]) {{ color: {theme.chosen(True)} !important; }}
</style>"""
# What stands side by side where both have room for names, and else one below the other; and a
# statement of SQL, which is read letter by letter.
SIDES = """<style>
.st-key-sql_text textarea { font-family: monospace; }
.st-key-sides > [data-testid="stLayoutWrapper"] { flex-basis: 26rem; }
</style>"""


def logo(on_dark: bool) -> str:
    """The mark and the name, as SVG in the colour of words on this ground."""
    return LOGO.read_text("utf-8").replace("currentColor", theme.WORDS[on_dark])


def main() -> None:
    state.sync()
    st.set_page_config(page_title=t("app.name"), page_icon=str(ICON), layout="wide")
    st.html(SIDES + CHOSEN if dark() else SIDES)
    page = st.navigation(
        {
            t(f"group.{group}"): [
                st.Page(
                    f"views/{name}.py",
                    title=t(f"{name}.title"),
                    icon=f":material/{icon}:",
                    url_path=name,
                    default=name == "home",
                )
                for name, icon in pages.items()
            ]
            for group, pages in PAGES.items()
        }
    )
    st.set_page_config(page_title=f"{page.title} · {t('app.name')}")
    st.logo(logo(dark()), size="large", icon_image=str(ICON))
    state.still_amiss()
    try:
        now = context()
        sidebar(now)
        names = [name for pages in PAGES.values() for name in pages]
        saved_views_drawer(now.workspace, page.url_path or "home", names)
        tour(now)
        page.run()
    except Exception as error:
        if in_words(error) is None:
            raise
        show_error(error)


if __name__ == "__main__":
    main()
