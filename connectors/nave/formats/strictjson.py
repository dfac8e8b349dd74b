"""JSON without its ambiguities: fractions are Decimal, and what two readers could understand differently is refused."""

from __future__ import annotations

import json
import re
from collections import Counter
from contextlib import suppress
from decimal import Decimal
from functools import cache
from typing import Any, NoReturn

from nave.core.errors import PermanentError
from nave.formats.encodings import undecoded
from nave.formats.limits import DEFAULTS, Limits
from nave.formats.rows import shown

_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_BOM = "\ufeff"


def loads(data: bytes, limits: Limits = DEFAULTS) -> Any:
    """One JSON document in UTF-8, whole; PermanentError for anything that is not exactly that.

    NAVE-D103 wrong encoding, -D130 syntax (with line and column), -D131 a key twice, -D132 NaN or Infinity, -D133 too
    deep, -D134 a number too long, -D135 too many keys, -D136 half a surrogate pair. The size is the caller's to limit.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise undecoded("utf-8", error.start, data[error.start :]) from None
    text = text.removeprefix(_BOM)
    try:
        value = decoder(limits).decode(text)
    except json.JSONDecodeError as error:
        raise syntax(error) from None
    except RecursionError:
        raise PermanentError("NAVE-D133", limit=limits.json_depth) from None
    return sound(value, text, limits)


def sound(value: Any, text: str, limits: Limits) -> Any:
    """`value` itself, once its depth and its texts are known to be fit; `text` is what it was read from."""
    if text.count("[") + text.count("{") > limits.json_depth and _deeper(value, limits.json_depth):
        raise PermanentError("NAVE-D133", limit=limits.json_depth)
    if "\\u" in text and _SURROGATE.search(text):
        _refuse_halves(value)
    return value


def syntax(error: json.JSONDecodeError, lines: int = 0) -> PermanentError:
    """The error for text that is not JSON, `lines` after the beginning of the file."""
    near = shown(error.doc[error.pos : error.pos + 40])
    return PermanentError("NAVE-D130", line=error.lineno + lines, column=error.colno, near=near, reason=error.msg)


@cache
def decoder(limits: Limits) -> json.JSONDecoder:
    """The strict decoder; its `raw_decode` raises JSONDecodeError for syntax and PermanentError for the rest."""

    def whole(text: str) -> int:
        if len(text) > limits.json_digits:
            raise PermanentError("NAVE-D134", limit=limits.json_digits, value=shown(text))
        return int(text)

    def fraction(text: str) -> Decimal:
        if len(text) <= limits.json_digits:
            with suppress(ArithmeticError):
                value = Decimal(text)
                if abs(value.adjusted()) <= limits.json_digits:
                    return value
        raise PermanentError("NAVE-D134", limit=limits.json_digits, value=shown(text))

    def record(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) != len(pairs):
            _refuse_twice(pairs)
        if len(made) > limits.json_keys:
            raise PermanentError("NAVE-D135", limit=limits.json_keys)
        return made

    return json.JSONDecoder(object_pairs_hook=record, parse_int=whole, parse_float=fraction, parse_constant=_refuse_constant)


@cache
def finder() -> json.JSONDecoder:
    """A decoder that only finds where a value ends, for values that the strict one has refused."""
    return json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str)


def _refuse_constant(name: str) -> NoReturn:
    raise PermanentError("NAVE-D132", value=name)


def _refuse_twice(pairs: list[tuple[str, Any]]) -> NoReturn:
    twice, _ = Counter(key for key, _ in pairs).most_common(1)[0]
    raise PermanentError("NAVE-D131", key=shown(twice))


def _deeper(value: Any, limit: int) -> bool:
    level = [value]
    for _ in range(limit):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True


def _refuse_halves(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError as error:
        raise PermanentError("NAVE-D136", value=f"\\u{ord(error.object[error.start]):04x}") from None
