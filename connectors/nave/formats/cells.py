"""Values as the text of one cell, and as JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from functools import cache
from math import isfinite
from typing import Any

import msgspec

from nave.core.errors import PermanentError
from nave.formats.rows import shown


def cell(value: Any) -> str:
    """A value as the text of one cell: Decimal in full, dates ISO, lists and dicts as JSON, None empty."""
    return _CELLS.get(type(value), str)(value)


def _nested(value: Any) -> str:
    return encoder()(value).decode()


@cache
def encoder() -> Callable[[Any], bytes]:
    """Any value as JSON: Decimal as a number with all its digits; NAVE-D180 for what JSON cannot hold."""
    encode = msgspec.json.Encoder(decimal_format="number").encode

    def encoded(value: Any) -> bytes:
        try:
            data = encode(value)
        except (UnicodeEncodeError, TypeError, ValueError) as error:
            raise PermanentError("NAVE-D180", format="JSON", value=shown(error)) from None
        if b"null" in data or b"NaN" in data or b"Infinity" in data:
            _refuse_endless(value)
        return data

    return encoded


def _refuse_endless(value: Any) -> None:
    """The encoder writes NaN as it is, or as null; nobody who reads it would know."""
    if isinstance(value, float | Decimal) and not isfinite(value):
        raise PermanentError("NAVE-D180", format="JSON", value=shown(value))
    for inner in value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ():
        _refuse_endless(inner)


_CELLS: Mapping[type, Callable[[Any], str]] = {
    str: str,
    type(None): lambda _: "",
    bool: lambda value: "true" if value else "false",
    Decimal: lambda value: format(value, "f"),
    datetime: lambda value: value.isoformat(" "),
    dict: _nested,
    list: _nested,
}
