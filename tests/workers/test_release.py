"""A code that is added to a table lets exactly the records go that waited for it, at the next start, dates respected."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from nave.core.entities import shipped
from nave.core.store import Store
from nave.core.store import schema as t
from nave.mappings import MappingSpec, ValueTable, compile_inbound
from nave.workers.flows import SourceFlow
from nave.workers.release import release_step
from tests.workers.world import World, rules, world

SOURCE = "erp.customers"
MAPPING = {
    "mapping": "m",
    "from": SOURCE,
    "to": "customer",
    "key": "K",
    "fields": {"name": "NAME", "region": {"from": "AREA", "table": "region", "at": "DAY | date"}},
}
KNOWN = {"from": "1", "to": "CN-SH", "valid_from": "2020-01-01"}


def flow(hub: World, rows: list[dict[str, str]]) -> World:
    mapping = compile_inbound(
        MappingSpec.model_validate(MAPPING),
        shipped()["customer"],
        system="erp",
        time_zone=ZoneInfo("UTC"),
        tables={"region": ValueTable.from_rows("region", rows)},
    )
    return hub.rebuilt(sources={SOURCE: SourceFlow(SOURCE, "erp", hub.hub.entities["customer"], mapping)})


def customer(key: str, area: str, day: str = "2026-11-21", **values: Any) -> dict[str, Any]:
    return {"K": key, "NAME": key, "AREA": area, "DAY": day, **values}


@pytest.fixture
def waiting(store: Store) -> World:
    hub = flow(world(store, [rules("customer")], []), [KNOWN])
    records = [
        customer("A", "1"),
        customer("B", "2"),
        customer("C", "2", "2019-05-05"),
        customer("D", "3"),
        customer("E", "1", "x"),
    ]
    hub.take(SOURCE, *records)
    assert [row.key for row in hub.letters()] == ["B", "C", "D", "E"]
    return hub


def test_exactly_those_go_whose_code_is_there_on_their_day(waiting: World) -> None:
    taught = flow(waiting, [KNOWN, {"from": "2", "to": "CN-NB", "valid_from": "2020-01-01"}])

    released = release_step(taught.hub)
    taught.apply()

    assert released == 1
    assert taught.golden("customer", "erp", "B")["region"] == "CN-NB"
    assert [row.key for row in taught.letters()] == ["C", "D", "E"]
    assert taught.books()[SOURCE].balanced
    by = taught.rows(sa.select(t.dead_letter.c.settled_by).where(t.dead_letter.c.state == t.Letter.REPLAYED))
    assert [row[0] for row in by] == ["nave"]


def test_nothing_goes_twice_and_nothing_goes_without_a_reason(waiting: World) -> None:
    assert release_step(waiting.hub) == 0
    taught = flow(waiting, [KNOWN, {"from": "2", "to": "CN-NB"}, {"from": "3", "to": "CN-HZ", "valid_from": "2020-01-01"}])

    assert (release_step(taught.hub), release_step(taught.hub)) == (3, 0)
    taught.apply()

    assert [row.key for row in taught.letters()] == ["E"], "a wrong day is not a matter of the table"
    assert taught.books()[SOURCE].balanced


def test_a_letter_of_a_source_that_is_gone_stays(waiting: World) -> None:
    assert release_step(waiting.rebuilt(sources={}).hub) == 0
    assert len(waiting.letters()) == 4
