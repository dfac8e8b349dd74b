"""`nave map explain`: which target field comes from which source fields, through which filters and value tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nave.cli.hubs import compiled_hub
from nave.cli.mapped import Chosen, chosen
from nave.cli.page import Page
from nave.cli.session import Session


def explain_mapping(session: Session, *, mapping: str) -> None:
    """Show the way of every field of a mapping."""
    config, compiled = compiled_hub(session)
    one = chosen(config, compiled, mapping)
    document = config.mappings[mapping]
    named = [(way.target, way) for way in one.ways]
    named += [(f"{part.mapping.part}.{way.target}", way) for part in one.parts for way in part.ways]
    fields = [
        {
            "target": target,
            "expression": way.text,
            "sources": list(way.sources),
            "filters": list(way.filters),
            "tables": list(way.tables),
            "line": document.position(way.at)[0],
        }
        for target, way in named
    ]
    about = {"mapping": mapping, "from": one.spec.origin, "to": one.spec.to, "hash": one.mapping.hash, "file": document.file}
    session.answer({**about, "fields": fields}, _lines(one, fields, session.page, document.file), rows="fields")


def _lines(one: Chosen, fields: list[dict[str, Any]], page: Page, file: str) -> Iterator[str]:
    yield page.style(f"{one.name}  {one.spec.origin} -> {one.spec.to}  {one.mapping.hash[:8]}  {file}", "bold")
    columns = page.columns(
        "map", "target", "sources", "expression", "tables", "line", right="line", elastic="sources expression", spare="line"
    )
    rows = [
        (row["target"], ", ".join(row["sources"]), row["expression"], ", ".join(row["tables"]), row["line"])
        for row in fields
    ]
    yield from page.table(columns, rows)
