"""What the EPCIS door keeps: captured events, which of them were here before, and the job of each capture.

A capture is one transaction: its events, the batches of the sources that take them, and the job commit together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
import sqlalchemy as sa

from nave.api.epcisdocs import Event
from nave.api.epcislinks import spelled
from nave.api.epcisrules import moment, short, stamp
from nave.core.clock import Clock, Ids, id_number, id_text
from nave.core.errors import PermanentError
from nave.core.journal import Landing, land, prepare_landing, raw_text
from nave.core.protocols import Batch, Raw, Refused
from nave.core.store import Store, Transaction
from nave.core.store import schema as t
from nave.formats import loads

ROLLBACK, PROCEED = "rollback", "proceed"
TOLD = "epcis"
"""What is announced when there is something that subscribers may have to be told."""
_MOST_ERRORS = 100
_LISTS = ("epcList", "childEPCs", "inputEPCList", "outputEPCList")
_CLASSES = ("quantityList", "childQuantityList", "inputQuantityList", "outputQuantityList")
_EVENT = ("id", "system", "event_id", "type", "time", "recorded", "doc", "place")


@dataclass(frozen=True, slots=True)
class Taker:
    """A source, and which events are its own; an empty set lets all through."""

    name: str
    entity: str
    events: frozenset[str] = frozenset()
    steps: frozenset[str] = frozenset()
    actions: frozenset[str] = frozenset()
    dispositions: frozenset[str] = frozenset()

    def takes(self, event: Raw) -> bool:
        """Whether the event is one of its own."""
        asked = (
            (self.events, "type"),
            (self.steps, "bizStep"),
            (self.actions, "action"),
            (self.dispositions, "disposition"),
        )
        return all(not wanted or short(event.get(name, "")) in wanted for wanted, name in asked)


@dataclass(frozen=True, slots=True)
class System:
    """A system that captures through the door, and the sources that its events go to."""

    name: str
    takers: Sequence[Taker]
    token: bytes | None = field(default=None, repr=False)
    max_body: int = 16 * 2**20
    zone: str = "UTC"
    """What the schedules of its subscriptions are meant in."""
    subscribers: frozenset[str] = frozenset()
    """`http://10.1.0.7:8080`: where its subscribers may be, besides on the internet."""


@dataclass(frozen=True)
class Repository:
    """The events of all systems; all of it is to be called in a thread."""

    store: Store
    clock: Clock
    ids: Ids
    landed: Callable[[str, int, int], None] = lambda source, records, size: None
    """Told of each batch that waits to be applied: source, records, bytes."""
    announce: Callable[[Sequence[str]], None] = lambda topics: None

    def capture(self, system: System, events: Sequence[Event], behaviour: str) -> str:
        """Keep what is good of these, and tell the sources that take it; the id of the job.

        Under `rollback` nothing is kept as soon as one of them is faulty. What was here before is kept once.
        """
        number, now = self.ids.take()[0], self.clock()
        with self.store.write() as tx:
            tx.serialise(f"epcis:{system.name}")
            known = _known(tx, system.name, [one for one in events if not one.fault])
            judged = list(_judged(events, known))
            faulty = [one for one in judged if one.fault]
            good = [] if faulty and behaviour == ROLLBACK else [one for one in judged if not one.fault]
            fresh = list({one.key: one for one in good if one.key not in known}.values())
            self._keep(tx, system.name, fresh, now)
            landings = [self._prepared(*one, id_text(number)) for one in _batches(system, fresh, faulty)]
            journals = [land(tx, one, self.clock, self.ids).journal_id for one in landings]
            told = [[one.number, one.fault] for one in faulty[:_MOST_ERRORS]]
            row = (number, system.name, now, behaviour, len(fresh), len(good) - len(fresh), _json(journals), _json(told))
            names = ("id", "system", "at", "behaviour", "captured", "repeated", "journals", "errors")
            tx.insert(t.epcis_capture, names, [row])
        for one in landings:
            self.landed(one.source, len(one.batch.records), len(one.body))
        if landings:
            self.announce(["apply"])
        if fresh:
            self.announce([TOLD])
        return id_text(number)

    def _keep(self, tx: Transaction, system: str, events: Sequence[Event], now: float) -> None:
        numbers = self.ids.take(len(events)) if events else []
        # Two processes' ids may cross; what is committed later must stand behind what is committed, or nobody is told of it.
        past = max(newest(tx, system) + 1 - numbers[0], 0) if events else 0
        rows = [
            (number, system, one.key, one.body["type"], moment(one.body["eventTime"]), now, raw_text(one.body))
            for number, one in zip(numbers, events, strict=True)
        ]
        named = {(system, epc, row[0]) for row, one in zip(rows, events, strict=True) for epc in things(one.body)}
        tx.insert(t.epcis_event, _EVENT, [(*row, row[0] + past) for row in rows])
        tx.insert(t.epcis_epc, ("system", "epc", "event"), sorted(named))

    def _prepared(self, taker: Taker, events: Sequence[Event], faulty: Sequence[Event], job: str) -> Landing:
        refused = [_refused(one) for one in faulty]
        places = [(one.number, None) for one in events]
        batch = Batch([one.body for one in events], places, {"unit": "event", "capture": job}, refused=refused)
        return prepare_landing(taker.name, taker.entity, batch, self.ids)

    def job(self, system: str, number: str) -> dict[str, Any] | None:
        """How far a capture has come, as EPCIS tells it; None where this system has none of that id."""
        try:
            wanted = id_number(number)
        except ValueError:
            return None
        with self.store.read() as tx:
            rows = tx.rows(_jobs(system).where(t.epcis_capture.c.id == wanted))
            return _job(tx, rows[0]) if rows else None

    def jobs(self, system: str, before: int | None, most: int) -> list[dict[str, Any]]:
        """The latest captures of a system first, `most` of them, those before a number."""
        wanted = _jobs(system).order_by(t.epcis_capture.c.id.desc()).limit(most)
        if before is not None:
            wanted = wanted.where(t.epcis_capture.c.id < before)
        with self.store.read() as tx:
            return [_job(tx, row) for row in tx.rows(wanted)]

    def event(self, system: str, event_id: str) -> Raw | None:
        """One event by its id."""
        e = t.epcis_event.c
        with self.store.read() as tx:
            rows = tx.rows(sa.select(e.doc, e.recorded).where(e.system == system, e.event_id == event_id))
        return stored(*rows[0]) if rows else None


def things(event: Raw) -> Iterator[str]:
    """Everything that an event names, each in its one spelling."""
    named = [one for name in _LISTS for one in event.get(name) or ()]
    named += [one["epcClass"] for name in _CLASSES for one in event.get(name) or ()]
    named += [event["parentID"]] if event.get("parentID") else []
    for one in named:
        yield spelled(str(one))


def stored(doc: str, recorded: float) -> Raw:
    """An event as it is given out, with the time it was recorded."""
    event: Raw = loads(doc.encode())
    return {**event, "recordTime": stamp(recorded)}


def newest(tx: Transaction, system: str) -> int:
    """The place of the last event of a system; 0 before the first."""
    e = t.epcis_event.c
    return int(tx.rows(sa.select(sa.func.coalesce(sa.func.max(e.place), 0)).where(e.system == system))[0][0])


def _known(tx: Transaction, system: str, events: Sequence[Event]) -> dict[str, Raw]:
    """Those of these events that are here already, by what they are known by."""
    e = t.epcis_event.c
    found = sa.select(e.event_id, e.doc).where(e.system == system, tx.among(e.event_id, {one.key for one in events}))
    return {key: loads(doc.encode()) for key, doc in tx.rows(found)} if events else {}


def _judged(events: Sequence[Event], known: Mapping[str, Raw]) -> Iterator[Event]:
    """The events; one whose id is taken by another event is faulty."""
    seen = dict(known)
    for one in events:
        if not one.fault and not one.says(seen.setdefault(one.key, one.body)):
            yield replace(one, fault="eventID: another event has it already")
        else:
            yield one


def _batches(
    system: System, fresh: Sequence[Event], faulty: Sequence[Event]
) -> Iterator[tuple[Taker, Sequence[Event], Sequence[Event]]]:
    """What each source is given; the first one answers for what is faulty."""
    for place, taker in enumerate(system.takers):
        taken, wrong = [one for one in fresh if taker.takes(one.body)], faulty if place == 0 else ()
        if taken or wrong:
            yield taker, taken, wrong


def _refused(event: Event) -> Refused:
    error = PermanentError("NAVE-K371", number=event.number, reason=event.fault)
    return Refused((event.number, None), raw_text(event.body), error)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _jobs(system: str) -> sa.Select[Any]:
    c = t.epcis_capture.c
    columns = (c.id, c.at, c.behaviour, c.captured, c.repeated, c.journals, c.errors)
    return sa.select(*columns).where(c.system == system)


def _job(tx: Transaction, row: Any) -> dict[str, Any]:
    number, at, behaviour, captured, repeated, journals, errors = row
    listed = msgspec.json.decode(journals)
    j, d = t.journal.c, t.dead_letter.c
    states = tx.rows(sa.select(j.state, j.applied_at).where(tx.among(j.id, listed))) if listed else []
    running = any(state in (t.Journal.PENDING, t.Journal.HELD) for state, _ in states)
    told = [_error(place, "NAVE-K371", {"number": place, "reason": said}) for place, said in msgspec.json.decode(errors)]
    if listed:
        dead = (d.stage == "apply", d.state == t.Letter.OPEN, tx.among(d.journal_id, listed))
        letters = sa.select(d.place, d.code, d.params).where(*dead).order_by(d.id).limit(_MOST_ERRORS)
        told += [_error(place, code, msgspec.json.decode(params)) for place, code, params in tx.rows(letters)]
    done = max((one for _, one in states if one is not None), default=at)
    return {
        "captureID": id_text(number),
        "createdAt": stamp(at),
        **({} if running else {"finishedAt": stamp(done)}),
        "running": running,
        "success": not told,
        "captureErrorBehaviour": behaviour,
        "errors": told,
        "nave:captured": captured,
        "nave:repeated": repeated,
    }


def _error(place: int | None, code: str, params: Mapping[str, Any]) -> dict[str, Any]:
    text = PermanentError(code, **params).text("en")
    numbered = text if place is None or code == "NAVE-K371" else f"event {place}: {text}"
    return {"type": "epcisException:ValidationException", "title": code, "detail": numbered}
