"""How names, times, addresses and titles are written in a hub folder, and the model that all its files follow."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

_NAME = r"^[a-z][a-z0-9_-]{0,62}$"
FIELD_NAME = r"^[a-z][a-z0-9_]{0,62}$"
_RESERVED = frozenset({"nave", "hub", "all"})
_RESERVED_FIELDS = frozenset({"id", "version", "keys", "systems", "default", "groups", "blank"})
RULES = ("most_recent", "most_complete", "longest", "union")


def is_name(text: str) -> bool:
    """Whether something in a hub can be called this."""
    return re.fullmatch(_NAME, text, re.ASCII) is not None and text not in _RESERVED


def as_numbered(value: str) -> str:
    if value.count("{n}") != 1 or "/" in value:
        raise ValueError("expected a file name with {n} in it once, such as orders_{n}.xml")
    return value


def as_inside_file(value: str) -> str:
    parts = value.split("/")
    if len(parts) < 2 or not all(parts):
        raise ValueError("expected a path such as Trailer/Amount")
    return value


def as_days(value: str) -> str:
    named = value.endswith(".csv") and not value.startswith("/") and ".." not in value.split("/") and "\\" not in value
    if value not in ("daily", "workdays") and not named:
        raise ValueError("expected daily, workdays, or a CSV file inside the hub's folder")
    return value


def as_folder(value: str) -> str:
    parts = value.split("/")
    if any(part in ("", ".", "..") or part.startswith(".nave") for part in parts) or "\0" in value or "\\" in value:
        raise ValueError("expected the name of a folder inside the connection's folder, such as receipts")
    return value


def _called(pattern: str, reserved: frozenset[str]) -> PlainValidator:
    def check(value: Any) -> str:
        if not isinstance(value, str) or not re.fullmatch(pattern, value, re.ASCII):
            raise PydanticCustomError("name_form", "expected a name of small letters, digits, - and _")
        if value in reserved:
            raise PydanticCustomError("name_reserved", "this name is reserved")
        return value

    return PlainValidator(check)


def _time_zone(value: str) -> str:
    try:
        return ZoneInfo(value).key
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError) as error:
        raise PydanticCustomError("time_zone", "not a time zone") from error


def _cron(value: str) -> str:
    from cronsim import CronSim, CronSimError

    try:
        next(CronSim(value, datetime(2026, 1, 1, tzinfo=UTC)))
    except (CronSimError, StopIteration) as error:
        raise PydanticCustomError("cron", "not a cron expression") from error
    return value


def as_url(*schemes: str) -> AfterValidator:
    def check(value: str) -> str:
        scheme = value.partition("://")[0].partition("+")[0]
        if "://" not in value or scheme not in schemes:
            raise PydanticCustomError("url_scheme", "unknown kind of URL", {"allowed": ", ".join(schemes)})
        return value

    return AfterValidator(check)


def as_listen(value: str) -> str:
    host, _, port = value.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise PydanticCustomError("listen_form", "expected host:port")
    return value


def _in_both_languages(value: Any) -> Any:
    return {"en": value, "zh": value} if isinstance(value, str) else value


def _rule(value: Any) -> Any:
    if (isinstance(value, list) and value) or value in RULES:
        return value
    raise PydanticCustomError("survivorship_rule", "not a rule", {"allowed": ", ".join(RULES)})


def _key_fields(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Name = Annotated[str, _called(_NAME, _RESERVED), WithJsonSchema({"type": "string", "pattern": _NAME})]
"""What something is called in this hub: small letters, digits, `-` and `_`, a letter first, at most 63."""
FieldName = Annotated[str, _called(FIELD_NAME, _RESERVED_FIELDS), WithJsonSchema({"type": "string", "pattern": FIELD_NAME})]
"""A field of an entity: no `-`, so that expressions can name it."""
TimeZone = Annotated[str, AfterValidator(_time_zone)]
Cron = Annotated[str, AfterValidator(_cron)]
Rule = Annotated[
    Literal["most_recent", "most_complete", "longest", "union"] | tuple[str, ...],
    BeforeValidator(
        _rule, json_schema_input_type=Literal["most_recent", "most_complete", "longest", "union"] | tuple[str, ...]
    ),
]
"""How one value is chosen among what the systems say; a list names the trusted systems, most trusted first."""
KeyFields = Annotated[tuple[str, ...], BeforeValidator(_key_fields, json_schema_input_type=str | tuple[str, ...])]


class FileModel(BaseModel):
    """A part of a hub file: unknown keys are refused, values are never shown by pydantic itself."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, regex_engine="rust-regex")


class Texts(FileModel):
    """A text for people, by language."""

    en: str | None = Field(default=None, description="English")
    zh: str | None = Field(default=None, description="Chinese")


Title = Annotated[Texts, BeforeValidator(_in_both_languages, json_schema_input_type=str | Texts)]
