"""The two files on the page of mappings become the orders that it says they become, in a hub that is run."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from nave.core.store import schema as t
from tests.docs.pages import ROOT, blocks
from tests.whole import small


def shown_on(page: str) -> dict[str, str]:
    """The blocks of the example; what its test is called is said in the page's language."""
    return {file: text for file, text in blocks(ROOT / page).items() if "legacy" in file and ".test." not in file}


def test_both_pages_show_the_same_example() -> None:
    assert shown_on("docs/mappings.md") == shown_on("docs/zh-CN/mappings.md")


def test_the_two_files_on_the_page_become_two_orders(tmp_path: Path) -> None:
    shown = shown_on("docs/mappings.md")
    for file, text in {**shown, "hub.yaml": "hub: joined\n"}.items():
        path = tmp_path / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        os.utime(path, (1_700_000_000, 1_700_000_000))

    small.run(tmp_path)

    assert small.letters(tmp_path) == []
    assert lines(tmp_path) == {"SO1": [("10", "10"), ("20", "2.5")], "SO2": [("10", "5")]}
    archived = sorted(path.name for path in (tmp_path / "drop/legacy/archive").rglob("*.*") if path.is_file())
    assert archived == sorted(Path(file).name for file in shown if file.startswith("drop/"))


def lines(folder: Path) -> dict[str, list[tuple[Any, Any]]]:
    """Line and quantity of each order."""
    with small.opened(folder) as hub, hub.store.read() as tx:
        orders = [json.loads(doc) for (doc,) in tx.rows(sa.select(t.record.c.doc).where(t.record.c.entity == "order"))]
    return {one["number"]: [(line["line"], line["quantity"]["value"]) for line in one["lines"]] for one in orders}
