"""Values of a driver as the hub keeps them raw, and values of the hub as a driver takes them."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from nave.connectors.wording import short
from nave.core.errors import PermanentError
from nave.core.protocols import Raw


def iso(moment: datetime | time) -> str:
    """`2026-11-21 14:20:03.118`: no fraction where there is none, three digits where they do, the offset if there is one."""
    spec = "microseconds" if moment.microsecond % 1000 else "milliseconds" if moment.microsecond else "seconds"
    return moment.isoformat(" ", spec) if isinstance(moment, datetime) else moment.isoformat(spec)


def _decimal(value: Decimal) -> Decimal:
    if not value.is_finite():
        raise PermanentError("NAVE-S036", value=str(value))
    return value


def _float(value: float) -> Decimal:
    if not math.isfinite(value):
        raise PermanentError("NAVE-S036", value=str(value))
    return Decimal(repr(value))


def _bytes(value: bytes | bytearray | memoryview) -> str:
    return base64.b64encode(value).decode("ascii")


def _list(value: Sequence[Any]) -> list[Any]:
    return [raw_value(one) for one in value]


def _dict(value: dict[str, Any]) -> dict[str, Any]:
    return {str(name): raw_value(one) for name, one in value.items()}


_RAW: dict[type, Callable[[Any], Any]] = {
    Decimal: _decimal,
    float: _float,
    datetime: iso,
    date: date.isoformat,
    time: iso,
    timedelta: str,
    bytes: _bytes,
    bytearray: _bytes,
    memoryview: _bytes,
    UUID: str,
    list: _list,
    tuple: _list,
    dict: _dict,
}
_PLAIN = frozenset({str, int, bool, type(None)})


def raw_value(value: Any) -> Any:
    """One value; a PermanentError for NaN and infinity. What no table knows (a vendor's own type) becomes its text."""
    if type(value) in _PLAIN:
        return value
    return _RAW.get(type(value), str)(value)


def raw_rows(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[Raw | PermanentError]:
    """Many rows: text, whole numbers, bool and None pass, the rest as `raw_value`; a row that cannot be kept is its error.

    Columns that hold nothing to convert, which is most of them, cost one look at all their types together.
    """
    records: list[Raw | PermanentError] = [dict(zip(names, row, strict=True)) for row in rows]
    columns = zip(names, zip(*rows, strict=True), strict=False)
    odd = [name for name, column in columns if not _PLAIN.issuperset(map(type, column))]
    if odd:
        records = [_converted(record, odd) for record in records if isinstance(record, dict)]
    return records


def _converted(record: Raw, odd: Sequence[str]) -> Raw | PermanentError:
    for name in odd:
        try:
            record[name] = raw_value(record[name])
        except PermanentError as error:
            return PermanentError(error.code, field=name, **dict[str, Any](error.params))
    return record


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _sqlite_time(value: datetime | time) -> str:
    return iso(value)


_PARAMETERS: dict[str, dict[type, Callable[[Any], Any]]] = {
    "sqlite": {Decimal: str, datetime: _sqlite_time, date: date.isoformat, time: iso, dict: _json, list: _json},
}
_PARAMETER: dict[type, Callable[[Any], Any]] = {dict: _json, list: _json}


def parameters(dialect: str, columns: Sequence[Sequence[Any]]) -> list[tuple[Any, ...]]:
    """Columns of the hub's values as rows for this dialect's driver; SQLite gets text for Decimal and dates."""
    table = _PARAMETERS.get(dialect, _PARAMETER)
    odd = table.keys()
    given = [column if odd.isdisjoint(map(type, column)) else [_given(table, one) for one in column] for column in columns]
    return list(zip(*given, strict=True))


def _given(table: Mapping[type, Callable[[Any], Any]], value: Any) -> Any:
    convert = table.get(type(value))
    return value if convert is None else convert(value)


def refused_row(row: Sequence[Any]) -> str:
    """A row that could not be read, for the dead letter."""
    return json.dumps([None if value is None else short(value, 4000) for value in row], ensure_ascii=False)
