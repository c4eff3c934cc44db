"""One term, one meaning: the glossary of CONTRIBUTING.md holds, and retired terms stay away."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from core.data.roles.names import WEIGHTS
from dashboard.components.labels import event_label
from dashboard.text import texts

ROOT = Path(__file__).resolve().parents[2]
# What is no longer said, and what is said instead.
RETIRED = {
    "en": {
        r"\bin the way\b": "must fix",
        r"\bspeak(s|ing)? (most )?(for|against)\b": "evidence for, counts against",
        r"\b(did|do) \S+ things\b": "events",
        r"\bthings with\b": "events with",
        r"\bgravity\b": "severity",
        r"\bNewcomers$": "Cold start",
    },
    "zh": {
        "物品": "商品",
        "事件": "行为",
        "[个次项]行为(?!数)": "条行为",
        "日志": "行为数据",
        "运行": "模型版本",
        "拒绝": "未导入",
        "做了什么": "选了什么",
        "有妨碍|需知晓|值得一看": "需处理、提示、建议关注",
        "稀疏度": "数据密度",
        "何时发生": "行为趋势",
        "支持它|反对它|^支持$|^反对$": "正向、负向",
        "陌生人": "未知用户",
        "切分": "划分",
        r"(?<![\w{.])id(?![\w=}])": "ID",
    },
}
# Where the letters mean something else.
MEANT = {
    ("zh", "error.ours"): "the log that the server writes",
    ("zh", "state.running"): "what a process does",
}


def retired(language: str, known: dict[str, str]) -> dict[str, str]:
    """What is said for each retired term that stands in a text, by its key."""
    return {
        key: instead
        for key, words in known.items()
        for term, instead in RETIRED[language].items()
        if re.search(term, words) and (language, key) not in MEANT
    }


@pytest.mark.parametrize("language", sorted(RETIRED))
def test_no_text_has_a_retired_term(language: str) -> None:
    assert not retired(language, texts(language))


def test_the_exceptions_are_needed() -> None:
    for language, key in MEANT:
        words = texts(language)[key]
        assert any(re.search(term, words) for term in RETIRED[language]), key


def test_the_check_for_terms_can_fail() -> None:
    assert retired("zh", {"a": "没有物品", "b": "3 个行为"}) == {"a": "商品", "b": "条行为"}
    assert retired("en", {"a": "What speaks for it", "b": "He did {n:,} things"}).keys() == {
        "a",
        "b",
    }


def test_the_chinese_readme_has_the_same_terms() -> None:
    said = (ROOT / "README.zh.md").read_text("utf-8")
    terms = set(RETIRED["zh"]) - {"运行"}  # there it is what one does with a command
    assert not [term for term in terms if "id" not in term and re.search(term, said)]


def test_each_term_of_the_glossary_is_in_use() -> None:
    guide = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    table = guide.split("### Words on the pages")[1].split("\n## ")[0]
    pairs = re.findall(r"^\| (.+?) \| (.+?) \|$", table, re.M)[1:]
    assert len(pairs) > 15
    used = {language: " ".join(texts(language).values()).lower() for language in ("en", "zh")}
    for english, chinese in pairs:
        for term in re.sub(r" \(vectors\)", "", english).lower().split(", "):
            assert term in used["en"], term
        for term in chinese.lower().split("、"):
            assert term in used["zh"], term


def test_each_kind_of_event_has_words() -> None:
    known = {key.replace("_", "") for key in texts("zh") if key.startswith("event.")}
    assert {f"event.{kind}" for kind in WEIGHTS} <= known
    assert event_label("Add_To-Cart") == texts("en")["event.addtocart"]
    assert event_label("Zap <b>_x_") == "Zap <b>_x_"
