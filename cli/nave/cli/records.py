"""Finds the golden records that a person means: `customer/C001`, a key with slashes and dots in it, or an id."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from nave.cli import exits, moments
from nave.cli.failures import Stop, WrongUsage
from nave.cli.hubs import known
from nave.config import HubConfig
from nave.core.clock import id_text
from nave.core.store import Transaction
from nave.core.store import schema as t
from nave.core.views import Golden, find, find_named, goldens

MASK = "***"
_MOST_NEAR = 5


def split(what: str, entities: Mapping[str, object]) -> tuple[str, str]:
    """Entity and key; the key may hold slashes."""
    entity, slash, key = what.partition("/")
    if not slash or not key:
        raise WrongUsage("usage.record", what=what[:80])
    return known(entity, entities, "NAVE-E203"), key


def found(tx: Transaction, entity: str, key: str) -> list[Golden]:
    """The golden records known by this key or `SYSTEM:KEY`; a Stop that names keys which hold it where there are none."""
    records = find_named(tx, entity, key)
    if not records:
        raise Stop(exits.PROBLEM, "NAVE-E204", entity=entity, key=key[:80], near=", ".join(near(tx, entity, key)) or "-")
    return records


def near(tx: Transaction, entity: str, key: str) -> list[str]:
    """Some keys of the entity that hold the text."""
    s = t.source_record.c
    holding = sa.select(s.key).where(s.entity == entity, s.key.contains(key, autoescape=True)).distinct()
    return [row[0] for row in tx.rows(holding.order_by(s.key).limit(_MOST_NEAR))]


def by_id(tx: Transaction, number: int) -> list[Golden]:
    """The golden record with this id, whatever its entity is; redirects followed."""
    rows = tx.rows(sa.select(t.record.c.entity).where(t.record.c.id == number))
    return find(tx, rows[0][0], id_text(number)) if rows else []


def by_key(tx: Transaction, key: str) -> list[Golden]:
    """All golden records that some system knows by this key, or by this `SYSTEM:KEY`, of any entity."""
    s = t.source_record.c
    system, colon, own = key.partition(":")
    named = sa.and_(s.system == system, s.key == own) if colon else sa.false()
    rows = tx.rows(sa.select(s.entity).where(sa.or_(s.key == key, named)).distinct())
    return [golden for entity in sorted({row[0] for row in rows}) for golden in find_named(tx, entity, key)]


def name_of(golden: Golden) -> str:
    """`customer/C001`: the entity with the first key it is known by, else with its id."""
    return f"{golden.entity}/{golden.keys[0].key if golden.keys else id_text(golden.id)}"


def masked(golden: Golden, config: HubConfig) -> dict[str, Any]:
    """The document, without what the company has declared sensitive."""
    rules = config.entities.get(golden.entity)
    hidden = rules.sensitive if rules else frozenset[str]()
    return {
        name: MASK if name in hidden else golden.document[name] for name in in_order(golden.entity, golden.document, config)
    }


def in_order(entity: str, fields: Iterable[str], config: HubConfig) -> list[str]:
    """Fields in the order in which the entity describes them."""
    rules = config.entities.get(entity)
    known = {name: place for place, name in enumerate(rules.entity.model.model_fields)} if rules else {}
    return sorted(fields, key=lambda name: (known.get(name, len(known)), name))


def names(tx: Transaction, record_ids: Sequence[int]) -> dict[int, str]:
    """`customer/C001` for each of these golden records."""
    of = t.record.c
    entities = tx.rows(sa.select(of.id, of.entity).where(tx.among(of.id, record_ids)))
    by_entity: dict[str, list[int]] = {}
    for number, entity in entities:
        by_entity.setdefault(entity, []).append(number)
    return {one.id: name_of(one) for entity, listed in by_entity.items() for one in goldens(tx, entity, listed)}


def identity(golden: Golden) -> dict[str, Any]:
    """What every answer about a golden record begins with."""
    return {
        "id": id_text(golden.id),
        "entity": golden.entity,
        "version": golden.version,
        "changed_at": moments.machine(golden.changed_at),
        "cause": golden.cause,
    }
