"""The tables of the conformance kit in the connectors' pages: where they stand, and what they say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from nave.connectors.conformance import PROMISES, Report, Verdict
from nave.connectors.conformance.report import WORDS

DOCS = Path(__file__).resolve().parents[2] / "docs"
NAMES = (
    "http",
    "rest",
    "soap",
    "sql",
    "sftp",
    "ftp",
    "smb",
    "amqp",
    "mail",
    "tryton",
    "nc",
    "ncfiles",
    "ncc",
    "u8",
    "dingtalk-attendance",
    "wecom-checkin",
    "wecom-contacts",
    "k3cloud",
    "lines",
)
PAGES = {
    "dingtalk-attendance": "hr",
    "wecom-checkin": "hr",
    "wecom-contacts": "crm",
    "lines": "autoid",
    "ncc": "nc",
    "ncfiles": "nc",
    "u8": "nc",
}
"""Connector -> its page, where that has another name."""
NAMED = frozenset({"ncc", "ncfiles", "u8"})
"""Those whose tables stand beside others on their page; both services of `hr` do alike, and share theirs."""
HEADS = {
    "en": (
        "## When the peer misbehaves",
        "What `nave connector conform {name}` says; [what the columns mean](conformance.md).",
    ),
    "zh": ("## 对端出错时", "`nave connector conform {name}` 的结果；[各列的含义](conformance.md)。"),
}


def page_of(name: str, language: str) -> Path:
    """The page of a connector."""
    name = PAGES.get(name, name)
    beside = DOCS / "connectors" / f"{name}.zh-CN.md"
    if language == "zh":
        return beside if beside.exists() else DOCS / "zh-CN" / "connectors" / f"{name}.md"
    return DOCS / "connectors" / f"{name}.md"


def write(name: str, report: Report) -> None:
    """Put the tables into both pages, at the end of those that have none yet."""
    for language, (title, about) in HEADS.items():
        page = page_of(name, language)
        text = page.read_text("utf-8")
        first, last = _marks(name)
        block = f"{first}\n{report.markdown(language).strip()}\n{last}"
        before, found, behind = text.partition(first)
        if found:
            text = before + block + behind.partition(last)[2]
        else:
            link = _conformance_page(page)
            said = about.format(name=name).replace("conformance.md", link)
            text = f"{text.rstrip()}\n\n{title}\n\n{said}\n\n{block}\n"
        page.write_text(text, "utf-8")


def _marks(name: str) -> tuple[str, str]:
    named = f" {name}" if name in NAMED else ""
    return f"<!-- conformance{named} -->", f"<!-- /conformance{named} -->"


def _conformance_page(page: Path) -> str:
    return "../zh-CN/connectors/conformance.md" if page.name.endswith(".zh-CN.md") else "conformance.md"


def documented(name: str, language: str) -> str:
    """The tables of a page; empty if it has none."""
    first, last = _marks(name)
    return page_of(name, language).read_text("utf-8").partition(first)[2].partition(last)[0].strip()


def differences(report: Report, language: str, *, sampled: bool) -> Iterator[str]:
    """What the page says otherwise; a run at few places may do better than the page, and may leave rows out."""
    said = documented(report.connector, language)
    if not sampled:
        if said != report.markdown(language).strip():
            yield f"{page_of(report.connector, language)} is not what the run says: scripts/conformance writes it"
        return
    for row in report.rows:
        cells = _table(said, row.title[language], language)
        own = cells.get(row.behaviour.text[language])
        for number, (promise, verdict) in enumerate(row.verdicts.items()):
            if own is None or list(Verdict).index(verdict) > _allowed(own[number], [one[number] for one in cells.values()]):
                text = f"{row.way}, {row.behaviour.name}, {promise}: {verdict.value} ({row.said['en']})"
                yield f"{text}, not {own or 'there'}"


def _allowed(own: int, column: Sequence[int]) -> int:
    """The worst that a run at few places may say; where in a conversation a fault comes is never quite the same twice.

    So `yes` is as good as –, and `needs a probe` may come in another row of the way than on the page; `no` may not.
    """
    elsewhere = min(max(column), list(Verdict).index(Verdict.NEEDS_A_PROBE))
    return max(own, elsewhere, list(Verdict).index(Verdict.YES))


def _table(text: str, title: str, language: str) -> Mapping[str, list[int]]:
    """Behaviour -> its verdicts as numbers, of one way; nothing where the page has no such table."""
    order = [words[language] for words in WORDS.values()]
    lines = text.partition(f"**{title}**\n")[2].partition("\n**")[0].splitlines()
    rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines if line.startswith("|")]
    return {row[0]: [order.index(one) for one in row[1:]] for row in rows[2:] if len(row) == 1 + len(PROMISES)}
