"""A log comes in by upload, models learn from it, and a person gets recommendations."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlparse
from xml.sax.saxutils import escape

import pandas as pd
import pytest

from dashboard.text import text
from tests.browser.conftest import Visit, ready

UPLOADER = '[data-testid="stFileUploader"] input[type=file]'
FILMS = Path(__file__).resolve().parents[2] / "sample_data" / "movielens-latest-small"
N_ROWS = 120


def query(page: Any) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlparse(page.url).query).items()}


def open_uploader(page: Any) -> None:
    """A page with data hides the uploader in a box."""
    box = page.get_by_text(text("en", "data.add"), exact=True).first
    page.locator(UPLOADER).or_(box).first.wait_for(state="attached")
    if not page.locator(UPLOADER).count():
        box.click()


def upload(page: Any, *paths: Path) -> None:
    """Puts files into the uploader and awaits the guess."""
    open_uploader(page)
    page.set_input_files(UPLOADER, [str(path) for path in paths])
    page.wait_for_selector(".st-key-import button")
    ready(page)


def test_from_a_log_to_recommendations(visit: Visit) -> None:
    page = visit("/data")
    upload(page, FILMS / "ratings.csv", FILMS / "movies.csv")
    guess = page.locator(".st-key-map_user_id input")
    assert guess.input_value() == "userId"
    name = page.get_by_label(text("en", "data.name"), exact=True)
    name.fill("films")
    name.press("Enter")
    ready(page)
    page.locator(".st-key-import button").click()
    page.get_by_text("100,836 of 100,836 rows kept as “films”").wait_for()
    dataset = query(page)["dataset"]

    page.get_by_role("link", name=text("en", "action.go_train")).last.click()
    page.get_by_text(text("en", "train.models"), exact=True).wait_for()
    ready(page)  # what is drawn again closes a list that is open
    page.locator(".st-key-models").get_by_label("Clear all").click()
    chooser = page.locator(".st-key-models input")
    for model in ("popularity", "transitions"):
        ready(page)
        chooser.fill(text("en", f"model.{model}"))
        page.get_by_role("option", name=text("en", f"model.{model}"), exact=True).click()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Train 2 models").click()
    done = page.get_by_text("2 runs on films are finished", exact=False)
    page.locator(".st-key-job_chip").or_(done).first.wait_for()  # seen at work, or done already
    page.wait_for_url("**run=*")
    run = query(page)["run"]
    page.reload()  # and goes on when the page is closed
    page.get_by_text("2 runs on films are finished", exact=False).wait_for(timeout=120_000)
    assert query(page)["run"] == run

    ready(page)  # while the page is drawn again, what was on it is there twice
    page.get_by_role("link", name=text("en", "action.compare")).last.click()
    page.get_by_text("By NDCG@10, Transition graph", exact=False).wait_for()
    assert "against Popularity" in page.locator("[data-testid=stMarkdown]").first.inner_text()

    ready(page)
    page.get_by_role("link", name=text("en", "action.recommendations")).last.click()
    page.wait_for_selector("[data-testid=stTable]")
    ready(page)
    assert page.locator("[data-testid=stTable]").count() == 2
    assert page.locator("[data-testid=stTable] tbody tr").count() == 20
    page.locator(".st-key-random_user button").click()
    page.wait_for_url("**user=*")
    ready(page)
    user = query(page)["user"]
    with page.expect_download() as download:
        page.locator(".st-key-download button").click()
    saved = pd.read_csv(download.value.path())
    assert len(saved) == 20
    assert set(saved["user_id"].astype(str)) == {user}
    page.reload()
    page.wait_for_selector("[data-testid=stTable]")
    assert query(page) == {"dataset": dataset, "run": run, "user": user}


def rows() -> pd.DataFrame:
    """A small log: 12 people, 10 things, a time each."""
    return pd.DataFrame(
        {
            "user": [n % 12 + 1 for n in range(N_ROWS)],
            "item": [f"i{n * 7 % 10}" for n in range(N_ROWS)],
            "time": [1_600_000_000 + 3600 * n for n in range(N_ROWS)],
            "rating": [n % 5 + 1 for n in range(N_ROWS)],
        }
    )


def csv(**options: Any) -> bytes:
    return rows().to_csv(index=False, **options).encode()


def u_data() -> bytes:
    """As MovieLens 100K: user, item, rating, time, tabs between, no header."""
    frame = rows().assign(item=[n * 7 % 10 + 1 for n in range(N_ROWS)])
    frame = frame[["user", "item", "rating", "time"]]
    return frame.to_csv(index=False, header=False, sep="\t").encode()


def parquet() -> bytes:
    buffer = io.BytesIO()
    rows().to_parquet(buffer, index=False)
    return buffer.getvalue()


def zipped(name: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return buffer.getvalue()


def chinese() -> bytes:
    frame = rows().rename(
        columns={"user": "用户", "item": "商品", "time": "时间", "rating": "评分"}
    )
    frame["商品"] = "商品甲" + frame["商品"]
    return frame.to_csv(index=False).encode("gb18030")


def xlsx() -> bytes:
    """The least that is a workbook: one sheet with its texts inline."""
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    rels = "http://schemas.openxmlformats.org/package/2006/relationships"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    types = "http://schemas.openxmlformats.org/package/2006/content-types"
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    table = [list(rows().columns), *rows().to_numpy().tolist()]
    texts = [[f'<c t="inlineStr"><is><t>{escape(str(v))}</t></is></c>' for v in r] for r in table]
    cells = "".join(f"<row>{''.join(line)}</row>" for line in texts)
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{types}"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Override PartName="/xl/workbook.xml" ContentType="{kind}.sheet.main+xml"/><Override PartName="/xl/worksheets/sheet1.xml" ContentType="{kind}.worksheet+xml"/></Types>',  # noqa: E501
        "_rels/.rels": f'<Relationships xmlns="{rels}"><Relationship Id="r1" Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',  # noqa: E501
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets><sheet name="log" sheetId="1" r:id="r1"/></sheets></workbook>',  # noqa: E501
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{rels}"><Relationship Id="r1" Type="{office}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',  # noqa: E501
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><sheetData>{cells}</sheetData></worksheet>',  # noqa: E501
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return buffer.getvalue()


FILES: dict[str, Callable[[], bytes]] = {
    "comma.csv": csv,
    "semicolon.csv.gz": lambda: gzip.compress(csv(sep=";")),
    "u.data": u_data,
    "lines.jsonl": lambda: "\n".join(map(json.dumps, rows().to_dict("records"))).encode(),
    "table.parquet": parquet,
    "book.xlsx": xlsx,
    "archive.zip": lambda: zipped("log.csv", csv()),
    "chinese.csv": chinese,
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_each_kind_comes_in(visit: Visit, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(FILES[name]())
    page = visit("/data")
    upload(page, path)
    page.locator(".st-key-import button").click()
    page.get_by_text(f"{N_ROWS} of {N_ROWS} rows kept").wait_for()


def test_a_file_that_is_none_gets_one_sentence(visit: Visit, tmp_path: Path) -> None:
    path = tmp_path / "nothing.csv"
    path.write_bytes(b"")
    page = visit("/data")
    open_uploader(page)
    page.set_input_files(UPLOADER, str(path))
    said = page.locator('[data-testid="stAlert"]').inner_text()
    assert "nothing.csv" in said
    assert "\n" not in said.strip().removeprefix("error").strip()
