"""What files must be before anything of them is taken in: they add up, and are numbered without gaps."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, BinaryIO

import sqlalchemy as sa

from nave.config.systemfile import ExpectFile
from nave.core import findings, receipts
from nave.core.clock import Clock, Ids
from nave.core.entities import decode
from nave.core.errors import NaveError, PermanentError
from nave.core.findings import Finding
from nave.core.protocols import Refused
from nave.core.store import Store, Transaction
from nave.core.store import schema as t
from nave.formats import Format, JsonFormat, XmlFormat, read
from nave.workers.rejects import is_mended

GAP = "NAVE-K312"
_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,30})(?:\.[0-9]{1,30})?")
_PART = 2**20


@dataclass(frozen=True)
class Weighing:
    """Looks through a file before anything of it is taken in; `connectors` call it as a setting's `weigh`."""

    source: str
    entity: str
    expect: ExpectFile
    layout: Any
    store: Store
    clock: Clock
    ids: Ids

    def __call__(self, name: str, file: BinaryIO) -> Mapping[str, str | int]:
        """More for the file's origin; a PermanentError refuses it whole. Files of mended lines are not weighed."""
        try:
            if _mended(file, self.layout):
                return {}
            self._totals(file)
            return self._sequence(name, file)
        except (NaveError, OSError):
            raise
        except Exception as error:
            raise PermanentError("NAVE-S023", reason=f"{type(error).__name__}: {error}"[:200]) from error

    def _totals(self, file: BinaryIO) -> None:
        expect = self.expect
        if not (expect.control_total or expect.count):
            return
        stated = {path: _stated(file, self.layout, path) for path in (expect.control_total, expect.count) if path}
        outside = frozenset(path.split("/")[0] for path in stated)
        total, count = _added_up(file, self.layout, expect.field, outside)
        if expect.count and stated[expect.count] != count:
            raise PermanentError("NAVE-K306", found=count, path=expect.count, expected=stated[expect.count])
        if expect.control_total and stated[expect.control_total] != total:
            raise PermanentError(
                "NAVE-K305",
                found=f"{total:f}",
                path=expect.control_total,
                expected=f"{stated[expect.control_total]:f}",
                field_name=expect.field,
                records=count,
            )

    def _sequence(self, name: str, file: BinaryIO) -> Mapping[str, str | int]:
        sequence = self.expect.sequence
        if sequence is None:
            return {}
        if sequence.file:
            before, _, behind = sequence.file.partition("{n}")
            found = re.fullmatch(f"{re.escape(before)}([0-9]{{1,18}}){re.escape(behind)}", name)
            if found is None:
                raise PermanentError("NAVE-K307", path=sequence.file, found=name[:80])
            number = int(found[1])
        else:
            number = int(_stated(file, self.layout, sequence.path or ""))
        with self.store.read() as tx:
            last = receipts.newest_number(tx, self.source)
            earlier = _earlier(tx, self.source, number)
        if last is not None:
            self._in_turn(number, last, earlier, file)
        return {receipts.NUMBER: number}

    def _in_turn(self, number: int, last: int, earlier: Mapping[str, str], file: BinaryIO) -> None:
        if number == last + 1:
            return
        if number <= last and earlier:
            file.seek(0)
            digest = hashlib.sha256()
            while part := file.read(_PART):
                digest.update(part)
            if digest.hexdigest() not in earlier:
                raise PermanentError("NAVE-K309", found=number, name=next(iter(earlier.values())))
            return
        if number <= last or (self.expect.sequence and self.expect.sequence.gaps == "refuse"):
            raise PermanentError("NAVE-K308", found=number, expected=last + 1)
        params = {"source": self.source, "found": number, "expected": last + 1}
        gap = Finding(GAP, self.entity, self.source, f"{last + 1}-{number - 1}", params=params)
        with self.store.write() as tx:
            findings.report(tx, [gap], now=self.clock(), ids=self.ids)


def _earlier(tx: Transaction, source: str, number: int) -> dict[str, str]:
    """Files that had this number: name by hash of the content."""
    k = t.taken.c
    rows = tx.rows(sa.select(k.name, k.origin).where(k.source == source, k.number == number, k.state != t.Reading.TORN))
    return {str(decode(row.origin).get("sha256")): row.name for row in rows}


def _rows(file: BinaryIO, layout: Any) -> Iterator[Any]:
    file.seek(0)
    plain = layout.model_copy(update={"join": None}) if getattr(layout, "join", None) else layout
    return (row.value for row in read(file, plain))


def _mended(file: BinaryIO, layout: Any) -> bool:
    try:
        first = next(_rows(file, layout), None)
    except PermanentError:
        return False
    return isinstance(first, dict) and is_mended(first)


def _stated(file: BinaryIO, layout: Any, path: str) -> Decimal:
    """The number that stands at a path of the file, beside its records."""
    *outer, name = path.split("/")
    if layout.type == "csv":
        found = [row for row in _rows(file, layout) if isinstance(row, dict) and _kind(row) == outer[0]]
    else:
        file.seek(0)
        where = "/".join(outer)
        inner: Format = (
            XmlFormat(record=where, encoding=layout.encoding)
            if layout.type == "xml"
            else JsonFormat(record=where, encoding=layout.encoding)
        )
        found = [row.value for row in read(file, inner) if isinstance(row.value, dict)]
    values = [value for row in found for value in _values(row, [name])]
    if len(values) != 1:
        raise PermanentError("NAVE-K307", path=path, found="-" if not values else ", ".join(map(str, values))[:80])
    return _decimal(values[0], path)


def _kind(row: Mapping[str, Any]) -> str:
    return str(next(iter(row.values()), ""))


def _added_up(file: BinaryIO, layout: Any, name: str | None, outside: frozenset[str]) -> tuple[Decimal, int]:
    """Sum and count of the records; one row at a time is held."""
    total, count = Decimal(0), 0
    steps = re.split(r"[/.]", name) if name else []
    for row in _rows(file, layout):
        if layout.type == "csv" and isinstance(row, dict) and _kind(row) in outside:
            continue
        count += 1
        if isinstance(row, Refused) or not steps:
            continue
        total += sum((_decimal(value, name or "") for value in _values(row, steps)), Decimal(0))
    return total, count


def _values(value: Any, steps: list[str]) -> Iterator[Any]:
    """What stands at a path, in every branch of it; nothing where it is empty."""
    if isinstance(value, list):
        for one in value:
            yield from _values(one, steps)
    elif steps:
        if isinstance(value, dict) and steps[0] in value:
            yield from _values(value[steps[0]], steps[1:])
    elif isinstance(value, dict):
        yield from _values(value.get("#text"), [])
    elif value is not None and value != "":
        yield value


def _decimal(value: Any, path: str) -> Decimal:
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return Decimal(value)
    text = str(value).strip()
    if not _NUMBER.fullmatch(text):
        raise PermanentError("NAVE-K307", path=path, found=text[:80])
    return Decimal(text.replace(",", ""))
