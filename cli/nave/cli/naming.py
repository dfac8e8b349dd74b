"""Names of source records as people type them: `customer/erp:C-001`, or `customer/C-001` where one system has that key."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from nave.cli import exits
from nave.cli.failures import Stop
from nave.cli.records import near, split
from nave.config import HubConfig
from nave.core.identity import Name
from nave.core.store import Transaction
from nave.core.store import schema as t


def the_records(tx: Transaction, config: HubConfig, texts: Sequence[str]) -> tuple[str, list[Name]]:
    """The entity and the source records; the first names the entity, the others may."""
    entity, first = split(texts[0], config.entities)
    return entity, [the_record(tx, entity, one) for one in (first, *(_bare(entity, text) for text in texts[1:]))]


def _bare(entity: str, text: str) -> str:
    return text.removeprefix(f"{entity}/")


def the_record(tx: Transaction, entity: str, text: str) -> Name:
    """The source record of `SYSTEM:KEY` or of a key that one system has; a Stop where there is none, or several."""
    text = _bare(entity, text)
    found = sorted(_with_key(tx, entity, text) | _with_system(tx, entity, text))
    if not found:
        key = text.partition(":")[2] or text
        raise Stop(exits.PROBLEM, "NAVE-E100", entity=entity, name=text[:80], near=", ".join(near(tx, entity, key)) or "-")
    if len(found) > 1:
        raise Stop(exits.USAGE, "NAVE-E101", entity=entity, name=text[:80], names=", ".join(map(shown, found)))
    return found[0]


def _with_key(tx: Transaction, entity: str, key: str) -> set[Name]:
    s = t.source_record.c
    return {(row[0], row[1]) for row in tx.rows(sa.select(s.system, s.key).where(s.entity == entity, s.key == key))}


def _with_system(tx: Transaction, entity: str, text: str) -> set[Name]:
    s = t.source_record.c
    system, colon, key = text.partition(":")
    mine = sa.select(s.system, s.key).where(s.entity == entity, s.system == system, s.key == key)
    return {(row[0], row[1]) for row in tx.rows(mine)} if colon else set()


def shown(name: Name) -> str:
    """As it is typed."""
    return ":".join(name)
