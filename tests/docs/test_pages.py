"""The pages hold together: links lead somewhere, both READMEs say the same things, the reference is what the code says."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from urllib.parse import unquote

import pytest
from pydantic import BaseModel

from nave.config import entityfile, hubfile, systemfile
from tests.docs.pages import ROOT, anchors, blocks, headings, links, name, pages

PAGES = pages()
MADE_BY_BENCH = "cost.svg"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_inside_the_repository_leads_somewhere(page: Path) -> None:
    inside = [link for link in links(page.read_text("utf-8")) if "://" not in link and not link.startswith("mailto:")]

    assert [link for link in inside if not leads_somewhere(page, link)] == []


def leads_somewhere(page: Path, link: str) -> bool:
    """Whether the file is there, and the anchor in it."""
    path, _, anchor = unquote(link).partition("#")
    target = (page.parent / path).resolve() if path else page
    if target.name == MADE_BY_BENCH:
        return target.parent.is_dir()
    if not target.exists() or not target.is_relative_to(ROOT):
        return False
    return not anchor or anchor in anchors(target.read_text("utf-8"))


def test_links_to_what_is_not_there_would_be_seen() -> None:
    page = ROOT / "docs/concepts.md"

    assert leads_somewhere(page, "operations.md#what-survives-what")
    assert not leads_somewhere(page, "operations.md#nothing-of-the-kind")
    assert not leads_somewhere(page, "no-such-page.md")


TWINS = {
    "README.md": "README.zh-CN.md",
    "docs/concepts.md": "docs/zh-CN/concepts.md",
    "docs/operations.md": "docs/zh-CN/operations.md",
    "docs/reliability.md": "docs/zh-CN/reliability.md",
    "docs/mappings.md": "docs/zh-CN/mappings.md",
    "docs/configuration.md": "docs/zh-CN/configuration.md",
    "docs/events.md": "docs/zh-CN/events.md",
    "docs/brakes.md": "docs/zh-CN/brakes.md",
    "docs/changing-rules.md": "docs/zh-CN/changing-rules.md",
    "docs/matching.md": "docs/zh-CN/matching.md",
    "docs/identity.md": "docs/zh-CN/identity.md",
    "docs/survivorship.md": "docs/zh-CN/survivorship.md",
    "docs/stewards.md": "docs/zh-CN/stewards.md",
    "docs/example-plant.md": "docs/zh-CN/example-plant.md",
    "docs/documents.md": "docs/zh-CN/documents.md",
    "docs/receipts.md": "docs/zh-CN/receipts.md",
    "docs/mappings-library.md": "docs/zh-CN/mappings-library.md",
    "docs/scaling.md": "docs/zh-CN/scaling.md",
    "docs/tutorials/map-a-file.md": "docs/zh-CN/tutorials/map-a-file.md",
}
SHORTER = {"docs/concepts.md": {"The parts"}, "docs/configuration.md": {"Durability and size"}}
"""Sections that only the English page has."""


@pytest.mark.parametrize("english", TWINS)
def test_a_page_and_its_chinese_twin_have_the_same_sections(english: str) -> None:
    left, right = ((ROOT / page).read_text("utf-8") for page in (english, TWINS[english]))
    left_levels = [one.count("#") for one in headings(left) if one.lstrip("# ") not in SHORTER.get(english, ())]

    assert left_levels == [one.count("#") for one in headings(right)]
    assert Path(TWINS[english]).name in "".join(links(left))
    assert Path(english).name in "".join(links(right))


def test_the_readmes_show_the_same_mapping_and_the_same_run() -> None:
    english, chinese = (blocks(ROOT / page) for page in ("README.md", "README.zh-CN.md"))

    assert set(english) == set(chinese)
    without = [re.sub(r" +#.*", "", shown["mappings/erp/customer.yaml"]) for shown in (english, chinese)]
    assert without[0] == without[1]
    for page in ("README.md", "README.zh-CN.md"):
        text = (ROOT / page).read_text("utf-8")
        assert len(text.splitlines()) < 150
        assert {"make demo", "make test", "30,898"} <= set(re.findall(r"make demo|make test|30,898", text))


def test_every_command_that_a_page_names_is_there() -> None:
    from nave.cli.commands import ENTRIES

    known = {entry.name for entry in ENTRIES} | {entry.name.split()[0] for entry in ENTRIES}
    named = {
        found
        for page in PAGES
        for found in re.findall(r"(?:`|^    |^  )nave ([a-z]+)\b", page.read_text("utf-8"), re.M)
        if found != "zh"
    }

    assert named - known == set()


def test_every_key_of_a_hub_is_on_the_configuration_page() -> None:
    text = (ROOT / "docs/configuration.md").read_text("utf-8")
    written = [one for module in (entityfile, hubfile, systemfile) for one in vars(module).values()]
    models = {model for model in written if isinstance(model, type) and issubclass(model, BaseModel)}
    keys = {info.alias or key for model in models for key, info in model.model_fields.items()}

    assert {key for key in keys if not re.search(rf"(?<!\w){key}(?!\w)", text)} == set()


def test_the_reference_pages_are_what_the_code_says() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts/document", "--check"], capture_output=True, text=True, check=False, cwd=ROOT
    )

    assert done.returncode == 0, f"run .venv/bin/python scripts/document: {done.stderr}"


def test_every_dependency_has_its_line() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    listed = [
        *project["project"]["dependencies"],
        *project["build-system"]["requires"],
        *project["dependency-groups"]["dev"],
    ]
    listed += [one for extra in project["project"]["optional-dependencies"].values() for one in extra]
    needed = {re.split(r"[\[<>=; ]", one)[0] for one in listed}
    rows = re.findall(r"^\| ([^|]+) \|", (ROOT / "docs/decisions/dependencies.md").read_text("utf-8"), re.M)
    said = {one for row in rows for one in re.sub(r"\(.*?\)", "", row).replace(",", " ").split()} - {"package", "editables"}

    assert said == needed


FORBIDDEN = (
    r"/[w]ork/",
    r"/root/",
    r"/home/(?!\w+/\.)",
    r"(?i)\bissue #?\d",
    r"(?<![\w/])#\d+\b",
    r"(?i)\b(TODO|FIXME|XXX)\b",
    r"@@",
    r"(?i)p[y]pi\.|files\.python[h]osted",
)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_a_page_names_no_machine_and_no_open_ends(page: Path) -> None:
    text = page.read_text("utf-8")

    assert [found[0] for pattern in FORBIDDEN for found in re.finditer(pattern, text)] == []


def test_the_changes_begin_with_what_is_not_released() -> None:
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")

    assert headings(text)[1] == "## [Unreleased]"
    assert tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"] in text
