"""Pages in two languages: the same commands, code, pictures, links and numbers of tables."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAIRS = [
    (page.with_name(page.name.replace(".zh.md", ".md")), page)
    for page in [*sorted(ROOT.glob("*.zh.md")), *sorted((ROOT / "docs").rglob("*.zh.md"))]
]
CHINESE = re.compile(r"[\u4e00-\u9fff]")


def blocks(text):
    """The language and the lines of each block of code, without comments."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.M | re.S)
    return [(kind, [re.sub(r"\s+#.*", "", line) for line in code.splitlines()]) for kind, code in found]


def rows(text):
    """The numbers, the names in code and the addresses of each row of a table."""
    tables = [line for line in text.splitlines() if line.startswith("|")]
    return [(re.findall(r"\d+(?:[.,]\d+)*", line), sorted(re.findall(r"`[^`]+`", line))) for line in tables]


def links(text):
    """The targets of the links and pictures, without the link to the other language."""
    found = re.findall(r"\]\(([^)]+)\)", text)
    return sorted(link for link in found if not re.search(r"\.zh\.|(^lecture|/README)\.md$", link))


def comments_without_chinese(text):
    """The number of comments in blocks of commands that have no Chinese character."""
    blocks = re.findall(r"^```\n(.*?)^```$", text, re.M | re.S)
    comments = [comment for block in blocks for comment in re.findall(r"\s#\s*(.*)", block)]
    return sum(not CHINESE.search(comment) for comment in comments)


@pytest.mark.parametrize(("english", "chinese"), PAIRS, ids=lambda page: page.name)
def test_a_translation_has_the_commands_tables_and_links_of_the_original(english, chinese):
    original, translated = english.read_text(encoding="utf-8"), chinese.read_text(encoding="utf-8")
    assert blocks(translated) == blocks(original)
    assert rows(translated) == rows(original)
    assert links(translated) == links(original)
    assert not comments_without_chinese(translated)
    levels = r"^(#+) "
    assert re.findall(levels, translated, re.M) == re.findall(levels, original, re.M)
    assert len(CHINESE.findall(translated)) > len(translated) / 10
