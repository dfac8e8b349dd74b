"""The journal: every landed batch, raw, with its origin; and how far each source has been read."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa

from nave.core.clock import Clock, Ids, id_text
from nave.core.dead import Dead, bury
from nave.core.entities import encode
from nave.core.protocols import Batch, Place, Raw
from nave.core.store import Query, Store, Transaction
from nave.core.store import schema as t

_encoder = msgspec.json.Encoder(decimal_format="number")
_decoder = msgspec.json.Decoder(float_hook=Decimal)
_apart = msgspec.json.Decoder(tuple[list[msgspec.Raw], list[Place]])


class Landed(NamedTuple):
    """What the hub says to a sender once the commit is done."""

    journal_id: int | None
    """None where the batch was empty and only moved the checkpoint."""
    trace: str
    records: int
    at: float = 0.0
    lines: tuple[int, int] | None = None
    """The first and the last place of what this sender brought, where others brought the rest of the batch."""

    @property
    def receipt(self) -> str:
        """What its receipt is asked for by: `17`, or `17.3-5` for a part of that batch; empty where nothing came."""
        return "" if self.journal_id is None else receipt_of(self.journal_id, self.lines)


def receipt_of(journal_id: int, lines: tuple[int, int] | None) -> str:
    """The id of the receipt of a request."""
    return f"{journal_id}.{lines[0]}-{lines[1]}" if lines else str(journal_id)


@dataclass(frozen=True, slots=True)
class Entry:
    """One landed batch as it waits for its turn."""

    id: int
    source: str
    arrival: int
    origin: dict[str, Any]
    records: list[Raw]
    places: list[Place]
    landed_at: float
    raws: Sequence[Any] = ()
    """The bytes of each record, where they are at hand."""


def pack(records: Sequence[Raw], places: Sequence[Place]) -> bytes:
    """Records and places as the journal keeps them; numbers keep every digit."""
    return zlib.compress(_encoder.encode((records, places)), 1)


def unpack(body: bytes) -> tuple[list[Raw], list[Place], Sequence[Any]]:
    """The records of a stored batch, their places, and the bytes of each where it is plain JSON."""
    text = zlib.decompress(body)
    try:
        raws, places = _apart.decode(text)
        return [_decoder.decode(raw) for raw in raws], places, raws
    except msgspec.DecodeError:
        records, listed = _decoded(text)
        return records, [(number, offset) for number, offset in listed], ()


def _decoded(text: str | bytes) -> Any:
    """What the encoder wrote; it writes the NaN and the infinities of a database as such, which JSON does not know."""
    try:
        return _decoder.decode(text)
    except msgspec.DecodeError:
        return json.loads(text, parse_float=Decimal, parse_constant=Decimal)


class Landing(NamedTuple):
    """One batch on its way into the journal, packed before the transaction begins."""

    source: str
    entity: str
    batch: Batch
    body: bytes
    trace: str


def prepare_landing(source: str, entity: str, batch: Batch, ids: Ids) -> Landing:
    """Do the costly part of landing outside the transaction."""
    return Landing(source, entity, batch, pack(batch.records, batch.places), id_text(ids.take()[0]))


def land(tx: Transaction, landing: Landing, clock: Clock, ids: Ids) -> Landed:
    """Write one batch, what in it could not be read, and the source's checkpoint; all of it commits together."""
    batch, now = landing.batch, clock()
    journal_id = _insert(tx, landing, now) if batch.records or batch.refused else None
    bury(tx, [_unreadable(landing, refused, journal_id) for refused in batch.refused], clock, ids)
    if batch.position is not None:
        tx.upsert(t.checkpoint, ("source", "position", "at"), [(landing.source, batch.position, now)])
    return Landed(journal_id, landing.trace, len(batch.records), now)


def _insert(tx: Transaction, landing: Landing, now: float) -> int:
    batch = landing.batch
    row = {
        "source": landing.source,
        "origin": encode(batch.origin),
        "count": len(batch.records),
        "trace": landing.trace,
        "landed_at": now,
        "received": len(batch.records) + len(batch.refused),
        "dead": len(batch.refused),
        "state": int(t.Journal.PENDING if batch.records else t.Journal.DONE),
    }
    return _insert_row(tx, row, landing.body)


