"""Filters for codes and for what may be absent: defaults, value tables, check digits, keys of other systems."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from importlib import import_module
from typing import Any

from nave.core.errors import PermanentError, RetryableError, WaitingError
from nave.mappings.filters.row import Apply, BadArgument, Example, Filter, Surroundings, plain
from nave.mappings.operations import refused
from nave.mappings.problems import near, shown


def _none_if(_around: Surroundings, *values: Any) -> Apply:
    if not values or any(isinstance(value, list) for value in values):
        raise BadArgument("NAVE-M013", usage='none_if("~", "")')
    absent = {(type(value), value) for value in values}

    def none_if(value: Any) -> Any:
        if isinstance(value, list | dict) or (type(value) is Decimal and value.is_nan()):
            return value
        return None if (type(value), value) in absent else value

    return none_if


def nc_null(value: Any) -> Any:
    return None if value == "~" else value


def required(value: Any) -> Any:
    if value is None or value == "":
        raise PermanentError("NAVE-M102")
    return value


def first(value: Any) -> Any:
    return (value[0] if value else None) if isinstance(value, list) else value


def last(value: Any) -> Any:
    return (value[-1] if value else None) if isinstance(value, list) else value


def _table(around: Surroundings, name: str) -> Apply:
    if not isinstance(name, str):
        raise BadArgument("NAVE-M013", usage='table("name")')
    return around.table(name)


# --- check digits ------------------------------------------------------------------------------------------------

_CHECKS: dict[str, str] = {
    "uscc": "stdnum.cn.uscc",
    "resident_id": "stdnum.cn.ric",
    "gtin": "stdnum.ean",
    "iban": "stdnum.iban",
    "bic": "stdnum.bic",
    "lei": "stdnum.lei",
    "isin": "stdnum.isin",
    "isbn": "stdnum.isbn",
    "eu_vat": "stdnum.eu.vat",
    "luhn": "stdnum.luhn",
}
"""What can be checked -> the module of python-stdnum that knows its rule (GB 32100, GB 11643, GS1, ISO)."""

_LONGEST = 100


def _checker(kind: object, usage: str) -> Callable[[str], str | None]:
    """A function from text to the number in plain form, None for a wrong one."""
    if not isinstance(kind, str) or kind not in _CHECKS:
        raise BadArgument("NAVE-M016", kind=str(kind), near=near(str(kind), list(_CHECKS), more=20), usage=usage)
    validate: Callable[[str], str] = import_module(_CHECKS[kind]).validate

    def check(text: str) -> str | None:
        if len(text) > _LONGEST:
            return None
        try:
            return str(validate(text))
        except Exception:  # the library documents ValueError only, and raises others on odd input
            return None

    return check


def _check(_around: Surroundings, kind: str) -> Apply:
    plain_form = _checker(kind, 'check("uscc")')

    def check(text: str) -> str | None:
        if not text:
            return None
        found = plain_form(text)
        if found is None:
            raise PermanentError("NAVE-M107", kind=kind, value=_told(kind, text))
        return found

    return check


_PRIVATE = frozenset({"resident_id"})
"""Kinds whose value stands in no error, and so in no log."""


def _told(kind: str, text: str) -> str:
    return f"({len(text)})" if kind in _PRIVATE else shown(text)


def _valid(_around: Surroundings, kind: str) -> Apply:
    return _checker(kind, 'valid("uscc")')


# --- references on the way out -----------------------------------------------------------------------------------


def _key_in(_around: Surroundings, system: str) -> Apply:
    if not isinstance(system, str) or not system:
        raise BadArgument("NAVE-M013", usage='key_in("nc")')

    def key_in(reference: Any) -> str:
        if not isinstance(reference, dict) or "key" not in reference:
            raise refused("key_in", reference)
        key = (reference.get("keys") or {}).get(system)
        if key is None and (reference.get("system") == system or reference.get("placeholder")):
            key = reference["key"]
        if key is None:
            raise _not_there_yet(reference, system)
        return str(key)

    return key_in


def _not_there_yet(reference: dict[str, Any], system: str) -> Exception:
    """Wait for the golden record where it is known; otherwise come back later."""
    said: dict[str, Any] = {"key": shown(reference.get("key")), "known_by": shown(reference.get("system"))}
    record = reference.get("record")
    if isinstance(record, int):
        return WaitingError("NAVE-M110", on=record, seen=reference.get("version", 0), system=system, **said)
    return RetryableError("NAVE-M111", system=system, **said)


_REF = {"system": "erp", "key": "C1", "record": 7, "keys": {"nc": "N-9"}}


CODE_FILTERS: tuple[Filter, ...] = (
    Filter(
        "default",
        'default("CNY")',
        "another value where there is none: missing, null or empty text",
        "缺失、空值或空文本时取另一个值",
        (
            Example('A | default("x")', {}, "x"),
            Example('A | trim | default("x")', {"A": " "}, "x"),
            Example("A | default(B)", {"A": None, "B": "b"}, "b"),
            Example("A | default(1)", {"A": 0}, 0),
        ),
        plain(required),
        takes="anything",
        gives="same",
        optional=True,
    ),
    Filter(
        "optional",
        "optional",
        "the field may be missing; then the target is left out",
        "字段可以缺失；缺失时不写目标字段",
        (Example("A | optional", {}, None), Example("A.B | trim | optional", {"A": ""}, None)),
        plain(lambda value: value),
        takes="anything",
        gives="same",
        optional=True,
    ),
    Filter(
        "required",
        "required",
        "refuses null and empty text",
        "拒绝空值和空文本",
        (Example("A | required", {"A": "x"}, "x"),),
        plain(required),
        takes="anything",
        gives="same",
    ),
    Filter(
        "none_if",
        'none_if("~", "-")',
        "no value where it is one of these",
        "等于所列值之一时视为空值",
        (Example('A | none_if("~", "-")', {"A": "-"}, None), Example('A | none_if("~")', {"A": "x"}, "x")),
        _none_if,
        takes="value",
        gives="same",
    ),
    Filter(
        "nc_null",
        "nc_null",
        "no value where NC wrote ~",
        "NC 写 ~ 的地方视为空值",
        (Example("A | nc_null", {"A": "~"}, None), Example("A | nc_null", {"A": "1001"}, "1001")),
        plain(nc_null),
        takes="value",
        gives="same",
    ),
    Filter(
        "first",
        "first",
        "the first item; what came alone is its own first",
        "第一项；单独出现的值就是它自己",
        (
            Example("A | first", {"A": ["x", "y"]}, "x"),
            Example("A | first", {"A": "x"}, "x"),
            Example("A | first", {"A": []}, None),
        ),
        plain(first),
        takes="value",
        gives="value",
    ),
    Filter(
        "last",
        "last",
        "the last item; what came alone is its own last",
        "最后一项；单独出现的值就是它自己",
        (Example("A | last", {"A": ["x", "y"]}, "y"),),
        plain(last),
        takes="value",
        gives="value",
    ),
    Filter(
        "table",
        'table("region")',
        "the code of a value table; a code that is not in it is an error",
        "按对照表转换编码；表中没有的编码会报错",
        (Example('A | table("example")', {"A": "N"}, "active"), Example('A | table("example")', {"A": ""}, None)),
        _table,
        takes="value",
        gives="text",
    ),
    Filter(
        "check",
        'check("uscc")',
        "refuses a number whose check digit or form is wrong: " + ", ".join(_CHECKS),
        "校验位或格式不对时拒绝：" + "、".join(_CHECKS),
        (
            Example('A | check("uscc")', {"A": "91110000600037341L"}, "91110000600037341L"),
            Example('A | check("gtin")', {"A": "6901234567892"}, "6901234567892"),
        ),
        _check,
        takes="text",
        gives="text",
    ),
    Filter(
        "valid",
        'valid("uscc")',
        "no value where the check digit or form is wrong",
        "校验位或格式不对时视为空值",
        (Example('A | valid("uscc")', {"A": "91110000600037341M"}, None),),
        _valid,
        takes="text",
        gives="text",
    ),
    Filter(
        "key_in",
        'key_in("nc")',
        "the key of a reference in another system; waits until there is one",
        "引用对象在另一系统中的编码；还没有时等待",
        (Example('A | key_in("nc")', {"A": _REF}, "N-9"), Example('A | key_in("erp")', {"A": _REF}, "C1")),
        _key_in,
        takes="value",
        gives="text",
    ),
)
