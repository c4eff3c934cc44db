"""What else do you want to know?"""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.sql.examples import examples
from core.sql.tables import OF_DATASET, TableColumns
from dashboard import cache
from dashboard.components.context import Context, context
from dashboard.components.labels import run_label
from dashboard.components.page import empty, first_step, heading, listing
from dashboard.components.sql import answer, kept, statement
from dashboard.state import t
from dashboard.text import literal


def main(now: Context) -> None:
    if now.dataset is None:
        heading("sql", t("sql.answer.none"))
        empty(t("sql.empty.what"), t("sql.empty.why"))
        first_step(None)
        return
    tables = cache.sql_schema(now.dataset)
    run = now.shown_run
    about = t("sql.answer", name=now.dataset.name, run=run_label(run)) if run else None
    heading("sql", about or t("sql.answer.no_run", name=now.dataset.name))
    offered = examples(tables, clock=now.dataset.time_kind == "clock", run=run is not None)
    asked = statement.asked(offered)
    left, right = st.columns([7, 3])
    with right:
        _schema(tables)
    with left:
        statement.examples(offered)
        statement.editor(asked, tables)
        values = statement.parameters(now, asked)
        if answer.stopped():
            st.info(t("sql.stopped"), icon=":material/stop:")
        elif given := answer.answer_to(now, asked, values):
            answer.show(given)
        kept.kept(now.workspace)


def _schema(tables: Sequence[TableColumns]) -> None:
    """The tables, and the columns of each."""
    st.caption(t("sql.schema"))
    for table in tables:
        first = table.name == tables[0].name
        with st.expander(literal(table.name), expanded=first, key=f"sql_table_{table.name}"):
            kind = "dataset" if table.name in OF_DATASET else table.name
            st.caption(t(f"sql.about.{kind}"))
            listing(
                {
                    t("sql.column"): [column.name for column in table.columns],
                    t("sql.type"): [column.type for column in table.columns],
                },
                alt=t("sql.schema.alt", name=table.name),
            )


main(context())
