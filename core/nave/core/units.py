"""Amounts that a person writes with their unit (`30s`, `10MB`, `20/s`, `5%`), as types for any options model.

A bare number is refused wherever a unit matters: nobody can tell whether `timeout: 30` was meant in seconds or in
milliseconds. The errors are ValueErrors whose pydantic type (`duration_form` ...) stays stable, for translation.
Defaults in code are plain values (timedelta, int, float, Rate); a model built by hand takes the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import PydanticCustomError, core_schema

_NUMBER = r"[0-9]{1,15}(?:\.[0-9]{1,6})?"
_DURATION = rf"^({_NUMBER}) ?(ms|s|m|h|d|w)$"
_SIZE = rf"^({_NUMBER}) ?(B|KB|MB|GB|TB|KiB|MiB|GiB|TiB)$"
_RATE = rf"^({_NUMBER}) ?/ ?(s|m|h|d)$"
_SHARE = rf"^({_NUMBER}) ?%$"

_SECONDS = {
    "ms": Decimal("0.001"),
    "s": Decimal(1),
    "m": Decimal(60),
    "h": Decimal(3600),
    "d": Decimal(86_400),
    "w": Decimal(604_800),
}
_BYTES = {
    "B": 1,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
    "TiB": 2**40,
}
_LONGEST = 36_500 * 86_400


def _no_duration() -> ValueError:
    return PydanticCustomError(
        "duration_form", "expected a duration with its unit, such as 30s, 5m, 2h or 7d, at most 36500d"
    )


def _no_size() -> ValueError:
    return PydanticCustomError("size_form", "expected a size with its unit, such as 10MB, 64KiB or 2GB")


def _no_rate() -> ValueError:
    return PydanticCustomError("rate_form", "expected a rate above zero with its unit, such as 20/s, 100/m or 5/h")


def _no_share() -> ValueError:
    return PydanticCustomError("share_form", "expected a share between 0% and 100%, such as 5%")


def duration(text: str) -> timedelta:
    """Read `500ms`, `30s`, `5m`, `2h`, `7d`, `1w`, up to a hundred years; a ValueError says what is expected."""
    number, unit = _split(_DURATION, text, _no_duration)
    seconds = number * _SECONDS[unit]
    if seconds > _LONGEST:
        raise _no_duration()
    return timedelta(microseconds=int(seconds * 1_000_000))


def size(text: str) -> int:
    """Read `512B`, `10MB`, `64KiB`, `2GB` as whole bytes; a ValueError says what is expected."""
    number, unit = _split(_SIZE, text, _no_size)
    return int(number * _BYTES[unit])


def share(text: str) -> float:
    """Read `5%` as 0.05; a ValueError says what is expected."""
    number, _ = _split(_SHARE, text, _no_share)
    if number > 100:
        raise _no_share()
    return float(number / 100)


def rate(text: str) -> Rate:
    """Read `20/s`, `100/m`, `5/h`; a ValueError says what is expected, also for a rate of nothing."""
    number, unit = _split(_RATE, text, _no_rate)
    if not number:
        raise _no_rate()
    return Rate(float(number / _SECONDS[unit]))


def _split(pattern: str, text: str, refusal: Callable[[], ValueError]) -> tuple[Decimal, str]:
    """The number and the unit; the pattern is also what the JSON Schema shows, so white space around is refused."""
    found = re.fullmatch(pattern, text, re.ASCII)
    if found is None:
        raise refusal()
    return Decimal(found[1]), found[2] if found.re.groups > 1 else ""


def _duration_text(value: timedelta) -> str:
    microseconds = value // timedelta(microseconds=1)
    for unit in ("w", "d", "h", "m", "s"):
        whole, rest = divmod(microseconds, int(_SECONDS[unit] * 1_000_000))
        if whole and not rest:
            return f"{whole}{unit}"
    return f"{_plain(Decimal(microseconds) / 1000)}ms"


def _size_text(value: int) -> str:
    units = sorted(_BYTES.items(), key=lambda item: -item[1])
    unit, factor = next(((unit, factor) for unit, factor in units if value and value % factor == 0), ("B", 1))
    return f"{value // factor}{unit}"


def _rate_text(value: Rate) -> str:
    return f"{_plain(Decimal(repr(value.per_second)))}/s"


def _share_text(value: float) -> str:
    return f"{_plain(Decimal(repr(value)) * 100)}%"


def _plain(number: Decimal) -> str:
    """Without exponent and without zeros at the end, so that the text can be read back."""
    text = f"{number:.6f}"
    return text.rstrip("0").rstrip(".")


@dataclass(frozen=True, slots=True)
class _Written:
    """Tells pydantic how one kind of amount is read, shown and described."""

    read: Callable[[str], Any]
    show: Callable[[Any], str]
    kind: type
    pattern: str
    refusal: Callable[[], ValueError]
    example: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self._accept,
            serialization=core_schema.plain_serializer_function_ser_schema(self.show, when_used="json"),
        )

    def __get_pydantic_json_schema__(self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "string", "pattern": self.pattern, "examples": [self.example]}

    def _accept(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.read(value)
        if isinstance(value, self.kind) and self.kind not in (int, float):
            return value
        raise self.refusal()


@dataclass(frozen=True, slots=True)
class Rate:
    """How often something may happen, at most."""

    per_second: float

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return _RATE_WRITTEN.__get_pydantic_core_schema__(source, handler)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return _RATE_WRITTEN.__get_pydantic_json_schema__(schema, handler)


_RATE_WRITTEN = _Written(rate, _rate_text, Rate, _RATE, _no_rate, "20/s")

Duration = Annotated[timedelta, _Written(duration, _duration_text, timedelta, _DURATION, _no_duration, "30s")]
"""A length of time; a default is a plain timedelta."""
Size = Annotated[int, _Written(size, _size_text, int, _SIZE, _no_size, "10MB")]
"""Bytes; a default is a plain int."""
Share = Annotated[float, _Written(share, _share_text, float, _SHARE, _no_share, "5%")]
"""A part of the whole, 0 to 1; a default is a plain float."""
