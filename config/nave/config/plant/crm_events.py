"""Writes what the plant's CRM pushes: CloudEvents, one a line, in the order in which they are sent."""

from __future__ import annotations

import http.client
import json
import os
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from nave.config.plant import words
from nave.config.plant.credit_code import wrong
from nave.config.plant.dirt import full_width, stray_spaces, tax_number, time_text
from nave.config.plant.sayings import company_name, crm_region, landline, people, ref
from nave.config.plant.truth import Dead, TruthWriter, read_lines
from nave.config.plant.world import Company, World, chance, mobile

EVENTS = "data/crm/events.jsonl"
_SOURCES = {"plant.customer.changed.v1": "crm.customers", "plant.contact.changed.v1": "crm.contacts"}
Event = dict[str, Any]


def write_crm_events(folder: Path, world: World, truth: TruthWriter) -> None:
    """Customers and contacts, shuffled, some contacts before their customer; then what is stale, repeated, or has no key."""
    known = [company for company in world.companies if "crm" in company.known]
    events = [customer_event(one, one.known["crm"].at) for one in known]
    contacts = [contact_event(one) for one in known]
    stale = [customer_event(one, one.known["crm"].at - timedelta(days=5)) for one in known[::8]]
    first = contacts[::3] + events
    chance(world.seed, "events").shuffle(first)
    first.insert(0, contacts[1])
    rest = [contact for index, contact in enumerate(contacts) if index % 3] + stale + events[::10]
    keyless = _event("customer", "", "evt-keyless", {**events[0]["data"], "id": None})
    _write(folder / EVENTS, [*first, *rest, keyless])
    for one in known:
        say_contact(one, truth)
    truth.died(Dead("crm.customers", "NAVE-M112", field="key"))
    _count([*first, *rest, keyless], truth)
    truth.dirtied("stale after newer", len(stale))
    truth.dirtied("event repeated", len(events[::10]) + 1)
    truth.dirtied("event without a key")
    for fault in ("missing", "wrong"):
        truth.dirtied(f"tax number {fault}", sum(one.known["crm"].tax == fault for one in known))


def read_events(folder: Path) -> Iterator[tuple[str, Event]]:
    """The source that each event is for, and the event, in the order in which the CRM sends them."""
    return ((_SOURCES[event["type"]], event) for event in read_lines(folder / EVENTS))


def push_events(folder: Path, url: str, *, batch: int = 100, seconds: float = 30) -> int:
    """Send all events to a hub's door, as CloudEvents in batches; returns how many it accepted.

    RuntimeError with the door's own words when it answers anything but 202. Sending twice does no harm.
    """
    place = urlsplit(url)
    assert place.hostname
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=seconds)
    try:
        return sum(_push(connection, source, part) for source, part in _runs(folder, batch))
    finally:
        connection.close()


def _push(connection: http.client.HTTPConnection, source: str, events: Sequence[Event]) -> int:
    body = json.dumps(events, ensure_ascii=False).encode()
    headers = {"Content-Type": "application/cloudevents-batch+json"}
    if token := os.environ.get("CRM_PUSH_TOKEN"):
        headers["Authorization"] = f"Bearer {token}"
    connection.request("POST", f"/events/{source}", body, headers)
    answer = connection.getresponse()
    text = answer.read().decode(errors="replace")
    if answer.status != 202:
        raise RuntimeError(f"{source}: {answer.status} {text[:500]}")
    return len(events)


def _runs(folder: Path, most: int) -> Iterator[tuple[str, list[Event]]]:
    """Neighbours for the same source together, the order kept."""
    source, run = "", list[Event]()
    for name, event in read_events(folder):
        if run and (name != source or len(run) == most):
            yield source, run
            run = []
        source = name
        run.append(event)
    if run:
        yield source, run


def _write(path: Path, events: Sequence[Event]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(event, ensure_ascii=False) + "\n" for event in events)


def _count(events: Sequence[Event], truth: TruthWriter) -> None:
    for event in events:
        truth.wrote(_SOURCES[event["type"]])


def _event(entity: str, subject: str, number: str, data: dict[str, Any]) -> Event:
    return {
        "specversion": "1.0",
        "id": number,
        "source": "/crm",
        "type": f"plant.{entity}.changed.v1",
        # CloudEvents has no empty subject: an event without a key goes without.
        **({"subject": subject} if subject else {}),
        "datacontenttype": "application/json",
        "data": data,
    }


def customer_event(company: Company, at: datetime) -> Event:
    """What the CRM says of the company, as it was at this moment."""
    known, index = company.known["crm"], company.index
    current = at == known.at
    data = {
        "id": known.key,
        "name": stray_spaces(company_name(company, "crm"), index + 3) if current else company.core,
        "shortName": company.core + company.trade,
        "type": "个人" if company.person else "企业",
        "state": words.CRM_STATE[company.status],
        "grade": words.GRADES[(index + 1) % 3],
        "region": crm_region(company),
        "phone": landline(company, "crm"),
        "email": f"sales{index}@example.com",
        "contacts": [_listed(person, index) for person in people(company, "crm")],
        "addresses": [{"type": "office", "line": f"{company.place.name}人民路{index + 1}号", "postcode": "200000"}],
        "updatedAt": time_text(at, index),
    } | _tax_no(company)
    return _event("customer", known.key, f"evt-{known.key}-{at:%Y%m%d%H%M%S}", data)


def _listed(person: dict[str, str], index: int) -> dict[str, str]:
    return {"name": person["name"], "tel": _tel(person["phone"], index), "title": person["role"]}


def _tel(number: str, index: int) -> str:
    return (number, f"+86 {number}", f"{number[:3]}-{number[3:7]}-{number[7:]}", full_width(number))[index % 4]


def _tax_no(company: Company) -> dict[str, str | None]:
    tax = company.known["crm"].tax
    if tax == "missing" or company.tax_id is None:
        return {"taxNo": None} if company.index % 2 else {}
    return {"taxNo": tax_number(company.tax_id if tax == "good" else wrong(company.tax_id), company.index + 4)}


def _contact(company: Company) -> dict[str, str]:
    number = company.index * 5
    return {
        "code": f"CON-{company.index + 1:06d}",
        "name": words.SURNAMES[number % len(words.SURNAMES)] + words.GIVEN[number % len(words.GIVEN)],
        "phone": mobile(number + 3_000_000),
        "email": f"contact{company.index}@example.com",
        "role": words.ROLES[number % len(words.ROLES)],
    }


def contact_event(company: Company) -> Event:
    """What the CRM says of the person it knows there."""
    person, known = _contact(company), company.known["crm"]
    data = {
        "id": person["code"],
        "customer": known.key,
        "name": person["name"],
        "mobile": _tel(person["phone"], company.index + 1),
        "email": person["email"],
        "title": person["role"],
        "updatedAt": time_text(known.at, company.index + 2),
    }
    return _event("contact", person["code"], f"evt-{person['code']}", data)


def say_contact(company: Company, truth: TruthWriter) -> None:
    """Tell the truth whom the CRM knows at the company."""
    person = _contact(company)
    values = {**person, "customer": ref("crm", company.known["crm"].key)}
    truth.alone("contact", "crm", person["code"], values)
