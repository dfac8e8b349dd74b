"""What the EPCIS door keeps of named queries and of those who subscribed to them; all of it is to be called in a thread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import sqlalchemy as sa

from nave.api.epcisquery import Query, bad, parsed
from nave.api.epcisrules import stamp
from nave.api.epcisstore import newest
from nave.api.epcisterms import Schedule, Terms, next_time, unfit
from nave.api.problems import Problem
from nave.core.clock import Clock, Ids, id_number, id_text
from nave.core.errors import ConfigError, PermanentError
from nave.core.seal import Seal
from nave.core.store import Store, Transaction
from nave.core.store import schema as t

MOST = 100
"""Named queries of one system, and subscriptions of one system."""
EVENTS = 100
"""In one report, as long as its taker does not ask for less."""
_ALL = 100_000
_PAGED = frozenset({"perPage", "nextPageToken"})
"""What belongs to a request, and not to a query."""
_UNORDERED = ("orderBy", "orderDirection", "eventCountLimit", "maxEventCount")
"""What a subscription has no use for: it tells everything once, in the order of recording."""
_q, _s = t.epcis_query.c, t.epcis_subscription.c


@dataclass(frozen=True, slots=True)
class Subscription:
    """One row of those who are told; what the columns mean is said where they are defined."""

    id: int
    system: str
    query: str
    dest: str
    terms: Mapping[str, Any]
    secret: str | None
    """As it is stored, encrypted."""
    at: float
    reached: int
    until: int | None
    round_at: float | None
    report: int
    last: int | None
    begun_at: float | None
    most: int
    look_at: float
    attempts: int
    error: str | None
    told_at: float | None

    @property
    def schedule(self) -> Schedule | None:
        """When it is told; None where it is told event by event."""
        said = self.terms.get("schedule")
        return Schedule.model_validate(said) if said is not None else None

    def __repr__(self) -> str:
        return f"Subscription({id_text(self.id)} of {self.system}/{self.query})"


@dataclass(frozen=True)
class Named:
    """The named queries and subscriptions of all systems."""

    store: Store
    clock: Clock
    ids: Ids
    seal: Seal = field(default_factory=Seal)

    def create(self, system: str, name: str, query: Mapping[str, Any]) -> None:
        """Keep a query; a Problem where it is none, where the name is taken, and where there are too many."""
        compiled(query)
        with self.store.write() as tx:
            tx.serialise(f"epcis:{system}")
            names = [row[0] for row in tx.rows(sa.select(_q.name).where(_q.system == system))]
            if name in names:
                raise Problem("NAVE-K384", 409, {}, name=name)
            _look_for_room(len(names))
            tx.insert(t.epcis_query, ("system", "name", "query", "at"), [(system, name, _json(query), self.clock())])

    def queries(self, system: str, after: str, most: int) -> list[dict[str, Any]]:
        """Those behind a name, in the order of their names."""
        wanted = sa.select(_q.name, _q.query).where(_q.system == system, _q.name > after).order_by(_q.name).limit(most)
        with self.store.read() as tx:
            return [{"name": name, "query": msgspec.json.decode(query)} for name, query in tx.rows(wanted)]

    def query(self, system: str, name: str) -> dict[str, Any] | None:
        """One of them, as it was given."""
        with self.store.read() as tx:
            return query_of(tx, system, name)

    def forget(self, system: str, name: str) -> bool:
        """Delete a query with its subscriptions; false where there is none."""
        with self.store.write() as tx:
            tx.execute(sa.delete(t.epcis_subscription).where(_s.system == system, _s.query == name))
            return bool(tx.execute(sa.delete(t.epcis_query).where(_q.system == system, _q.name == name)).rowcount)

    def subscribe(self, system: str, zone: str, name: str, terms: Terms) -> Subscription | None:
        """Begin to tell somebody; None where there is no such query. A Problem where their key cannot be kept."""
        secret = self._sealed(terms.signature_token)
        (number,), now = self.ids.take(), self.clock()
        look_at = next_time(terms.schedule, zone, now) if terms.schedule else now
        with self.store.read() as tx:  # what comes meanwhile lies behind it, and is told
            start = _start(tx, system, terms.since)
        with self.store.write() as tx:
            tx.serialise(f"epcis:{system}")
            query = query_of(tx, system, name)
            if query is None:
                return None
            _look_at_order(query)
            _look_for_room(tx.rows(sa.select(sa.func.count()).where(_s.system == system))[0][0])
            row = (number, system, name, terms.dest, _json(terms.kept), secret, now)
            progress = (start, EVENTS, look_at)
            columns = ("id", "system", "query", "dest", "terms", "secret", "at", "reached", "most", "look_at")
            tx.insert(t.epcis_subscription, columns, [(*row, *progress)])
            return _rows(tx, _s.id == number)[0]

    def _sealed(self, secret: str | None) -> str | None:
        try:
            return None if secret is None else self.seal.close(secret)
        except ConfigError as error:
            raise Problem(error.code, 400, {}, **error.params) from error

    def subscriptions(self, system: str, name: str, after: int, most: int) -> list[Subscription] | None:
        """Those of a query behind an id; None where there is no such query."""
        with self.store.read() as tx:
            if query_of(tx, system, name) is None:
                return None
            return _rows(tx, _s.system == system, _s.query == name, _s.id > after, most=most)

    def subscription(self, system: str, name: str, number: str) -> Subscription | None:
        """One of them."""
        with self.store.read() as tx:
            found = _rows(tx, *_one(system, name, number))
        return found[0] if found else None

    def unsubscribe(self, system: str, name: str, number: str) -> bool:
        """Tell no more; false where there is no such subscription."""
        with self.store.write() as tx:
            return bool(tx.execute(sa.delete(t.epcis_subscription).where(*_one(system, name, number))).rowcount)

    def due(self, systems: Sequence[str], now: float) -> list[Subscription]:
        """Those that somebody should look after now, those that wait longest first: by the clock, or since there is news."""
        with self.store.read() as tx:
            found = _rows(tx, _s.system.in_(systems), _s.look_at <= now, by=_s.look_at, most=_ALL)
            news = {system: newest(tx, system) for system in {one.system for one in found}}
        return [one for one in found if one.last is not None or one.schedule or one.reached < news[one.system]]


def compiled(query: Mapping[str, Any]) -> Query:
    """The query that a definition in JSON makes; a Problem for what is none."""
    return parsed([(name, _text(name, value)) for name, value in query.items() if name != "@context"])


def _text(name: str, value: Any) -> str:
    """A value as the URL of a query would have it."""
    if name in _PAGED:
        raise bad(name, "it beside the request, and not in the query")
    listed = value if isinstance(value, list) else [value]
    words = [str(one).lower() if isinstance(one, bool) else "" if one is None else one for one in listed]
    if not listed or not all(isinstance(one, str | int | float) and "," not in str(one) for one in words):
        raise bad(name, "text, a number or a list of these, without commas inside")
    return ",".join(str(one) for one in words)


def query_of(tx: Transaction, system: str, name: str) -> dict[str, Any] | None:
    """The definition behind a name."""
    rows = tx.rows(sa.select(_q.query).where(_q.system == system, _q.name == name))
    return msgspec.json.decode(rows[0][0], type=dict[str, Any]) if rows else None


def shown(one: Subscription) -> dict[str, Any]:
    """A subscription as it is told to whoever asks; never its secret."""
    failure = msgspec.json.decode(one.error, type=dict[str, Any]) if one.error else None
    error = PermanentError(failure["code"], **failure["params"]).text("en") if failure else None
    return {
        "subscriptionID": id_text(one.id),
        "queryName": one.query,
        "dest": one.dest,
        **one.terms,
        "createdAt": stamp(one.at),
        **({"lastNotifiedAt": stamp(one.told_at)} if one.told_at is not None else {}),
        **({"nave:attempts": one.attempts, "nave:error": error} if error else {}),
    }


def _look_for_room(count: int) -> None:
    if count >= MOST:
        raise Problem("NAVE-K386", 403, {}, most=MOST)


def _look_at_order(query: Mapping[str, Any]) -> None:
    found = next((name for name in _UNORDERED if name in query), None)
    if found is not None:
        raise unfit(found, "a query without it: what is subscribed to is told once, in the order of recording")


def _start(tx: Transaction, system: str, since: float | None) -> int:
    """The place behind which a new subscription begins: at this moment, or with what was recorded since another."""
    if since is None:
        return newest(tx, system)
    e = t.epcis_event.c
    before = sa.select(sa.func.coalesce(sa.func.max(e.place), 0)).where(e.system == system, e.recorded < since)
    return int(tx.rows(before)[0][0])


def _one(system: str, name: str, number: str) -> tuple[sa.ColumnElement[bool], ...]:
    return _s.system == system, _s.query == name, _s.id == (id_number(number) or 0)


def _rows(
    tx: Transaction, *where: sa.ColumnElement[bool], by: sa.ColumnElement[Any] = _s.id, most: int = 1_000
) -> list[Subscription]:
    found = tx.rows(sa.select(t.epcis_subscription).where(*where).order_by(by, _s.id).limit(most))
    names = [column.name for column in t.epcis_subscription.columns]
    listed: list[dict[str, Any]] = [dict(zip(names, row, strict=True)) for row in found]
    return [Subscription(**{**one, "terms": msgspec.json.decode(one["terms"])}) for one in listed]


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
