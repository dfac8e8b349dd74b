"""Takes rows from an interface table, and writes their status back once they are safe.

The status in the table is what counts, not the moment: whatever is new there is either landed or, if the checkpoint
knows it just as it is, only its status is written. So it does not matter where a process ends.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine

from nave.connectors.sql.errors import translating
from nave.connectors.sql.options import SqlSourceOptions
from nave.connectors.sql.status import Form, begin, form
from nave.connectors.sql.values import refused_row
from nave.connectors.wording import short
from nave.core.errors import ConfigError, NaveError, PermanentError, RetryableError
from nave.core.protocols import Batch, Raw, Refused

STUCK = 500
"""Rows whose status cannot be written, at most, before nothing more is read."""

Shape = Callable[[Connection, list[str], Sequence[Any]], list[Raw | PermanentError]]


@dataclass(frozen=True, slots=True)
class _Row:
    key: Any
    digest: str
    """Of all its columns: it changes with any of them."""
    values: Any
    record: Raw | PermanentError


class InterfaceTable:
    """One pass over a table; nothing is locked while the hub commits."""

    def __init__(self, engine: Engine, options: SqlSourceOptions, name: str, shape: Shape) -> None:
        self._engine = engine
        self._options = options
        self._name = name
        self._shape = shape
        self._stuck: dict[Any, tuple[str, str]] = {}
        """By key, the digest of the row and the batch that took it."""
        self._reason: NaveError | None = None
        self._form: Form | None = None

    def read(self, after: str | None) -> Iterator[Batch]:
        """Yield what is new; RetryableError at the end where a status could not be written."""
        told = _parse(after)
        kept = dict(told)
        origin = {"unit": "row", "table": self._options.table or self._name}
        number = 0
        while rows := self._page():
            fresh = [row for row in rows if row.digest not in told]
            if fresh:
                batch = self._batch_name()
                kept = {row.digest: batch for row in fresh} | told | dict(self._stuck.values())
                yield _batch(fresh, number, origin | ({"batch": batch} if batch else {}), _text(kept))
                number += len(fresh)
            self._tell(rows, kept)
            for row in rows:
                told.pop(row.digest, None)
        if kept != dict(self._stuck.values()):
            yield Batch([], [], origin, _text(dict(self._stuck.values())))
        if self._stuck:
            raise self._trouble()

    def _batch_name(self) -> str:
        """What a batch is known by in the table; empty where nothing of that is kept there."""
        return secrets.token_hex(8) if self._form is not None and self._form.receipt else ""

    def _page(self) -> list[_Row]:
        """The next rows that are new, with what is kept of them."""
        with translating(self._name), self._engine.connect() as connection:
            if self._form is None:
                self._form = form(connection, self._options, self._name)
            found = connection.execute(self._form.page(list(self._stuck), self._options.batch)).all()
            records = self._shape(connection, list(self._form.names), found) if found else []
        key = self._form.names.index(self._form.key)
        rows = [_Row(row[key], digest_of(row), row, one) for row, one in zip(found, records, strict=True)]
        self._apart(rows)
        return rows

    def _apart(self, rows: Sequence[_Row]) -> None:
        keys: set[Any] = set()
        for row in rows:
            if row.key is None or row.key in keys or row.key in self._stuck:
                assert self._form is not None
                raise ConfigError("NAVE-K200", name=self._name, column=self._form.key, value=short(row.key))
            keys.add(row.key)

    def _tell(self, rows: Sequence[_Row], taken: Mapping[str, str]) -> None:
        """Write the status of rows that are landed; where one is refused, for each half. `taken`: by digest, the batch."""
        try:
            with translating(self._name), self._engine.connect() as connection:
                begin(connection)
                self._write(connection, {row.key: row for row in rows}, taken)
                connection.commit()
        except PermanentError as error:
            if len(rows) == 1:
                self._give_up(rows[0], taken, error)
                return
            middle = len(rows) // 2
            self._tell(rows[:middle], taken)
            self._tell(rows[middle:], taken)

    def _write(self, connection: Connection, rows: Mapping[Any, _Row], taken: Mapping[str, str]) -> None:
        """Rows that somebody changed since they were read, or took, are left as they are."""
        assert self._form is not None
        key = self._form.names.index(self._form.key)
        there = connection.execute(self._form.again(list(rows))).all()
        same = [rows[row[key]] for row in there if digest_of(row) == rows[row[key]].digest]
        done: dict[str, list[Any]] = {}
        for row in same:
            if not isinstance(row.record, PermanentError):
                done.setdefault(taken[row.digest], []).append(row.key)
        for batch, keys in done.items():
            connection.execute(self._form.done(keys, batch))
        for row in same:
            if isinstance(row.record, PermanentError):
                connection.execute(self._form.failed(row.key, row.record))
        unmoved = {row[0] for row in connection.execute(self._form.unmoved([row.key for row in same]))} if same else set()
        if unmoved:  # a trigger or a rule puts it back: without this the same row would come for ever
            raise PermanentError("NAVE-S033", name=self._name, reason=f"{self._form.status} = {short(self._form.new)}")

    def _give_up(self, row: _Row, taken: Mapping[str, str], error: PermanentError) -> None:
        self._stuck[row.key] = (row.digest, taken[row.digest])
        self._reason = self._reason or error
        if len(self._stuck) > STUCK:
            raise self._trouble()

    def _trouble(self) -> RetryableError:
        reason = self._reason.params.get("reason", "") if self._reason else ""
        first = short(next(iter(self._stuck)))
        return RetryableError("NAVE-K201", name=self._name, count=len(self._stuck), key=first, reason=reason)


def _batch(rows: Sequence[_Row], before: int, origin: Mapping[str, str | int], position: str) -> Batch:
    good = [(number, row) for number, row in enumerate(rows, before + 1) if not isinstance(row.record, PermanentError)]
    records = [row.record for _, row in good if isinstance(row.record, dict)]
    refused = [
        Refused((number, None), refused_row(row.values), row.record)
        for number, row in enumerate(rows, before + 1)
        if isinstance(row.record, PermanentError)
    ]
    return Batch(records, [(number, None) for number, _ in good], origin, position, refused, None, before == 0)


def digest_of(row: Sequence[Any]) -> str:
    """Of a row as the driver gives it."""
    text = repr([bytes(one) if isinstance(one, memoryview) else one for one in row])
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def _text(told: Mapping[str, str]) -> str:
    batches: dict[str, list[str]] = {}
    for digest, batch in sorted(told.items()):
        batches.setdefault(batch, []).append(digest)
    known: Any = batches.get("", []) if set(batches) <= {""} else batches
    return json.dumps({"told": known}, separators=(",", ":"))


def _parse(text: str | None) -> dict[str, str]:
    """The digests of rows that are landed, and whose status may not be written yet, with the batches that took them."""
    if text is None:
        return {}
    try:
        told = json.loads(text)["told"]
        batches = told if isinstance(told, dict) else {"": told}
        if not all(isinstance(some, list) and all(isinstance(one, str) for one in some) for some in batches.values()):
            raise ValueError("no digests")
    except (ValueError, TypeError, KeyError) as error:
        raise ConfigError("NAVE-S003", position=short(text)) from error
    return {one: batch for batch, some in batches.items() for one in some}