_COLUMNS = ("source", "arrival", "origin", "count", "trace", "landed_at", "received", "dead", "state")
_INSERT = Query(
    lambda _: (
        sa.insert(t.journal)
        .values({name: sa.bindparam(name, type_=t.journal.c[name].type) for name in _COLUMNS})
        .returning(t.journal.c.id)
    )
)


def _insert_row(tx: Transaction, row: dict[str, Any], body: bytes) -> int:
    ((number,),) = tx.run(_INSERT, **{"arrival": None, "dead": 0, "state": int(t.Journal.PENDING), **row})
    tx.insert(t.journal_body, ("journal_id", "body"), [(number, body)])
    return int(number)


def _unreadable(landing: Landing, refused: Any, journal_id: int | None) -> Dead:
    return Dead(
        stage="read",
        flow=landing.source,
        entity=landing.entity,
        key="",
        origin=landing.batch.origin,
        place=refused.place,
        raw=refused.raw,
        error=refused.error,
        journal_id=journal_id,
    )


def position(tx: Transaction, source: str) -> str | None:
    """How far `source` has been read."""
    rows = tx.rows(sa.select(t.checkpoint.c.position).where(t.checkpoint.c.source == source))
    return rows[0][0] if rows else None


def forget_position(tx: Transaction, source: str) -> None:
    """Read `source` from the start next time."""
    tx.execute(sa.delete(t.checkpoint).where(t.checkpoint.c.source == source))


class Claim:
    """Pending batches of one source that one worker has taken; committed once, or taken again by somebody."""

    def __init__(
        self, store: Store, entries: Sequence[Entry], open_transaction: Transaction | None, *, own: bool = False
    ) -> None:
        """`own`: the open transaction has landed them, and nobody else has seen them; its books say that they are done."""
        self._own = own
        self._store = store
        self._open = open_transaction
        self.entries = entries

    @contextmanager
    def commit(self) -> Iterator[Transaction | None]:
        """The transaction that applies the batches; None where another worker was faster."""
        if self._open is not None:
            yield self._open if self._mark(self._open) else None
            return
        with self._store.write() as tx, self._store.computing():
            yield tx if self._mark(tx) else None

    def _mark(self, tx: Transaction) -> bool:
        """Take the batches out of the queue, all or none; false when one was taken since they were read."""
        wanted = [entry.id for entry in self.entries]
        # What was locked, or written, in this very transaction is still as it was.
        if self._open is None and len(tx.run(_STILL_PENDING, ids=wanted)) < len(wanted):
            return False
        if not self._own:
            tx.run(_TAKE, ids=wanted)
        return True


_STILL_PENDING = Query(
    lambda among: sa.select(t.journal.c.id).where(among(t.journal.c.id, "ids"), t.journal.c.state == t.Journal.PENDING)
)
_TAKE = Query(lambda among: sa.update(t.journal).where(among(t.journal.c.id, "ids")).values(state=int(t.Journal.DONE)))


@contextmanager
def claim(store: Store, sources: Iterable[str], limit: int) -> Iterator[Claim]:
    """Take the oldest pending batches of one of the sources, at most `limit` records of them (but at least one batch).

    On PostgreSQL row locks keep other workers off until the commit, and a worker that dies lets go by dying. On SQLite,
    where a lock would stop all writers, the batches are read first and taken when the work is ready to be written.
    """
    if store.embedded:
        with store.computing(), store.read() as tx:
            entries = _pending(tx, sources, limit)
        yield Claim(store, entries, None)
    else:
        with store.write() as tx:
            yield Claim(store, _pending(tx, sources, limit), tx)


_with_body = t.journal.join(t.journal_body, t.journal.c.id == t.journal_body.c.journal_id)
_ENTRY = (
    t.journal.c.id,
    t.journal.c.source,
    t.journal.c.arrival,
    t.journal.c.origin,
    t.journal_body.c.body,
    t.journal.c.landed_at,
    t.journal.c.count,
)


class _Row(NamedTuple):
    id: int
    source: str
    arrival: int | None
    origin: str
    body: bytes
    landed_at: float
    records: int


