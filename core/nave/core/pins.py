"""Pins: values that a person has set, with reason and until when; each wins over every rule as long as it stands.

A pin belongs to a source record, by its name, so that it goes with it through merges and unmerges.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa
from pydantic import TypeAdapter, ValidationError

from nave.core.entities import EntityType, decode, encode
from nave.core.errors import PermanentError
from nave.core.identity import Name
from nave.core.repair import Actor, note
from nave.core.store import Query, Transaction
from nave.core.store import schema as t

EXPIRED = "nave"
"""Who took back a pin that ran out."""
_p = t.pin.c


class Pin(NamedTuple):
    """One value of one field, as a person wants it."""

    id: int
    entity: str
    system: str
    key: str
    field: str
    value: Any
    actor: str
    reason: str
    at: float
    until: float | None

    @property
    def name(self) -> Name:
        return self.system, self.key


Pinned = Mapping[Name, tuple[Pin, ...]]
"""By source record, what stands."""
_COLUMNS = tuple(Pin._fields)
_SELECTED = tuple(_p[name] for name in _COLUMNS)


def value_of(entity: EntityType, field: str, text: str) -> Any:
    """A value as a person types it, checked against the field's type, as plain JSON; NAVE-E117 where it does not fit.

    What the field does not take as text is read as JSON: lists, amounts, addresses.
    """
    checked = _adapter(entity, field)
    try:
        return _plain(checked, text)
    except ValidationError as error:
        try:
            return _plain(checked, msgspec.json.decode(text))
        except msgspec.DecodeError:
            first = error
        except ValidationError as other:
            first = other
    reason = first.errors(include_url=False, include_context=False)[0]["msg"]
    raise PermanentError("NAVE-E117", field=field, name=field, value=text[:80], reason=reason)


def _adapter(entity: EntityType, field: str) -> TypeAdapter[Any]:
    info = entity.model.model_fields[field]
    return TypeAdapter(info.rebuild_annotation())


def _plain(checked: TypeAdapter[Any], value: Any) -> Any:
    typed = checked.validate_python(value)
    plain = checked.dump_python(typed, exclude_none=True)
    return decode(encode({"value": plain}))["value"]


def put(tx: Transaction, pin: Pin, actor: Actor) -> int:
    """Write a pin down (its `id` is given here) and into the audit; the record is to be resolved again by the caller."""
    number = actor.ids.take()[0]
    row = pin._replace(id=number, value=_text(pin.value))
    tx.insert(t.pin, _COLUMNS, [tuple(row)])
    detail = {"field": pin.field, "value": pin.value, "reason": pin.reason, "until": pin.until}
    note(tx, actor, "pin.set", f"{pin.entity}/{pin.key}", {**detail, "system": pin.system, "pin": number})
    return number


def take_back(tx: Transaction, number: int, actor: Actor) -> Pin | None:
    """End a pin by name; None where no such pin stands. The record is to be resolved again by the caller."""
    found = [one for one in standing(tx) if one.id == number]
    if not found:
        return None
    _end(tx, found, actor.name, actor.clock())
    note(tx, actor, "pin.undone", f"{found[0].entity}/{found[0].key}", {"field": found[0].field, "pin": number})
    return found[0]


def run_out(tx: Transaction, actor: Actor) -> dict[str, list[Name]]:
    """End the pins whose time is over; the source records, by entity, that are to be resolved again."""
    now = actor.clock()
    over = _rows(tx, sa.select(*_SELECTED).where(_p.undone_at.is_(None), _p.until <= now))
    _end(tx, over, EXPIRED, now)
    found: dict[str, list[Name]] = defaultdict(list)
    for one in over:
        note(tx, actor, "pin.expired", f"{one.entity}/{one.key}", {"field": one.field, "pin": one.id})
        found[one.entity].append(one.name)
    return found


def any_over(tx: Transaction, now: float) -> bool:
    """Whether `run_out` has anything to do."""
    return bool(tx.rows(sa.select(_p.id).where(_p.undone_at.is_(None), _p.until <= now).limit(1)))


def _end(tx: Transaction, pins: Iterable[Pin], by: str, now: float) -> None:
    numbers = [one.id for one in pins]
    if numbers:
        tx.execute(sa.update(t.pin).where(tx.among(_p.id, numbers)).values(undone_by=by, undone_at=now))


def standing(tx: Transaction, limit: int | None = None) -> list[Pin]:
    """All pins that stand, the newest first."""
    return _rows(tx, sa.select(*_SELECTED).where(_p.undone_at.is_(None)).order_by(_p.at.desc(), _p.id.desc()).limit(limit))


_ANY = Query(lambda _: sa.select(_p.id).where(_p.entity == sa.bindparam("entity"), _p.undone_at.is_(None)).limit(1))


def of_records(tx: Transaction, entity: str, names: Iterable[Name], now: float) -> Pinned:
    """What stands of these source records, by name; a hub without pins pays one look."""
    if not tx.run(_ANY, entity=entity):
        return {}
    wanted = set(names)
    mine = (_p.entity == entity, _p.undone_at.is_(None), tx.among(_p.key, sorted({key for _, key in wanted})))
    over = sa.or_(_p.until.is_(None), _p.until > now)
    found: dict[Name, tuple[Pin, ...]] = {}
    for one in _rows(tx, sa.select(*_SELECTED).where(*mine, over).order_by(_p.at, _p.id)):
        if one.name in wanted:
            found[one.name] = (*found.get(one.name, ()), one)
    return found


def by_field(pinned: Pinned, names: Iterable[Name]) -> dict[str, Pin]:
    """The pin that counts for each field of a golden record of these source records: the newest."""
    pins = sorted((one for name in names for one in pinned.get(name, ())), key=lambda one: (one.at, one.id))
    return {one.field: one for one in pins}


def values(pinned: Pinned, names: Iterable[Name]) -> dict[str, Any]:
    """The pinned values of a golden record of these source records."""
    return {name: one.value for name, one in by_field(pinned, names).items()} if pinned else {}


def _rows(tx: Transaction, statement: sa.Select[Any]) -> list[Pin]:
    return [Pin._make([*row[:5], msgspec.json.decode(row[5]), *row[6:]]) for row in tx.rows(statement)]


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
