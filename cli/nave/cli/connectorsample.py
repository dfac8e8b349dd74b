"""`nave connector sample SYSTEM.SOURCE`: the first raw records of a source, as they are over there; nothing is landed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any

from nave.cli import exits
from nave.cli.cells import printable
from nave.cli.failures import Stop
from nave.cli.hubs import known, read
from nave.cli.session import Session
from nave.config import HubConfig, SourceConfig
from nave.core.protocols import Raw, Refused, Setting


def sample(session: Session, source: str, count: int) -> int:
    """Show at most `count` records; 2 where the connector cannot look without taking."""
    config = read(session).partial
    chosen = config.sources[known(source, config.sources, "NAVE-E202")]
    records, refused = _first(config, chosen, count)
    told = [{"place": one.place[0], "reason": one.error.text(session.language)} for one in refused]
    session.answer({"source": source, "records": records, "refused": told}, _lines(session, source, records, told))
    return exits.PROBLEM if refused and not records else exits.FINE


def _first(config: HubConfig, source: SourceConfig, count: int) -> tuple[list[Raw], list[Refused]]:
    """The first records, and those among them that could not be read."""
    connection = source.connection
    if connection.spec.look is None:
        raise Stop(exits.USAGE, "NAVE-K382", name=source.name, type=connection.type)
    setting = Setting(source.name, config.folder, config.systems[source.system].time_zone)
    records: list[Raw] = []
    refused: list[Refused] = []
    with connection.spec.look(connection.options, source.options, setting) as looking:
        reading: Any = looking.read(None)
        with closing(reading):
            for batch in reading:
                records += batch.records
                refused += batch.refused
                if len(records) + len(refused) >= count:
                    break
    return records[:count], refused[: max(0, count - len(records))]


def _lines(session: Session, source: str, records: Sequence[Raw], refused: Sequence[dict[str, Any]]) -> Iterator[str]:
    for record in records:
        text = json.dumps(record, ensure_ascii=False, indent=2, default=str)
        yield from (printable(line) for line in text.splitlines())
    if not records and not refused:
        yield session.words("sample.none", source=source)
    if refused:
        yield session.words("sample.refused", count=len(refused), reason=printable(refused[0]["reason"]))