_MOST_BATCHES = 64
_PENDING: sa.ColumnElement[int] = sa.literal_column(str(int(t.Journal.PENDING)))
"""Written into the statement: the index of what is pending is not used for a value that comes as a parameter."""


def _waiting() -> sa.Select[Any]:
    """Locked on databases that know row locks; SQLite leaves the words out."""
    pending = sa.select(*_ENTRY).select_from(_with_body).where(t.journal.c.state == _PENDING)
    return pending.order_by(t.journal.c.id).with_for_update(skip_locked=True, of=t.journal)


_ANY_SOURCE: sa.ColumnElement[str] = sa.literal_column("journal.source || ''", sa.String())
"""Not the bare column: its index would lead through everything that was ever done."""
_FIRST = Query(lambda among: _waiting().where(among(_ANY_SOURCE, "sources")).limit(1))
_MORE = Query(
    lambda _: (
        _waiting()
        .where(t.journal.c.source == sa.bindparam("source"), t.journal.c.id > sa.bindparam("after"))
        .limit(_MOST_BATCHES)
    )
)


def _pending(tx: Transaction, sources: Iterable[str], limit: int) -> list[Entry]:
    first = [_Row._make(row) for row in tx.run(_FIRST, sources=sources)]
    if not first or first[0].records >= limit:
        return [_entry(row) for row in first]
    more = tx.run(_MORE, source=first[0].source, after=first[0].id)
    return [_entry(row) for row in _within(limit, first, [_Row._make(row) for row in more])]


def _within(limit: int, first: Sequence[Any], more: Sequence[Any]) -> Iterator[Any]:
    total = 0
    for row in [*first, *more]:
        total += row.records
        if total > limit and total > row.records:
            return
        yield row


def _entry(row: Any) -> Entry:
    records, places, raws = unpack(row.body)
    arrival = row.arrival if row.arrival is not None else row.id
    return Entry(row.id, row.source, arrival, msgspec.json.decode(row.origin), records, places, row.landed_at, raws)


def load(tx: Transaction, journal_id: int) -> Entry | None:
    """One batch, for replay and trace; None where retention has trimmed it."""
    rows = tx.rows(sa.select(*_ENTRY).select_from(_with_body).where(t.journal.c.id == journal_id))
    return _entry(rows[0]) if rows else None


def pending(tx: Transaction, sources: Iterable[str]) -> int:
    """Records of these sources that wait to be applied; what a source left that is no longer there waits for its return."""
    waiting = sa.select(sa.func.coalesce(sa.func.sum(t.journal.c.count), 0))
    ours = (t.journal.c.state == t.Journal.PENDING, t.journal.c.source.in_(list(sources)))
    return int(tx.rows(waiting.where(*ours))[0][0])


def any_pending(tx: Transaction, sources: Iterable[str]) -> bool:
    """Whether anything of these sources waits to be applied: what comes now must not overtake it."""
    return bool(tx.run(_ANY_PENDING, sources=list(sources)))


_ANY_PENDING = Query(
    lambda among: (
        sa.select(t.journal.c.id).where(t.journal.c.state == _PENDING, among(t.journal.c.source, "sources")).limit(1)
    )
)


def raw_text(record: Raw) -> str:
    """A raw record as a person reads it and a replay takes it; numbers keep every digit."""
    return _encoder.encode(record).decode()


def raw_record(text: str) -> Raw:
    """The record behind `raw_text`."""
    record: Raw = _decoded(text)
    return record


class Again(NamedTuple):
    """One record to go through the hub again, with its place in time, so that nothing newer is overwritten."""

    source: str
    arrival: int | None
    landed_at: float
    """When the record first came: what counts as its time where its system does not say."""
    origin: str
    """JSON, as the journal has it."""
    record: Raw
    place: Place


def replay(tx: Transaction, again: Again, ids: Ids) -> int:
    """Queue one record again; returns the journal's number for it."""
    row = {
        "source": again.source,
        "arrival": again.arrival,
        "origin": again.origin,
        "count": 1,
        "trace": id_text(ids.take()[0]),
        "landed_at": again.landed_at,
        "received": 0,
    }
    return _insert_row(tx, row, pack([again.record], [again.place]))
