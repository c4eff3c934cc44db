"""What the core says of a file in English is said in Chinese on a Chinese page."""

from __future__ import annotations

import string
from pathlib import Path

import pytest

from core.data import queries
from core.data.ingest.ingest import ingest
from core.data.ingest.preview import preview
from core.data.store import Workspace
from dashboard.text import texts
from dashboard.text.evidence import PREFIX, evidence

HEAD = "user_id,item_id,"
FILES = {
    "seconds": ("t.csv", HEAD + "timestamp,rating\n", "u{n},i{m},{second},{star}\n"),
    "milliseconds": ("t.csv", HEAD + "timestamp\n", "u{n},i{m},{second}000\n"),
    "iso": ("t.csv", HEAD + "date,event\n", "u{n},i{m},2024-01-{day:02d}T10:00:00,view\n"),
    "day first": ("t.csv", HEAD + "date\n", "u{n},i{m},{day:02d}/01/2024\n"),
    "either": ("t.csv", HEAD + "date\n", "u{n},i{m},0{star}/0{star}/2024\n"),
    "clicks": ("t.csv", HEAD + "click\n", "u{n},i{m},{bit}\n"),
    "decimals": ("t.csv", "user_id;item_id;rating\n", "u{n};i{m};{star},5\n"),
    "amounts": ("t.csv", HEAD + "quantity\n", "u{n},i{m},{signed}\n"),
    "sessions": ("t.csv", "session_id,item_id,timestamp\n", "s{n},i{m},{second}\n"),
    "unread times": ("t.csv", HEAD + "timestamp\n", "u{n},i{m},some time {n}\n"),
    "no names": ("t.csv", "", "{n},{m},{star}\n"),
    "sequences": ("t.txt", "", "u{row} i{m} i{star} {more}\n"),
    "baskets": ("t.txt", "", "i{m},i{star},{more}\n"),
    "edges": (
        "t.mtx",
        "%%MatrixMarket matrix coordinate real general\n7 11 80\n",
        "{n} {m} {star}\n",
    ),
    "pairs": ("t.svm", "", "{bit} {m}:1 1{m}:{star}\n"),
    "blocks": (
        "t.txt",
        "",
        "product/productId: i{m}\nreview/userId: u{n}\nreview/score: {star}\n\n",
    ),
    "dicts": ("t.json", "", "{{'user_id': 'u{n}', 'ad': {{'item_id': 'i{m}'}}, 't': {second}}}\n"),
    "notes": ("t.csv", "# one\n# two\n" + HEAD + "timestamp\n", "u{n},i{m},{second}\n"),
    "scales": ("t.csv", HEAD + "rating\n", "u{n},i{m},{star}/5\n"),
    "words": ("t.csv", HEAD + "rating\n", "u{n},i{m},word{m}{n}\n"),
    "json": ("t.jsonl", "", '{{"user_id": "u{n}", "ad": {{"item_id": "i{m}"}}, "t": {second}}}\n'),
}


def written(folder: Path, name: str) -> Path:
    file, head, line = FILES[name]
    path = folder / file
    rows = (
        line.format(
            n=n % 7, m=n % 11, second=1_700_000_000 + 60 * n, star=1 + n % 5, day=1 + n % 28,
            bit=n % 2, signed=n % 5 - 1, row=n,
            more=" ".join(f"i{k}" for k in range(20, 21 + n % 6)),
        )
        for n in range(80)
    )  # fmt: skip
    path.write_text(head + "".join(rows))
    return path


@pytest.mark.parametrize("name", FILES)
def test_what_is_seen_in_a_file_is_said_in_both_languages(name: str, tmp_path: Path) -> None:
    said = preview(written(tmp_path, name)).evidence
    assert said
    for role, sentence in said.items():
        assert evidence("en", sentence).plain == sentence, role
        chinese = evidence("zh", sentence).plain
        assert any("\u4e00" <= char <= "\u9fff" for char in chinese), sentence
        assert "`" not in chinese


def test_a_table_that_fits_badly_is_said_in_chinese(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    log.write_text(HEAD + "sku\n" + "".join(f"u{n % 7},i{n % 20},k{n % 20}\n" for n in range(80)))
    items = tmp_path / "items.csv"
    items.write_text("item_id,title\n" + "".join(f"k{n},Tea {n}\n" for n in range(20)) + "i1,Pot\n")
    info = ingest(Workspace.open(tmp_path / "home"), [log], items=items)
    (advice,) = info.meta["advice"]
    assert "item_id=sku" in advice  # in the terminal as before
    chinese = evidence("zh", advice).plain
    assert "匹配到" in chinese
    assert "item_id=sku" in chinese
    assert "5%" in chinese
    assert "meets" not in chinese


def test_why_a_row_is_rejected_is_said_in_chinese(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    bad = ",i1,3,2024-01-01\nu1,i1,x,2024-01-01\nu1,i1,3,soon\nu1,i1,3,\nu1,i1,1e40,2024-01-01\n"
    good = "".join(f"u{n % 7},i{n % 9},3,2024-01-{1 + n % 28:02d}\n" for n in range(80))
    log.write_text(HEAD + "rating,date\n" + good + bad)
    info = ingest(Workspace.open(tmp_path / "home"), [log])
    details = queries.rejected_sample(info)["detail"].tolist()
    assert len(details) == 5
    for detail in details:
        chinese = evidence("zh", detail).plain
        assert any("\u4e00" <= char <= "\u9fff" for char in chinese), detail


@pytest.mark.parametrize(
    ("sentence", "chinese"),
    [
        (
            "a.xlsx: the sheet 'A' is read, not 'B', 'C'; 2 rows of titles above the header are "
            "passed over (the first sheet as it lies: layout=table)",
            "a.xlsx：读取工作表 'A'，不读 'B', 'C'；表头之上的 2 行标题被跳过"
            "（若按原样读第一张表：layout=table）",
        ),
        (
            "a.csv: a backslash stands before a quote inside of quotes; b.csv: 2 lines of comments "
            "are passed over",
            "a.csv：引号内的引号前有反斜线；b.csv：2 行注释被跳过",
        ),
        (
            "the log is an array of objects inside one JSON object, a.b[]; beside it c[] (1) is "
            "left out; each element of d[] is one event (the plain keys instead: layout=table)",
            "行为数据是一个 JSON 对象内的对象数组 a.b[]；旁边的 c[] (1) 不读取；"
            "d[] 的每个元素是一条行为（若只读普通键：layout=table）",
        ),
        (
            "'t': as you said: read as %d, %m, as you said",
            "'t'：由您指定：按 %d, %m 读取，由您指定",
        ),
    ],
)
def test_sentences_made_of_others_are_said_whole(sentence: str, chinese: str) -> None:
    assert evidence("en", sentence).plain == sentence
    assert evidence("zh", sentence).plain == chinese


def test_what_is_unknown_stays_as_it_is_and_literal() -> None:
    assert evidence("zh", "<b>new</b> words").plain == "<b>new</b> words"
    assert "\\<b" in str(evidence("zh", "'<b>x': by its name"))


def test_the_texts_have_the_same_places() -> None:
    def places(words: str) -> set[str]:
        return {name for _, name, *_ in string.Formatter().parse(words) if name}

    english, chinese = texts("en"), texts("zh")
    keys = [key for key in english if key.startswith(PREFIX)]
    assert len(keys) > 50
    assert all(places(english[key]) == places(chinese[key]) for key in keys)
