"""Writes rows of one model: looked for by the hub's own key, compared, and saved only where they differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import TracebackType

from nave.connectors.tryton.options import TrytonOptions, TrytonSinkOptions
from nave.connectors.tryton.peer import Peer, Row
from nave.connectors.tryton.saving import changes, creation, wakes
from nave.connectors.tryton.shapes import Shape, Shapes, Wanted
from nave.connectors.tryton.standing import Held, Standing
from nave.connectors.wording import short
from nave.core.errors import ConfigError, NaveError, PermanentError, RetryableError, UnknownOutcome
from nave.core.protocols import Outbound, Outcome, Receipt, Setting

_MOST_PRESSES = 10
_UNREACHED = "NAVE-S050"
_HELD_BACK = "NAVE-S058"


class TrytonSink:
    """One model. Keeps no version: what comes last wins, so the hub must not send older ones, and does not."""

    def __init__(self, connection: TrytonOptions, options: TrytonSinkOptions, setting: Setting) -> None:
        self._options = options
        self._url = connection.url
        self._holder = setting.holder or (lambda _key: None)
        self._given: dict[str, str] = {}
        """Of the rows of one call, whose they are: the hub hears of that afterwards."""
        self._peer = Peer(connection, setting)
        self._shapes = Shapes(self._peer, options)
        self._standing = Standing(self._peer, options)

    def __enter__(self) -> TrytonSink:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._peer.close()

    def write(self, records: Sequence[Outbound]) -> Sequence[Receipt]:
        """One receipt per record. RetryableError when the server is away, ConfigError when it turns all away alike.

        Once it does not answer any more, those that have not begun are held back.
        """
        if not records:
            return []
        records = [_named(one) for one in records]
        shape = self._shapes.shape([one for one in records if not one.retired])
        rows = self._shapes.rows(shape, records)
        held = self._standing.of(shape, records)
        receipts: list[Receipt] = []
        self._given.clear()
        for record, wanted in zip(records, rows, strict=True):
            receipt = self._one(shape, record, wanted, held)
            receipts.append(receipt)
            if receipt.remote_key is not None and receipt.error is None:
                self._given[receipt.remote_key] = record.key
            if isinstance(receipt.error, ConfigError) or (receipt.error and receipt.error.code in _AWAY):
                break
        if len(receipts) == 1 and receipts[0].error and receipts[0].error.code == _UNREACHED:
            raise receipts[0].error
        back = RetryableError(_HELD_BACK, url=self._url)
        return receipts + [Receipt(Outcome.RETRY, error=back, tried=False) for _ in records[len(receipts) :]]

    def probe(self, record: Outbound) -> Receipt | None:
        """A receipt if Tryton holds the record as it was sent, None if it does not; NaveError where nobody can tell."""
        record = _named(record)
        shape = self._shapes.shape([] if record.retired else [record])
        (wanted,) = self._shapes.rows(shape, [record])
        held = self._standing.of(shape, [record])
        row = self._row(held, record)
        if record.retired or row is None:
            return Receipt(Outcome.DUPLICATE, record.remote_key) if record.retired and row is None else None
        if isinstance(wanted, NaveError):
            raise wanted
        there = not self._changes(shape, held, row, wanted)
        return Receipt(Outcome.DUPLICATE, str(row["id"])) if there and row.get("state") not in self._options.then else None

    def _one(self, shape: Shape, record: Outbound, wanted: Wanted | NaveError, held: Held) -> Receipt:
        try:
            row = self._row(held, record)
            if record.retired:
                return self._retire(record, row)
            if isinstance(wanted, NaveError):
                raise wanted
            if row is None:
                return self._made(shape, record, wanted)
            return self._changed(shape, record, row, held, wanted)
        except PermanentError as error:
            return Receipt(Outcome.REJECTED, record.remote_key, error, raw=short(error.params.get("reason", ""), 2000))
        except UnknownOutcome as error:
            return Receipt(Outcome.UNKNOWN, record.remote_key, error)
        except (ConfigError, RetryableError) as error:
            tried = not isinstance(error, ConfigError) and error.code not in _AWAY
            return Receipt(Outcome.RETRY, record.remote_key, error, tried=tried)

    def _made(self, shape: Shape, record: Outbound, wanted: Wanted) -> Receipt:
        try:
            values = creation(wanted)
            inactive = values.get("active") is False and values.pop("active") is False
            number = self._peer.create(self._options.model, values)
        except PermanentError:
            held = self._standing.of(shape, [record])  # one that seemed lost may have come through meanwhile
            if (row := self._row(held, record)) is None:
                raise
            return self._changed(shape, record, row, held, wanted)
        if inactive:  # one that was never active would take no other value
            self._peer.write(self._options.model, number, {"active": False}, None)
        if self._options.then:
            self._press(number, str(self._state(number)))
        return Receipt(Outcome.ACCEPTED, str(number))

    def _changed(self, shape: Shape, record: Outbound, row: Row, held: Held, wanted: Wanted) -> Receipt:
        model, number = self._options.model, int(row["id"])
        values = self._changes(shape, held, row, wanted)
        stamp = _stamp(row)
        if values and row.get("active") in (False, 0) and "active" in values and len(values) > 1:
            # Nothing else of a row may be changed while it is not active.
            self._peer.write(model, number, {"active": values.pop("active")}, stamp)
            stamp = None
        if values:
            self._peer.write(model, number, values, stamp)
            if wakes(values):
                self._go_on(shape, replace(record, remote_key=str(number)), wanted)
        pressed = self._press(number, str(row.get("state"))) if self._options.then else False
        return Receipt(Outcome.ACCEPTED if values or pressed else Outcome.DUPLICATE, str(number))

    def _go_on(self, shape: Shape, record: Outbound, wanted: Wanted) -> None:
        """What could not be done while some of its children were put away."""
        held = self._standing.of(shape, [record])
        row = held.row(record)
        if row is not None and (more := self._changes(shape, held, row, wanted)):
            self._peer.write(self._options.model, int(row["id"]), more, _stamp(row))

    def _row(self, held: Held, record: Outbound) -> Row | None:
        """The row of a record; NAVE-K359 where it is found by its key, and is another record's. Nothing of a retired one."""
        row = held.row(record)
        if row is None or record.remote_key == str(row["id"]):
            return row
        other = self._given.get(str(row["id"])) or self._holder(str(row["id"]))
        if other in (None, record.key):
            return row
        if record.retired:
            return None
        key = self._options.key
        said = {"id": row["id"], "model": self._options.model, "field": key, "value": short(row.get(key)), "other": other}
        raise PermanentError("NAVE-K359", **said) if self._options.key_once else RetryableError("NAVE-K359", **said)

    def _changes(self, shape: Shape, held: Held, row: Row, wanted: Wanted) -> Row:
        """What is to be saved of a row that is there."""
        key = self._options.key
        if self._options.key_once and row.get(key) not in (None, ""):
            wanted = replace(wanted, values={name: value for name, value in wanted.values.items() if name != key})
        return changes(shape, self._options.children, row, held.families(row), wanted)

    def _press(self, number: int, state: str) -> bool:
        """Press what is to be pressed in each state, until there is nothing for the state that it has."""
        pressed = 0
        while (button := self._options.then.get(state)) is not None:
            if pressed == _MOST_PRESSES:
                raise PermanentError("NAVE-K400", what=f"{self._options.model}.{button}", reason=f"still {state}")
            self._peer.press(self._options.model, number, button)
            pressed, before = pressed + 1, state
            state = str(self._state(number))
            if state == before:
                raise PermanentError("NAVE-K400", what=f"{self._options.model}.{button}", reason=f"still {state}")
        return pressed > 0

    def _state(self, number: int) -> object:
        rows = self._peer.rows(self._options.model, [["id", "=", number]], ["state"], limit=1)
        return rows[0].get("state") if rows else None

    def _retire(self, record: Outbound, row: Row | None) -> Receipt:
        if self._options.retired == "keep":
            return Receipt(Outcome.DUPLICATE, record.remote_key, tried=False)
        if row is None:
            return Receipt(Outcome.DUPLICATE, record.remote_key)
        number = int(row["id"])
        if self._options.retired == "delete":
            self._peer.delete(self._options.model, number)
        elif row.get("active") in (False, 0):
            return Receipt(Outcome.DUPLICATE, str(number))
        else:
            self._peer.write(self._options.model, number, {"active": False}, None)
        return Receipt(Outcome.ACCEPTED, str(number))


def _stamp(row: Row) -> str | None:
    return str(row["_timestamp"]) if row.get("_timestamp") is not None else None


def _named(record: Outbound) -> Outbound:
    """A row that Tryton itself told of is known by the id that the mapping gives, where no write has been answered yet."""
    number = record.values.get("id")
    return record if record.remote_key is not None or number in (None, "") else replace(record, remote_key=str(number))


_AWAY = frozenset({_UNREACHED, "NAVE-S051", "NAVE-K403", "NAVE-E001"})
"""Tryton does not answer, or the hub's own store."""
