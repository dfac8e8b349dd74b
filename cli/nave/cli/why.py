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
from nave.core.merge import Contribution, Lineage
from nave.core.store import Transaction
from nave.core.views import Golden, Told, find
from nave.core.views import why as lineage_of
from nave.workers.flows import Hub

_Sources = Mapping[tuple[str, str], Told]


def _nowhere(source: str, field: str) -> Said | None:
    return None


@dataclass(frozen=True)
class Reasons:
    """Why a golden record is as it is."""

    golden: Golden
    fields: Sequence[Lineage]
    told: _Sources
    hidden: frozenset[str]
    places: Callable[[str, str], Said | None] = _nowhere
    """By source and field: where its mapping says how the field is filled."""


def why(session: Session, *, what: str) -> None:
    """Explain one field, or all of them."""
    with opened_hub(session) as (config, hub), hub.store.read() as tx:
        entity, rest = split(what, config.entities)
        key, field = _field(tx, entity, rest, config)
        reasons = explained(tx, hub, config, _one(found(tx, entity, key)), field)
    fields = [_data(one, reasons) for one in reasons.fields]
    name = f"{entity}/{key}"
    session.answer({**identity(reasons.golden), "fields": fields}, reason_lines(reasons, name, session.page), rows="fields")


def explained(tx: Transaction, hub: Hub, config: HubConfig, golden: Golden, field: str | None) -> Reasons:
    """The reasons for one field of a golden record, or for all."""
    fields, told = lineage_of(tx, hub.entities[golden.entity], golden.id)
    by_name = {one.field: one for one in fields if field in (None, one.field)}
    chosen = [by_name[name] for name in in_order(golden.entity, by_name, config)]
    return Reasons(golden, chosen, told, config.entities[golden.entity].sensitive, Ways(config).said)


def _field(tx: Transaction, entity: str, rest: str, config: HubConfig) -> tuple[str, str | None]:
    """Key and field; what stands behind the last dot is a field only if the entity has it, and no key is called so."""
    key, dot, field = rest.rpartition(".")
    if not dot or not key:
        return rest, None
    if field in config.entities[entity].entity.model.model_fields:
        return (rest, None) if not find(tx, entity, key) and find(tx, entity, rest) else (key, field)
    if find(tx, entity, rest) or not find(tx, entity, key):
        return rest, None
    fields = list(config.entities[entity].entity.model.model_fields)
    raise Stop(exits.USAGE, "NAVE-E205", entity=entity, name=field[:80], near=nearest(field, fields))


def _one(records: Sequence[Golden]) -> Golden:
    if len(records) > 1:
        listed = ", ".join(f"{one.entity}/{id_text(one.id)}" for one in records)
        raise Stop(exits.USAGE, "NAVE-E210", count=len(records), ids=listed)
    return records[0]


def _data(one: Lineage, reasons: Reasons) -> dict[str, Any]:
    return {
        "field": one.field,
        "value": _value(one.field, one.value, reasons),
        "rule": list(one.rule) if isinstance(one.rule, tuple) else one.rule,
        "winners": [_contribution(one, each, reasons) for each in one.winners],
        "losers": [_contribution(one, each, reasons) for each in one.losers],
    }


def _contribution(field: Lineage, one: Contribution, reasons: Reasons) -> dict[str, Any]:
    told = reasons.told[one.system, one.key]
    return {
        "system": one.system,
        "key": one.key,
        "value": _value(field.field, one.document.get(field.field), reasons),
        "source": told.source,
        "origin": {name: value for name, value in told.origin.items() if name != "events"},
        "place": told.place[0] if told.place else None,
        "mapping": told.mapping,
        "way": way.as_data() if (way := reasons.places(told.source, field.field)) else None,
        "changed_at": moments.machine(one.changed_at),
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
        pairs += [(page.words("why.won") if not n else "", _origin(w, reasons, page)) for n, w in enumerate(one.winners)]
        pairs += [(page.words("why.way") if not n else "", text) for n, text in enumerate(_ways(one, reasons))]
        pairs += [(page.words("why.lost") if not n else "", _loser(one, w, reasons, page)) for n, w in enumerate(one.losers)]
        yield from page.pairs(pairs)
    if not reasons.fields:
        yield page.words("why.nothing")


def _rule(one: Lineage, page: Page) -> str:
    if isinstance(one.rule, tuple):
        return page.words("why.trust", systems=", ".join(one.rule))
    return page.words(f"why.{one.rule}")


def _origin(one: Contribution, reasons: Reasons, page: Page) -> str:
    """Where a value came from: system and key, file and place, when, by which mapping."""
    told = reasons.told[one.system, one.key]
    place = place_text(told.origin, told.place, page).removeprefix(f"{told.source}, ")
    parts = [f"{one.system}/{one.key}", told.source, place]
    parts.append(page.words("why.changed", at=page.at(one.changed_at)))
    if told.mapping:
        parts.append(page.words("why.mapping", hash=told.mapping[:8]))
    return ", ".join(part for part in parts if part)


def _ways(one: Lineage, reasons: Reasons) -> list[str]:
    """`mappings/erp/customer.yaml:9  CUST_NAME | squeeze`, for each winner."""
    found = [reasons.places(reasons.told[each.system, each.key].source, one.field) for each in one.winners]
    return list(dict.fromkeys(f"{said.file}:{said.line}  {said.expression}" for said in found if said))


def place_text(origin: Mapping[str, Any], place: Sequence[int | None] | None, page: Page) -> str:
    """`orders_1.xml, element 12`; empty where nothing is known."""
    file = next((str(origin[name]) for name in ("file", "table", "sheet") if origin.get(name)), "")
    unit = str(origin.get("unit", ""))
    number = ""
    if place and place[0] is not None and unit:
        known = page.words.known(f"place.{unit}")
        number = page.words(f"place.{unit}", number=f"{place[0]:,}") if known else f"{unit} {place[0]:,}"
    return ", ".join(part for part in (Path(file).name, number) if part)


def _loser(field: Lineage, one: Contribution, reasons: Reasons, page: Page) -> str:
    value = one.document.get(field.field)
    if value == field.value:
        reason = page.words("why.same")
    elif isinstance(field.rule, tuple):
        reason = page.words("why.less_trusted" if one.system in field.rule else "why.not_named")
    elif field.rule == "longest":
        reason = page.words("why.shorter")
    else:
        reason = page.words("why.older", at=page.at(one.changed_at))
    shown = plain(_value(field.field, value, reasons))
    return f"{one.system}/{one.key}: {shown}  ({reason})"
