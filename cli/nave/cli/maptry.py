"""`nave map try`: what a mapping makes of records, and the way of each field from the values it read to the one it gave."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from nave.cli import exits
from nave.cli.hubs import compiled_hub
from nave.cli.mapped import Chosen, Record, chosen, records_to_try
from nave.cli.page import Page
from nave.cli.session import Session
from nave.config.problems import MASK
from nave.core.errors import NaveError
from nave.mappings import Inbound, values_at
from nave.mappings.cases import canonical


def try_mapping(session: Session, *, mapping: str, file: Path | None, last: int | None) -> int:
    """Run a mapping on some records and store nothing; 4 if one was refused."""
    config, compiled = compiled_hub(session)
    one = chosen(config, compiled, mapping)
    records = records_to_try(session, config, one, file, last)
    tried = [_tried(one, record, session.language) for record in records]
    session.answer({"mapping": mapping, "records": tried}, _lines(tried, session.page), rows="records")
    return exits.PARTLY if any(each["error"] for each in tried) else exits.FINE


def _tried(one: Chosen, record: Record, language: str) -> dict[str, Any]:
    outcome: Any = one.mapping.run([record])[0]
    key, values = (
        (outcome.key, outcome.values) if hasattr(outcome, "values") and hasattr(outcome, "key") else (None, outcome)
    )
    if isinstance(one.mapping, Inbound) and not isinstance(outcome, NaveError):
        outcome = one.entity.validate([outcome.values])[0]
    error = outcome if isinstance(outcome, NaveError) else None
    return {
        "key": key,
        "error": {"code": error.code, "field": error.field, "text": error.text(language)} if error else None,
        "fields": [_field(one, way, record, {} if isinstance(values, NaveError) else values) for way in one.ways],
        "unread": sorted(one.mapping.unread([record])),
    }


def _field(one: Chosen, way: Any, record: Record, values: Mapping[str, Any]) -> dict[str, Any]:
    hidden = way.target.partition(".")[0].partition("[")[0] in one.sensitive
    sources = {path: values_at(record, path) for path in way.sources if path != "*"}
    found = values_at(values, way.target) if way.target not in ("key", "version", "changed_at") else []
    return {
        "target": way.target,
        "expression": way.text,
        "sources": {path: [MASK] if hidden else _plain(there) for path, there in sources.items()},
        "values": [MASK] if hidden and found else _plain(found),
    }


def _plain(values: Sequence[Any]) -> list[str | None]:
    return [canonical(value) for value in values]


def _lines(tried: Sequence[Mapping[str, Any]], page: Page) -> Iterator[str]:
    if not tried:
        yield page.words("map.no_records")
    for place, one in enumerate(tried, 1):
        if place > 1:
            yield ""
        yield page.style(f"{place}  {one['key'] or '-'}", "bold")
        if one["error"]:
            said = f"{one['error']['code']} {one['error']['field'] or ''}: {one['error']['text']}"
            yield f"  {page.style('FAIL', 'bad')}  {said}"
        columns = page.columns(
            "map", "target", "read", "expression", "gave", elastic="read expression gave", spare="expression"
        )
        yield from page.table(columns, [_row(field) for field in one["fields"]])
        if one["unread"]:
            yield page.style(page.words("map.unread", fields=", ".join(one["unread"])), "dim")


def _row(field: Mapping[str, Any]) -> tuple[str, str, str, str]:
    read = "; ".join(f"{path}={_joined(values)}" for path, values in field["sources"].items())
    return field["target"], read, field["expression"], _joined(field["values"])


def _joined(values: Sequence[str | None]) -> str:
    return ", ".join("-" if value is None else value for value in values[:5]) + (", ..." if len(values) > 5 else "")
