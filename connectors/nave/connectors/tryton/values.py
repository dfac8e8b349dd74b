"""Values as Tryton writes them in JSON, both ways: decimals, dates and times are objects that say their class."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any

from nave.core.errors import PermanentError

_PARTS = ("hour", "minute", "second", "microsecond")


def _moment(given: Mapping[str, Any]) -> str:
    """Tryton's times are UTC without saying so."""
    at = datetime.combine(date.fromisoformat(_day(given)), _hour(given), UTC)
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _hour(given: Mapping[str, Any]) -> time:
    hour, minute, second, microsecond = (int(given[name]) for name in _PARTS)
    return time(hour, minute, second, microsecond)


def _day(given: Mapping[str, Any]) -> str:
    return date(int(given["year"]), int(given["month"]), int(given["day"])).isoformat()


_READ: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {
    "Decimal": lambda given: Decimal(given["decimal"]),
    "datetime": _moment,
    "date": _day,
    "time": lambda given: _hour(given).isoformat(),
    "timedelta": lambda given: Decimal(str(given["seconds"])),
    "bytes": lambda given: "".join(str(given["base64"]).split()),
}


def read(value: Any) -> Any:
    """What the hub keeps of a value; the fields of a record that is referred to (`country.`) stand under its name.

    ValueError, TypeError, KeyError or ArithmeticError for an object that is not what its class says.
    """
    if isinstance(value, list):
        return [read(one) for one in value]
    if not isinstance(value, dict):
        return value
    kind = value.get("__class__")
    if kind is not None:
        return _READ[kind](value)
    plain = {name: read(one) for name, one in value.items() if not name.endswith(".")}
    return plain | {name[:-1]: read(one) for name, one in value.items() if name.endswith(".")}


def moment(text: str) -> dict[str, Any]:
    """The other way round for a moment that `read` gave."""
    at = datetime.fromisoformat(text).astimezone(UTC)
    return _moment_of(at)


def _moment_of(value: Any) -> dict[str, Any]:
    at = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    at = at.astimezone(UTC) if at.tzinfo else at
    return {"__class__": "datetime", **{name: getattr(at, name) for name in ("year", "month", "day", *_PARTS)}}


def _day_of(value: Any) -> dict[str, Any]:
    day = value if isinstance(value, date) else date.fromisoformat(str(value))
    return {"__class__": "date", "year": day.year, "month": day.month, "day": day.day}


def _number(value: Any) -> Decimal:
    number = Decimal(str(value))
    if not number.is_finite():
        raise InvalidOperation
    return number


def _whole(value: Any) -> int:
    number = _number(value)
    if number != int(number):
        raise ValueError
    return int(number)


def _text(value: Any) -> str:
    if isinstance(value, bool | list | dict):
        raise TypeError
    return str(value)


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


_WRITE: Mapping[str, Callable[[Any], Any]] = {
    "numeric": lambda value: {"__class__": "Decimal", "decimal": str(_number(value))},
    "float": lambda value: float(_number(value)),
    "integer": _whole,
    "biginteger": _whole,
    "many2one": _whole,
    "one2one": _whole,
    "boolean": _truth,
    "char": _text,
    "text": _text,
    "fulltext": _text,
    "selection": _text,
    "reference": _text,
    "date": _day_of,
    "datetime": _moment_of,
    "timestamp": _moment_of,
    "many2many": lambda value: sorted({_whole(one) for one in value}),
    "binary": lambda value: {"__class__": "bytes", "base64": base64.b64encode(str(value).encode()).decode()},
}


def written(kind: str, value: Any, path: str) -> Any:
    """A value as a field of this type takes it; NAVE-K406 for one that it cannot take."""
    if value is None or (value == "" and kind not in ("char", "text", "fulltext")):
        return None
    make = _WRITE.get(kind)
    try:
        if make is None:
            raise TypeError
        return make(value)
    except (ValueError, TypeError, ArithmeticError) as error:
        raise PermanentError("NAVE-K406", field=path, path=path, kind=kind, value=str(value)[:80]) from error


_EMPTY = (None, "", False)


def same(kind: str, held: Any, wanted: Any) -> bool:
    """Whether a field holds what is to be written, both as in JSON; empty text and nothing are alike to Tryton."""
    one, other = read(held), read(wanted)
    if kind == "many2one" and isinstance(one, dict):
        one = one.get("id")
    if kind in ("numeric", "float") and one is not None and other is not None:
        return Decimal(str(one)) == Decimal(str(other))
    if kind == "many2many":
        return sorted(one or ()) == sorted(other or ())
    if kind in ("text", "fulltext", "char"):
        one, other = (text.replace("\r\n", "\n") if isinstance(text, str) else text for text in (one, other))
    return bool(one == other or (one in _EMPTY and other in _EMPTY))
