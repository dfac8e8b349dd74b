"""What the pages show is what Nave takes: their YAML makes hub folders that are in order, and their tests pass."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from nave.api.events import events
from nave.cli.hubs import examined
from nave.cli.tested import run_tests, unread_fields
from nave.config import load
from nave.core.texts import message
from tests.docs.pages import ROOT, blocks

BASES = {"en": ROOT / "docs/configuration.md", "zh": ROOT / "docs/zh-CN/configuration.md"}
PAGES = {
    "docs/configuration.md": "en",
    "docs/mappings.md": "en",
    "docs/events.md": "en",
    "README.md": "en",
    "docs/zh-CN/configuration.md": "zh",
    "docs/zh-CN/mappings.md": "zh",
    "README.zh-CN.md": "zh",
}


def hub_folder(page: str, folder: Path) -> Path:
    """The hub of the configuration page, with what this page shows in its place."""
    for file, text in {**blocks(BASES[PAGES[page]]), **blocks(ROOT / page)}.items():
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return folder


@pytest.mark.parametrize("page", PAGES)
def test_the_hub_on_a_page_is_in_order(page: str, tmp_path: Path) -> None:
    loaded = load(hub_folder(page, tmp_path), environ={})

    compiled, problems = examined(loaded)

    assert [problem.render() for problem in [*problems, *unread_fields(compiled)]] == []


@pytest.mark.parametrize("page", PAGES)
def test_the_mapping_tests_on_a_page_pass(page: str, tmp_path: Path) -> None:
    compiled, _ = examined(load(hub_folder(page, tmp_path), environ={}))

    runs = list(run_tests(compiled, sorted(compiled.config.tests)))

    assert [run for run in runs if run.failed] == []
    assert sum(len(run.cases) for run in runs) > 0


def test_the_readmes_show_a_mapping_of_at_most_fifteen_lines() -> None:
    for page in ("README.md", "README.zh-CN.md"):
        shown = blocks(ROOT / page)

        mappings = {file: text for file, text in shown.items() if not file.endswith(".test.yaml")}

        assert {file.rpartition("/")[0] for file in mappings} == {"mappings/erp"}
        assert all(len(text.splitlines()) <= 15 for text in mappings.values())
        assert {file.replace(".yaml", ".test.yaml") for file in mappings} <= set(shown)


def test_the_requests_on_the_events_page_are_taken() -> None:
    text = (ROOT / "docs/events.md").read_text("utf-8")
    calls = [call for call in re.findall(r"^curl .*?(?=\n\n|\n```|\ncurl)", text, re.M | re.S) if "custmers" not in call]

    taken = [events(headers_of(call), body_of(call), "customer") for call in calls]

    assert [[record["id"] for record in one.records] for one in taken] == [["C-7"], ["C-7"], ["C-8"]]
    assert [one.origin.get("ce-id") for one in taken] == [None, "8812", "8813"]


def headers_of(call: str) -> dict[bytes, bytes]:
    """The headers of a curl command."""
    found = (header.partition(": ") for header in re.findall(r"-H '([^']+)'", call))
    return {name.lower().encode(): value.encode() for name, _, value in found}


def body_of(call: str) -> bytes:
    """What a curl command sends."""
    found = re.search(r"-d '([^']+)'", call)
    assert found
    return found[1].encode()


def test_the_problem_on_the_events_page_is_what_the_door_says() -> None:
    found = re.search(r"```json\n(\{.*?\n\})", (ROOT / "docs/events.md").read_text("utf-8"), re.S)
    assert found
    shown = json.loads(found[1])

    assert shown["detail"] == message(shown["code"], "text", "en", source="crm.custmers")
    assert shown["help"] == message(shown["code"], "help", "en", near="crm.customers")
