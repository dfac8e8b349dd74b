"""`nave why`: which system each value of a golden record comes from, by which rule, and whom it beat."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nave.cli import exits, moments
from nave.cli.failures import Stop
from nave.cli.hubs import nearest, opened_hub
from nave.cli.page import Page
from nave.cli.records import MASK, found, identity, in_order, split
from nave.cli.said import Said, Ways
from nave.cli.session import Session
from nave.cli.show import plain
from nave.config import HubConfig
from nave.core.clock import id_text
from nave.core.merge import Contribution
from nave.core.origins import Told, Why
from nave.core.origins import why as lineage_of
from nave.core.pins import Pin
from nave.core.reasons import Lineage, Lost
from nave.core.store import Transaction
from nave.core.views import Golden, called, find_named
from nave.workers.flows import Hub


def _nowhere(source: str, field: str) -> Said | None:
    return None


@dataclass(frozen=True)
class Reasons:
    """Why a golden record is as it is."""

    golden: Golden
    fields: Sequence[Lineage]
    whole: Why
    hidden: frozenset[str]
    places: Callable[[str, str], Said | None] = _nowhere
    """By source and field: where its mapping says how the field is filled."""

    def told(self, one: Contribution) -> Told:
        """Where a contribution came from."""
        return self.whole.told[one.system, one.key]


def why(session: Session, *, what: str) -> None:
    """Explain one field, or all of them."""
    with opened_hub(session) as (config, hub), hub.store.read() as tx:
        entity, rest = split(what, config.entities)
        key, field = field_of(tx, entity, rest, config)
        reasons = explained(tx, hub, config, only_one(found(tx, entity, key), key), field)
    name = f"{entity}/{key}"
    session.answer(as_data(reasons), reason_lines(reasons, name, session.page), rows="fields")


def asked(hub: Hub, config: HubConfig) -> Callable[[str, str, str | None], dict[str, Any]]:
    """What the door answers to the same question."""

    def answer(entity: str, key: str, field: str | None) -> dict[str, Any]:
        with hub.store.read() as tx:
            name, key = split(f"{entity}/{key}", config.entities)
            fields = config.entities[name].entity.model.model_fields
            if field is not None and field not in fields:
                raise Stop(exits.USAGE, "NAVE-E205", entity=name, name=field[:80], near=nearest(field, list(fields)))
            return as_data(explained(tx, hub, config, only_one(found(tx, name, key), key), field))

    return answer


def as_data(reasons: Reasons) -> dict[str, Any]:
    """For machines."""
    return {**identity(reasons.golden), "fields": [_data(one, reasons) for one in reasons.fields]}


def explained(tx: Transaction, hub: Hub, config: HubConfig, golden: Golden, field: str | None) -> Reasons:
    """The reasons for one field of a golden record, or for all."""
    whole = lineage_of(tx, hub.entities[golden.entity], golden.id, hub.clock())
    by_name = {one.field: one for one in whole.fields if field in (None, one.field)}
    chosen = [by_name[name] for name in in_order(golden.entity, by_name, config)]
    return Reasons(golden, chosen, whole, config.entities[golden.entity].sensitive, Ways(config).said)


def field_of(tx: Transaction, entity: str, rest: str, config: HubConfig) -> tuple[str, str | None]:
    """Key and field; what stands behind the last dot is a field only if the entity has it, and no key is called so."""
    key, dot, field = rest.rpartition(".")
    if not dot or not key:
        return rest, None
    if field in config.entities[entity].entity.model.model_fields:
        return (rest, None) if not find_named(tx, entity, key) and find_named(tx, entity, rest) else (key, field)
    if find_named(tx, entity, rest) or not find_named(tx, entity, key):
        return rest, None
    fields = list(config.entities[entity].entity.model.model_fields)
    raise Stop(exits.USAGE, "NAVE-E205", entity=entity, name=field[:80], near=nearest(field, fields))


def only_one(records: Sequence[Golden], key: str = "") -> Golden:
    """The record, or a Stop with what else the key may mean."""
    if len(records) > 1:
        listed = ", ".join(f"{one.entity}/{name}" for one in records for name in called(one, key))
        raise Stop(exits.USAGE, "NAVE-E210", count=len(records), ids=listed)
    return records[0]


def _data(one: Lineage, reasons: Reasons) -> dict[str, Any]:
    pin = reasons.whole.pins.get(one.field)
    return {
        "field": one.field,
        "value": _value(one.field, one.value, reasons),
        "since": moments.machine(reasons.whole.since.get(one.field)),
        "rule": list(one.rule) if isinstance(one.rule, tuple) else one.rule,
        "group": one.group,
        "pinned": _pin_data(pin) if pin else None,
        "winners": [_contribution(one, each, reasons) for each in one.winners],
        "losers": [
            {
                **_contribution(one, lost.contribution, reasons),
                "value": _value(one.field, lost.value, reasons),
                "reason": lost.reason,
            }
            for lost in one.losers
        ],
        "items": [
            {"value": _value(one.field, item.value, reasons), "by": [f"{by.system}/{by.key}" for by in item.by]}
            for item in one.items
        ],
    }


def _pin_data(pin: Pin) -> dict[str, Any]:
    return {
        "id": id_text(pin.id),
        "actor": pin.actor,
        "reason": pin.reason,
        "at": moments.machine(pin.at),
        "until": moments.machine(pin.until),
    }


def _contribution(field: Lineage, one: Contribution, reasons: Reasons) -> dict[str, Any]:
    told = reasons.told(one)
    return {
        "system": one.system,
        "key": one.key,
        "value": _value(field.field, one.document.get(field.field), reasons),
        "source": told.source,
        "message": told.trace,
        "journal": told.journal_id,
        "origin": {name: value for name, value in told.origin.items() if name != "events"},
        "place": told.place[0] if told.place else None,
        "mapping": told.mapping,
        "way": way.as_data() if (way := reasons.places(told.source, field.field)) else None,
        "changed_at": moments.machine(one.when([field.field])),
        "landed_at": moments.machine(told.landed_at),
    }


def _value(name: str, value: Any, reasons: Reasons) -> Any:
    return MASK if name in reasons.hidden and value is not None else value


def reason_lines(reasons: Reasons, name: str, page: Page) -> Iterator[str]:
    """For people: each field with its value, the rule, the winner and those it beat."""
    for place, one in enumerate(reasons.fields):
        if place:
            yield ""
        value = plain(_value(one.field, one.value, reasons))
        yield f"{page.style(f'{name}.{one.field}', 'bold')} = {next(iter(page.pairs([('', value)], indent=-2)), '').strip()}"
        pairs = [(page.words("why.rule"), _rule(one, page))]
        pairs += _pinned(one, reasons, page)
        pairs += [(page.words("why.won") if not n else "", _origin(w, reasons, page)) for n, w in enumerate(one.winners)]
        pairs += [(page.words("why.way") if not n else "", text) for n, text in enumerate(_ways(one, reasons))]
        pairs += [(page.words("why.items") if not n else "", text) for n, text in enumerate(_items(one, reasons))]
        pairs += [(page.words("why.lost") if not n else "", _loser(one, w, reasons, page)) for n, w in enumerate(one.losers)]
        since = reasons.whole.since.get(one.field)
        pairs += [(page.words("why.since"), page.at(since))] if since is not None else []
        yield from page.pairs(pairs)
    if not reasons.fields:
        yield page.words("why.nothing")


def _rule(one: Lineage, page: Page) -> str:
    systems = ", ".join(one.rule) if isinstance(one.rule, tuple) else ""
    rule = page.words("why.trust", systems=systems) if systems else page.words(f"why.{one.rule}")
    return page.words("why.group", name=one.group, rule=rule) if one.group else rule


def _pinned(one: Lineage, reasons: Reasons, page: Page) -> list[tuple[str, str]]:
    pin = reasons.whole.pins.get(one.field)
    if pin is None:
        return []
    until = page.at(pin.until) if pin.until is not None else page.words("pin.for_good")
    said = page.words("why.pinned_by", actor=pin.actor, at=page.at(pin.at), until=until, reason=pin.reason)
    return [(page.words("why.pin"), f"{said}  ({id_text(pin.id)})")]


def _items(one: Lineage, reasons: Reasons) -> list[str]:
    """Of a union: each item, and who brought it."""
    return [
        f"{plain(_value(one.field, item.value, reasons))}: {', '.join(f'{by.system}/{by.key}' for by in item.by)}"
        for item in one.items
    ]


def _origin(one: Contribution, reasons: Reasons, page: Page) -> str:
    """Where a value came from: system and key, file and place, when, by which mapping."""
    told = reasons.told(one)
    place = place_text(told.origin, told.place, page).removeprefix(f"{told.source}, ")
    parts = [f"{one.system}/{one.key}", told.source, place]
    parts.append(page.words("why.changed", at=page.at(one.changed_at)))
    if told.mapping:
        parts.append(page.words("why.mapping", hash=told.mapping[:8]))
    return ", ".join(part for part in parts if part)


def _ways(one: Lineage, reasons: Reasons) -> list[str]:
    """`mappings/erp/customer.yaml:9  CUST_NAME | squeeze`, for each winner."""
    found = [reasons.places(reasons.told(each).source, one.field) for each in one.winners]
    return list(dict.fromkeys(f"{said.file}:{said.line}  {said.expression}" for said in found if said))


def place_text(origin: Mapping[str, Any], place: Sequence[int | None] | None, page: Page) -> str:
    """`orders_1.xml, element 12`, `day.zip, a.csv, line 3`; empty where nothing is known."""
    file = next((str(origin[name]) for name in ("file", "table", "sheet") if origin.get(name)), "")
    member = str(origin.get("member", ""))
    unit = str(origin.get("unit", ""))
    number = ""
    if place and place[0] is not None and unit:
        known = page.words.known(f"place.{unit}")
        number = page.words(f"place.{unit}", number=f"{place[0]:,}") if known else f"{unit} {place[0]:,}"
    return ", ".join(part for part in (Path(file).name, member, number) if part)


def _loser(field: Lineage, lost: Lost, reasons: Reasons, page: Page) -> str:
    one = lost.contribution
    at = page.at(one.when([field.field]))
    shown = plain(_value(field.field, lost.value, reasons))
    return f"{one.system}/{one.key}: {shown}  ({page.words(f'why.{lost.reason}', at=at)})"
