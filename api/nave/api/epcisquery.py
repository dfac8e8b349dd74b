"""EPCIS queries: the standard's parameters as conditions, and pages of events that go on where the last one ended."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import sqlalchemy as sa

from nave.api.epcislinks import spelled
from nave.api.epcisrules import TYPES, moment, short
from nave.api.epcisstore import stored
from nave.api.problems import Problem
from nave.core.protocols import Raw
from nave.core.store import Store, Transaction
from nave.core.store import schema as t

PAGE = 30
MOST = 1_000
_CHUNK = 500
_SCAN = 20_000
"""Events that one request looks at; a page that ends sooner says where to go on."""
_REPORT_BYTES = 2**20
"""Of events that a subscriber is told at once; the last of them may go beyond."""
_e = t.epcis_event.c
Keeps = Callable[[Raw], bool]


@dataclass
class Query:
    """What is asked, as far as the store can answer it, and the rest as conditions on an event."""

    where: list[sa.ColumnElement[bool]] = field(default_factory=list)
    keeps: list[Keeps] = field(default_factory=list)
    epcs: list[list[tuple[str, bool]]] = field(default_factory=list)
    """Of each of these lists one must be named: its one spelling, and whether all that lies below it counts as well."""
    per_page: int = PAGE
    limit: int | None = None
    refuse_over: int | None = None
    column: sa.ColumnElement[Any] = _e.id
    rising: bool = True
    after: tuple[Any, int, int] | None = None
    """Of the last event seen: what is sorted by, its number, and how many were given before the next page."""


@dataclass(frozen=True)
class Page:
    """Events, and where the next page begins, if there is one."""

    events: list[Raw]
    token: str | None


def parsed(asked: Collection[tuple[str, str]]) -> Query:
    """The query that the parameters of a URL make; a Problem with status 400 for one that is unknown or malformed."""
    query = Query()
    for name, text in asked:
        take = _SINGLE.get(name) or next((make for start, make in _PREFIXED.items() if name.startswith(start)), None)
        if take is None:
            raise bad(name, "this hub does not know it")
        take(query, name, text)
    return query


def bad(name: str, reason: str) -> Problem:
    """The refusal of one parameter."""
    kept = "".join(one if one.isprintable() else "?" for one in name[:80])
    return Problem("NAVE-K372", 400, {}, name=kept, reason=reason)


def page(store: Store, system: str, query: Query) -> Page:
    """One page of the events of a system; to be called in a thread."""
    found: list[Raw] = []
    after, seen = query.after, 0
    before = after[2] if after else 0
    most = query.per_page if query.limit is None else max(0, min(query.per_page, query.limit - before))
    with store.read() as tx:
        while len(found) < most and seen < _SCAN:
            rows = tx.rows(_chunk(tx, system, query, after))
            for row in rows:
                after, seen = (row[0], row[1], before), seen + 1
                event = stored(row[2], row[3])
                if all(keep(event) for keep in query.keeps):
                    found.append(event)
                    if len(found) == most:
                        break
            if len(rows) < _CHUNK and len(found) < most:
                return _ended(query, found)
    total = before + len(found)
    if after is None or (query.limit is not None and total >= query.limit):
        return _ended(query, found)
    return _ended(query, found, _token((after[0], after[1], total)))


def _ended(query: Query, found: list[Raw], token: str | None = None) -> Page:
    if query.refuse_over is not None and (len(found) > query.refuse_over or token is not None):
        raise Problem("NAVE-K372", 413, {}, name="maxEventCount", reason=f"more than {query.refuse_over} events")
    return Page(found, token)


def _chunk(tx: Transaction, system: str, query: Query, after: tuple[Any, int, int] | None) -> sa.Select[Any]:
    by, number = query.column, _e.id
    found = _wanted(system, query, by)
    order = (by.asc(), number.asc()) if query.rising else (by.desc(), number.desc())
    if after is not None:
        place, last = sa.tuple_(by, number), sa.tuple_(sa.literal(after[0]), sa.literal(after[1]))
        found = found.where(place > last if query.rising else place < last)
    return found.order_by(*order).limit(_CHUNK)


def _wanted(system: str, query: Query, by: sa.ColumnElement[Any]) -> sa.Select[Any]:
    """What is sorted by, number, content and time of recording of all that the store itself can find."""
    number = _e.id
    found = sa.select(by, number, _e.doc, _e.recorded).where(_e.system == system, *query.where)
    for names in query.epcs:
        epc, event = t.epcis_epc.c.epc, t.epcis_epc.c.event
        either = [epc == name if not below else sa.or_(epc == name, epc.startswith(f"{name}/", autoescape=True))
                  for name, below in names]  # fmt: skip
        found = found.where(number.in_(sa.select(event).where(t.epcis_epc.c.system == system, sa.or_(*either))))
    return found


def following(tx: Transaction, system: str, query: Query, span: tuple[int, int], most: int) -> tuple[list[Raw], int]:
    """Up to `most` events that fit and whose places are above the first of `span` and not above its second, and where
    the search ended: at the last of them, or behind those that were looked at in vain."""
    found: list[Raw] = []
    (after, until), seen, size = span, 0, 0
    while seen < _SCAN:
        chosen = _wanted(system, query, _e.place).where(_e.place > after, _e.place <= until)
        rows = tx.rows(chosen.order_by(_e.place).limit(_CHUNK))
        for place, _, doc, recorded in rows:
            after, seen, event = place, seen + 1, stored(doc, recorded)
            if all(keep(event) for keep in query.keeps):
                found.append(event)
                size += len(doc)
                if len(found) == most or size > _REPORT_BYTES:
                    return found, after
        if len(rows) < _CHUNK:
            return found, until
    return found, after


def _token(after: tuple[Any, int, int]) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(after)).decode().rstrip("=")


# --- parameters --------------------------------------------------------------------------------------------------


def _values(name: str, text: str) -> list[str]:
    found = [one.strip() for one in text.split(",") if one.strip()]
    if not found or len(found) > 200:
        raise bad(name, "1 to 200 values, with commas between them")
    return found


def _instant(name: str, text: str) -> float:
    found = moment(text.replace(" ", "+"))
    if found is None:
        raise bad(name, "a moment such as 2026-01-31T08:00:00+08:00")
    return found


def _count(most: int) -> Callable[[str, str], int]:
    def read(name: str, text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) > 0):
            raise bad(name, "a whole number above 0")
        return min(int(text), most)

    return read


def _types(query: Query, name: str, text: str) -> None:
    wanted = _values(name, text)
    strange = next((one for one in wanted if one not in TYPES), None)
    if strange is not None:
        raise bad(name, f"{', '.join(TYPES)}")
    query.where.append(_e.type.in_(wanted))


def _set_after(query: Query, name: str, text: str) -> None:
    try:
        sort, number, given = msgspec.json.decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        query.after = (float(sort) if isinstance(sort, float) else int(sort), int(number), int(given))
    except (ValueError, TypeError, binascii.Error, msgspec.DecodeError) as error:
        raise bad(name, "one that this hub gave out") from error


def _set_order(query: Query, name: str, text: str) -> None:
    column = {"eventTime": _e.time, "recordTime": _e.id}.get(text)
    if column is None:
        raise bad(name, "eventTime or recordTime")
    query.column = column


def _set_direction(query: Query, name: str, text: str) -> None:
    if text not in ("ASC", "DESC"):
        raise bad(name, "ASC or DESC")
    query.rising = text == "ASC"


def _set(attribute: str, read: Callable[[str, str], Any]) -> Callable[[Query, str, str], None]:
    return lambda query, name, text: setattr(query, attribute, read(name, text))


def _time(column: sa.ColumnElement[float], *, least: bool) -> Callable[[Query, str, str], None]:
    def take(query: Query, name: str, text: str) -> None:
        when = _instant(name, text)
        query.where.append(column >= when if least else column < when)

    return take


def _equal(*path: str) -> Callable[[Query, str, str], None]:
    """A word or URI at a path of the event, in any of its spellings."""

    def take(query: Query, name: str, text: str) -> None:
        wanted = {spelled(short(one)) for one in _values(name, text)}
        query.keeps.append(lambda event: (said := _at(event, path)) is not None and spelled(short(said)) in wanted)

    return take


def _at(event: Any, path: Sequence[str]) -> Any:
    for name in path:
        event = event.get(name) if isinstance(event, dict) else None
    return event


def _ids(query: Query, name: str, text: str) -> None:
    query.where.append(_e.event_id.in_(_values(name, text)))


def _match(*fields: str) -> Callable[[Query, str, str], None]:
    """One of these things, in one of these fields; a pattern stands for all that begins as it does."""

    def take(query: Query, name: str, text: str) -> None:
        values = _values(name, text)
        wanted = [(spelled(one), one.startswith("urn:epc:idpat:")) for one in values]
        if any(below and link.startswith("urn:") for link, below in wanted):
            raise bad(name, "a pattern with the whole company prefix and item reference")
        query.epcs.append(wanted)
        query.keeps.append(lambda event: any(_fits(one, wanted) for one in _named(event, fields)))

    return take


def _fits(uri: str, wanted: Sequence[tuple[str, bool]]) -> bool:
    link = spelled(uri)
    return any(link == one or (below and link.startswith(f"{one}/")) for one, below in wanted)


def _named(event: Raw, fields: Sequence[str]) -> list[str]:
    found: list[str] = []
    for name in fields:
        held = event.get(name) or []
        found += [held] if isinstance(held, str) else [one["epcClass"] if isinstance(one, dict) else one for one in held]
    return found


def _paired(listed: str, element: str, start: str) -> Callable[[Query, str, str], None]:
    """EQ_bizTransaction_po: one of a list of pairs, by its type."""

    def take(query: Query, name: str, text: str) -> None:
        kind, wanted = short(name[len(start) :]), {spelled(one) for one in _values(name, text)}
        query.keeps.append(
            lambda event: any(
                (not kind or short(one.get("type", "")) == kind) and spelled(str(one.get(element))) in wanted
                for one in event.get(listed) or ()
            )
        )

    return take


def _exists(query: Query, name: str, text: str) -> None:
    field_ = name.removeprefix("EXISTS_")
    query.keeps.append(lambda event: field_ in event)


def _own_field(query: Query, name: str, text: str) -> None:
    field_, wanted = name.removeprefix("EQ_"), set(_values(name, text))
    if ":" not in field_:
        raise bad(name, "this hub does not know it")
    query.keeps.append(lambda event: str(event.get(field_)) in wanted)


def _compared(sign: str) -> Callable[[Query, str, str], None]:
    """The quantity of one of the elements that an event counts."""
    holds: Mapping[str, Callable[[float, float], bool]] = {
        "EQ": lambda one, other: one == other,
        "GT": lambda one, other: one > other,
        "GE": lambda one, other: one >= other,
        "LT": lambda one, other: one < other,
        "LE": lambda one, other: one <= other,
    }

    def take(query: Query, name: str, text: str) -> None:
        try:
            number = float(text)
        except ValueError as error:
            raise bad(name, "a number") from error
        query.keeps.append(lambda event: any(holds[sign](float(one), number) for one in _counts(event)))

    return take


def _counts(event: Raw) -> list[Any]:
    return [one["quantity"] for one in event.get("quantityList") or () if "quantity" in one]


_IN, _OUT = ("inputEPCList",), ("outputEPCList",)
_HELD = ("epcList", "childEPCs")
_KINDS = ("quantityList", "childQuantityList")
_SINGLE: Mapping[str, Callable[[Query, str, str], None]] = {
    "eventType": _types,
    "GE_eventTime": _time(_e.time, least=True),
    "LT_eventTime": _time(_e.time, least=False),
    "GE_recordTime": _time(_e.recorded, least=True),
    "LT_recordTime": _time(_e.recorded, least=False),
    "EQ_action": _equal("action"),
    "EQ_bizStep": _equal("bizStep"),
    "EQ_disposition": _equal("disposition"),
    "EQ_readPoint": _equal("readPoint", "id"),
    "EQ_bizLocation": _equal("bizLocation", "id"),
    "EQ_transformationID": _equal("transformationID"),
    "EQ_eventID": _ids,
    **{f"{sign}_quantity": _compared(sign) for sign in ("EQ", "GT", "GE", "LT", "LE")},
    "MATCH_epc": _match(*_HELD),
    "MATCH_parentID": _match("parentID"),
    "MATCH_inputEPC": _match(*_IN),
    "MATCH_outputEPC": _match(*_OUT),
    "MATCH_anyEPC": _match(*_HELD, *_IN, *_OUT, "parentID"),
    "MATCH_epcClass": _match(*_KINDS),
    "MATCH_inputEPCClass": _match("inputQuantityList"),
    "MATCH_outputEPCClass": _match("outputQuantityList"),
    "MATCH_anyEPCClass": _match(*_KINDS, "inputQuantityList", "outputQuantityList"),
    "orderBy": _set_order,
    "orderDirection": _set_direction,
    "perPage": _set("per_page", _count(MOST)),
    "eventCountLimit": _set("limit", _count(10**9)),
    "maxEventCount": _set("refuse_over", _count(MOST - 1)),
    "nextPageToken": _set_after,
}
_PREFIXED: Mapping[str, Callable[[Query, str, str], None]] = {
    "EQ_bizTransaction_": _paired("bizTransactionList", "bizTransaction", "EQ_bizTransaction_"),
    "EQ_source_": _paired("sourceList", "source", "EQ_source_"),
    "EQ_destination_": _paired("destinationList", "destination", "EQ_destination_"),
    "EXISTS_": _exists,
    "EQ_": _own_field,
}
