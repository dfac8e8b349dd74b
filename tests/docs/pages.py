"""The project's own pages as the tests see them: their files, headings, links and tagged code blocks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_FENCE = re.compile(r"^( *)(```+|~~~+)([^\n]*)\n(.*?)^\1\2 *$", re.M | re.S)
_LINK = re.compile(r"\]\(([^)\s]+)\)|(?:href|src|srcset)=\"([^\"]+)\"")
_HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.M)
_ANCHOR = re.compile(r"<a id=\"([^\"]+)\"")


def pages() -> list[Path]:
    """Every Markdown page that belongs to the project."""
    tops = list(ROOT.glob("*.md"))
    parts = ("docs", "config/nave", "connectors/nave", "bench")
    return sorted([*tops, *(path for part in parts for path in (ROOT / part).rglob("*.md"))])


def name(page: Path) -> str:
    """A page as a test's id shows it."""
    return page.relative_to(ROOT).as_posix()


def without_code(text: str) -> str:
    """The prose of a page: neither code blocks nor code in a line."""
    return re.sub(r"``[^\n]*?``|`[^`\n]*`", "", _FENCE.sub("", text))


def links(text: str) -> Iterator[str]:
    """Targets of all links and pictures."""
    for found in _LINK.finditer(without_code(text)):
        yield found[1] or found[2]


def headings(text: str) -> list[str]:
    """All headings with their level."""
    return re.findall(r"^(#{1,6} +.+?) *$", _FENCE.sub("", text), re.M)


def anchors(text: str) -> set[str]:
    """What a link into the page can name, as GitHub makes it from headings."""
    prose = _FENCE.sub("", text)
    found = set(_ANCHOR.findall(prose))
    times: dict[str, int] = {}
    for heading in _HEADING.findall(prose):
        plain = re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower(), flags=re.UNICODE).replace(" ", "-")
        seen = times.get(plain, 0)
        times[plain] = seen + 1
        found.add(f"{plain}-{seen}" if seen else plain)
    return found


def blocks(page: Path) -> dict[str, str]:
    """Code blocks tagged `yaml hub:FILE`, by file."""
    found = {}
    for block in _FENCE.finditer(page.read_text("utf-8")):
        tag = re.search(r"\bhub:(\S+)", block[3])
        if tag:
            found[tag[1]] = block[4]
    return found
