"""The answer to a statement: asked once, shown as a table and a chart, to be taken along."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pandas as pd
import pyarrow as pa
import streamlit as st

from core.errors import CoreError
from core.sql import files, saved, tables
from core.sql.answer import Answer
from core.sql.ask import ask
from core.sql.limits import Limits
from core.sql.tables import Asked
from dashboard import cache, state
from dashboard.charts import answer as charts
from dashboard.components.context import Context
from dashboard.components.errors import show_error
from dashboard.components.page import figure, table
from dashboard.state import dark, t
from dashboard.text import plain

LIMITS = Limits(answer_mb=8)  # a session keeps its answer
KEPT = "sql_answer"
HEIGHT = 420  # pixels of the table


def answer_to(now: Context, statement: str, values: dict[str, str]) -> Answer | None:
    """The answer, asked again only if something of it changed; an error is shown instead."""
    assert now.dataset is not None
    run = now.shown_run
    key = (now.dataset.id, run.id if run else None, statement, tuple(sorted(values.items())))
    kept = st.session_state.get(KEPT)
    if kept is None or kept[0] != key or st.session_state.pop("sql_again", False):
        kept = (key, _ask(now, statement, values))
        st.session_state[KEPT] = kept
    st.session_state.pop("sql_again", None)
    if isinstance(kept[1], Answer):
        return kept[1]
    show_error(kept[1])
    return None


def _ask(now: Context, statement: str, values: dict[str, str]) -> Answer | CoreError:
    assert now.dataset is not None
    bar, stop = st.empty(), st.empty()
    stop.button(t("action.stop"), key="sql_stop", icon=":material/stop:", on_click=_stop)
    try:
        answer = ask(
            now.workspace,
            statement,
            dataset=now.dataset,
            run=now.shown_run,
            values=values,
            limits=LIMITS,
            on_stage=_shown_in(bar.progress),
            make=_made,
        )
        if state.get("sql") or st.session_state.get("sql_long"):  # not the one that greets
            saved.remember(now.workspace, statement)
        return answer
    except CoreError as error:
        return error
    finally:
        bar.empty()
        stop.empty()


def _shown_in(progress: Callable[..., object]) -> Callable[[str, float | None], None]:
    """Draws how far it is; Streamlit ends the script there when somebody leaves or stops it."""

    def show(stage: str, share: float | None = None) -> None:
        words = "making" if stage.startswith("table ") else stage
        progress(share or 0.0, text=t(f"sql.stage.{words}"))

    return show


def _stop() -> None:
    """Leaves the statement in the editor, and asks nothing until somebody does."""
    st.session_state["sql_stopped"] = True


def _made(name: str, asked: Asked) -> pa.Table:
    """A table of the run: kept for all where it hangs on nothing but the run."""
    if name in ("metrics", "per_user"):
        return tables.make(name, asked)
    user = asked.user if name == "explanations" else None
    return cache.run_table(asked.workspace, asked.dataset, asked.the_run(), user, name)


def show(answer: Answer) -> None:
    """How many rows, the rows, the chart that suits them, the files."""
    if answer.cut:
        st.warning(t("sql.cut", n=answer.rows), icon=":material/content_cut:")
    st.caption(t("sql.rows", n=answer.rows, seconds=f"{answer.seconds:.2f}"))
    frame = as_frame(answer)
    chosen = charts.choice(frame)
    alt = t("sql.table.alt", n=answer.rows)
    if chosen is None:
        _rows(frame, alt)
    else:
        rows, chart = st.tabs([t("sql.table"), t("sql.chart")])
        with rows:
            _rows(frame, alt)
        with chart:
            words = t(f"sql.chart.{chosen.kind}", x=chosen.x, y=", ".join(chosen.y))
            st.caption(words)
            figure(charts.draw(frame, chosen, dark=dark()), alt=words, key="sql_chart")
    _downloads(answer)


def _rows(frame: pd.DataFrame, alt: str) -> None:
    height = None if len(frame) < 12 else HEIGHT
    table(frame, alt=alt, key="sql_rows", own_names=True, height=height)


def _downloads(answer: Answer) -> None:
    with st.container(horizontal=True):
        for ending, make in (("csv", files.csv_bytes), ("parquet", files.parquet_bytes)):
            st.download_button(
                t(f"action.download.{ending}"),
                data=partial(make, answer),
                file_name=f"answer.{ending}",
                key=f"sql_{ending}",
                icon=":material/download:",
                on_click="ignore",
            )


def as_frame(answer: Answer) -> pd.DataFrame:
    """The rows for a page: whole numbers stay whole where some are missing, lists are lists."""
    whole = {pa.int64(): pd.Int64Dtype(), pa.int32(): pd.Int32Dtype()}
    frame: pd.DataFrame = answer.table.to_pandas(types_mapper=whole.get)
    for at, column in enumerate(answer.columns):
        if column.type.endswith("[]"):
            frame[column.name] = pd.Series(answer.table.column(at).to_pylist(), dtype=object)
        elif column.type == "DATE":
            frame[column.name] = pd.to_datetime(frame[column.name]).astype("datetime64[s]")
    return frame


def stopped() -> bool:
    """Whether somebody stopped it, and has asked nothing since."""
    return bool(st.session_state.get("sql_stopped"))


def name_of(statement: str, most: int = 70) -> str:
    """A statement on one line, as a box of statements has it."""
    line = " ".join(statement.split())
    return plain(line if len(line) <= most else f"{line[: most - 1]}…")
