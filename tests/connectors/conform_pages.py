"""The tables of the conformance kit in the connectors' pages: where they stand, and what they say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from nave.connectors.conformance import PROMISES, Report, Verdict
from nave.connectors.conformance.report import WORDS

DOCS = Path(__file__).resolve().parents[2] / "docs"
BLOCK = re.compile(r"<!-- conformance -->\n.*?\n<!-- /conformance -->", re.S)
NAMES = ("http", "rest", "soap", "sql", "sftp", "amqp")
HEADS = {
    "en": (
        "## When the peer misbehaves",
        "What `nave connector conform {name}` says; [what the columns mean](conformance.md).",
    ),
    "zh": ("## 对端出错时", "`nave connector conform {name}` 的结果；[各列的含义](conformance.md)。"),
}


def page_of(name: str, language: str) -> Path:
    """The page of a connector."""
    beside = DOCS / "connectors" / f"{name}.zh-CN.md"
    if language == "zh":
        return beside if beside.exists() else DOCS / "zh-CN" / "connectors" / f"{name}.md"
    return DOCS / "connectors" / f"{name}.md"


def write(name: str, report: Report) -> None:
    """Put the tables into both pages, at the end of those that have none yet."""
    for language, (title, about) in HEADS.items():
        page = page_of(name, language)
        text = page.read_text("utf-8")
        block = f"<!-- conformance -->\n{report.markdown(language).strip()}\n<!-- /conformance -->"
        if BLOCK.search(text):
            text = BLOCK.sub(lambda _, block=block: block, text)  # type: ignore[misc]
        else:
            link = _conformance_page(page)
            said = about.format(name=name).replace("conformance.md", link)
            text = f"{text.rstrip()}\n\n{title}\n\n{said}\n\n{block}\n"
        page.write_text(text, "utf-8")


def _conformance_page(page: Path) -> str:
    return "../zh-CN/connectors/conformance.md" if page.name.endswith(".zh-CN.md") else "conformance.md"


def documented(name: str, language: str) -> str:
    """The tables of a page; empty if it has none."""
    found = BLOCK.search(page_of(name, language).read_text("utf-8"))
    return "\n".join(found[0].split("\n")[1:-1]) if found else ""


def differences(report: Report, language: str, *, sampled: bool) -> Iterator[str]:
    """What the page says otherwise; a run at few places may do better than the page, and may leave rows out."""
    said = documented(report.connector, language)
    if not sampled:
        if said != report.markdown(language).strip():
            yield f"{page_of(report.connector, language)} is not what the run says: scripts/conformance writes it"
        return
    order = [words[language] for words in WORDS.values()]
    for row in report.rows:
        cells = _cells(said, row.title[language], row.behaviour.text[language])
        for number, (promise, verdict) in enumerate(row.verdicts.items()):
            if not cells or order.index(cells[number]) < list(Verdict).index(verdict):
                yield f"{row.way}, {row.behaviour.name}, {promise}: {verdict.value} ({row.said}), not {cells or 'there'}"


def _cells(text: str, title: str, behaviour: str) -> list[str]:
    table = text.partition(f"**{title}**\n")[2].partition("\n**")[0]
    for line in table.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if cells[0] == behaviour and len(cells) == 1 + len(PROMISES):
            return cells[1:]
    return []
