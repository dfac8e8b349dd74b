"""`nave pin` and `nave unpin`: set a value of a golden record by hand, see what is set, and take it back."""

from __future__ import annotations

import getpass
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from nave.cli import exits, moments
from nave.cli.failures import Stop, WrongUsage
from nave.cli.hubs import opened_hub, opened_store
from nave.cli.page import Page
from nave.cli.records import MASK, found, split
from nave.cli.session import Session
from nave.cli.show import plain
from nave.cli.why import field_of, only_one
from nave.config import HubConfig
from nave.core import pins
from nave.core.clock import id_number, id_text
from nave.core.errors import NaveError
from nave.core.identity import Name
from nave.core.pins import Pin
from nave.core.repair import Actor
from nave.core.resolve import resolve
from nave.core.store import Transaction
from nave.core.views import Golden
from nave.workers.flows import Hub

_LIST = "list"


def pin(
    session: Session, *, what: str, value: str | None, reason: str | None, until: datetime | None, actor: str | None
) -> None:
    """Pin a value, or list the pins that stand."""
    if value is None:
        if what != _LIST:
            raise WrongUsage("usage.pin")
        _list(session)
        return
    if not reason:
        raise WrongUsage("usage.pin_reason")
    with opened_hub(session) as (config, hub), hub.store.write() as tx:
        done = _pinned(tx, config, hub, what, value, reason, until, actor or getpass.getuser())
        sinks = resolve(tx, hub.entities[done.entity], [done.name], cause="pin", now=hub.clock(), ids=hub.ids)
        data = _data(done, config)
        hub.hints.announce(sinks)
    session.answer({"pin": data}, [session.words("pin.done", **_told(done, config, session.page))])


def _pinned(
    tx: Transaction,
    config: HubConfig,
    hub: Hub,
    what: str,
    value: str,
    reason: str,
    until: datetime | None,
    actor: str,
) -> Pin:
    entity, rest = split(what, config.entities)
    key, field = field_of(tx, entity, rest, config)
    if field is None:
        raise WrongUsage("usage.pin")
    name = _name(only_one(found(tx, entity, key)), key)
    try:
        checked = pins.value_of(config.entities[entity].entity, field, value)
    except NaveError as error:
        raise Stop(exits.USAGE, error.code, field=None, **error.params) from error
    who = Actor(actor, hub.clock, hub.ids)
    one = Pin(0, entity, *name, field, checked, actor, reason, hub.clock(), _end_of(until))
    return one._replace(id=pins.put(tx, one, who))


def _name(golden: Golden, key: str) -> Name:
    """The source record that the pin is put on: the one that was named, else the first of the golden record."""
    named = next((one for one in golden.keys if one.key == key), golden.keys[0])
    return named.system, named.key


def _end_of(day: datetime | None) -> float | None:
    """When a day is over, where this machine is."""
    return (day + timedelta(days=1)).astimezone().timestamp() if day else None


def unpin(session: Session, *, number: str, actor: str | None) -> None:
    """Take a pin back."""
    with opened_hub(session) as (config, hub), hub.store.write() as tx:
        one = pins.take_back(tx, id_number(number) or 0, Actor(actor or getpass.getuser(), hub.clock, hub.ids))
        if one is None:
            raise Stop(exits.PROBLEM, "NAVE-E118", id=number[:20])
        sinks = resolve(tx, hub.entities[one.entity], [one.name], cause="unpin", now=hub.clock(), ids=hub.ids)
        data = _data(one, config)
        hub.hints.announce(sinks)
    session.answer({"pin": data}, [session.words("pin.undone", **_told(one, config, session.page))])


def _list(session: Session) -> None:
    with opened_store(session) as (config, store), store.read() as tx:
        standing = pins.standing(tx)
    session.answer({"pins": [_data(one, config) for one in standing]}, _lines(standing, config, session.page), rows="pins")


def _lines(standing: Sequence[Pin], config: HubConfig, page: Page) -> Iterator[str]:
    if not standing:
        yield page.words("pin.none")
        return
    columns = page.columns("pin", "id", "field", "value", "actor", "at", "until", "reason", elastic="reason", spare="at")
    rows: list[Any] = [
        (id_text(one.id), told["field"], told["value"], one.actor, page.at(one.at), told["until"], one.reason)
        for one in standing
        for told in [_told(one, config, page)]
    ]
    yield from page.table(columns, rows)


def _shown(one: Pin, config: HubConfig) -> Any:
    rules = config.entities.get(one.entity)
    return MASK if rules and one.field in rules.sensitive else one.value


def _told(one: Pin, config: HubConfig, page: Page) -> dict[str, str]:
    until = page.at(one.until) if one.until is not None else page.words("pin.for_good")
    field = f"{one.entity}/{one.key}.{one.field}"
    return {"id": id_text(one.id), "field": field, "value": plain(_shown(one, config)), "until": until}


def _data(one: Pin, config: HubConfig) -> dict[str, Any]:
    return {
        "id": id_text(one.id),
        "entity": one.entity,
        "system": one.system,
        "key": one.key,
        "field": one.field,
        "value": _shown(one, config),
        "actor": one.actor,
        "reason": one.reason,
        "at": moments.machine(one.at),
        "until": moments.machine(one.until),
    }
