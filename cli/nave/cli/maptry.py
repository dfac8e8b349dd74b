"""`nave map try`: what a mapping makes of records, and the way of each field from the values it read to the one it gave."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from nave.cli import exits
from nave.cli.hubs import compiled_hub, find_folder
from nave.cli.mapped import Chosen, Record, chosen, records_to_try
from nave.cli.page import Page
from nave.cli.session import Session
from nave.cli.watching import again
from nave.config.problems import MASK
from nave.core.entities import EntityType
from nave.core.errors import NaveError
from nave.core.snapshots import Deleted
from nave.mappings import Inbound, Mapped, OutboundMapping, Part, Way, values_at
from nave.mappings.cases import canonical
from nave.mappings.lineage import unread


def try_mapping(session: Session, *, mapping: str, file: Path | None, last: int | None, watch: bool) -> int:
    """Run a mapping on some records and store nothing; 4 if one was refused. With `watch`, again after each change."""
    once = partial(_once, session, mapping, file, last)
    return again(session, find_folder(session), once) if watch else once()


def _once(session: Session, mapping: str, file: Path | None, last: int | None) -> int:
    config, compiled = compiled_hub(session)
    one = chosen(config, compiled, mapping)
    records = records_to_try(session, config, one, file, last)
    tried = [each for record in records for each in _with_parts(one, record, session.language)]
    session.answer({"mapping": mapping, "records": tried}, _lines(tried, session.page), rows="records")
    return exits.PARTLY if any(each["error"] for each in tried) else exits.FINE


def _with_parts(one: Chosen, record: Record, language: str) -> Iterator[dict[str, Any]]:
    """What becomes of a record, and then of each record of another entity that it holds."""
    used = one.mapping.used.union(*(part.mapping.used for part in one.parts))
    outcome = _tried(one.mapping, one.entity, one.ways, one.sensitive, record, language)
    yield {**outcome, "part": None, "unread": sorted(unread([record], used))}
    for part in one.parts:
        for raw in part.mapping.split(record):
            seen = _tried(part.mapping, part.mapping.entity, part.ways, part.sensitive, raw, language)
            yield {**seen, "part": part.mapping.part, "unread": []}


def _tried(
    mapping: Inbound | OutboundMapping,
    entity: EntityType,
    ways: Sequence[Way],
    sensitive: frozenset[str],
    record: Record,
    language: str,
) -> dict[str, Any]:
    outcome: Any = (mapping.run_wanted if isinstance(mapping, Part) else mapping.run)([record])[0]
    became = "left_out" if outcome is None else "deleted" if isinstance(outcome, Deleted) else "mapped"
    key = getattr(outcome, "key", None)
    found = outcome.values if isinstance(outcome, Mapped) else outcome if isinstance(outcome, dict) else {}
    if isinstance(outcome, Mapped):
        outcome = entity.validate([outcome.values])[0]
    error = outcome if isinstance(outcome, NaveError) else None
    read = partial(mapping.read, record) if isinstance(mapping, Part) else partial(values_at, record)
    return {
        "key": key,
        "outcome": "refused" if error else became,
        "error": {"code": error.code, "field": error.field, "text": error.text(language)} if error else None,
        "fields": [_field(sensitive, way, read, found) for way in ways],
    }


def _field(
    sensitive: frozenset[str], way: Way, read: Callable[[str], list[Any]], values: Mapping[str, Any]
) -> dict[str, Any]:
    hidden = way.target.partition(".")[0].partition("[")[0] in sensitive
    sources = {path: read(path) for path in way.sources if path != "*"}
    found = values_at(values, way.target) if way.target not in ("key", "version", "changed_at") else []
    return {
        "target": way.target,
        "expression": way.text,
        "sources": {path: [MASK] if hidden else _plain(there) for path, there in sources.items()},
        "values": [MASK] if hidden and found else _plain(found),
    }


def _plain(values: Sequence[Any]) -> list[str | None]:
    return [canonical(value) for value in values]


_NOTHING = ("left_out", "deleted")


def _lines(tried: Sequence[Mapping[str, Any]], page: Page) -> Iterator[str]:
    if not tried:
        yield page.words("map.no_records")
    for place, one in enumerate(tried, 1):
        if place > 1:
            yield ""
        name = f"{one['part']}  {one['key'] or '-'}" if one["part"] else one["key"] or "-"
        yield page.style(f"{place}  {name}", "bold")
        if one["error"]:
            said = f"{one['error']['code']} {one['error']['field'] or ''}: {one['error']['text']}"
            yield f"  {page.style('FAIL', 'bad')}  {said}"
        if one["outcome"] in _NOTHING:
            outcome = page.words(f"map.{one['outcome']}")
            yield f"  {outcome}"
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
