"""Filters between text and numbers: exact, and refusing whatever is not clearly a number."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation
from typing import Any

from nave.mappings.filters.row import Apply, BadArgument, Example, Filter, Surroundings, plain
from nave.mappings.filters.texts import nfkc
from nave.mappings.operations import MOST_DIGITS, as_text, refused

_PLAIN = re.compile(r"-?[0-9]{1,100}(?:\.[0-9]{1,100})?", re.ASCII)
_GROUPED = re.compile(r"-?[0-9]{1,3}(?:,[0-9]{3}){1,33}(?:\.[0-9]{1,100})?", re.ASCII)
_DRESSED = re.compile(
    r"(?P<open>\()?(?P<sign>[-+])?(?:(?:CNY|RMB|¥) *)?(?P<inner>[-+])?"
    r"(?P<whole>[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,100})?(?P<part>\.[0-9]{0,100})?"
    r"(?: *(?:元|CNY|RMB))?(?P<after>-)?(?P<close>\))?",
    re.ASCII,
)
_LONGEST = 250
_ROUNDING = Context(prec=MOST_DIGITS, rounding=ROUND_HALF_UP)
_MOST_PLACES = 20


def to_decimal(value: Any, by: str = "decimal") -> Decimal | None:
    """An exact number, None from empty text; PermanentError for what is not clearly one."""
    if type(value) is str:
        if _PLAIN.fullmatch(value):
            return Decimal(value)
        if _GROUPED.fullmatch(value):
            return Decimal(value.replace(",", ""))
        return _dressed(value, by)
    if type(value) is Decimal and value.is_finite():
        return value
    if type(value) is int:
        return Decimal(value)
    raise refused(by, value)


def _dressed(text: str, by: str) -> Decimal | None:
    """`￥1,234.50`, `(1,234.50)`, `1234.5-`, `ＣＮＹ 12`; spaces or commas out of place are refused."""
    compact = nfkc(text).strip().upper() if len(text) <= _LONGEST else text
    if not compact:
        return None
    found = _DRESSED.fullmatch(compact) if len(compact) <= _LONGEST else None
    if not found or not _is_number(found):
        raise refused(by, text)
    digits = (found["whole"] or "0").replace(",", "") + (found["part"] or "").rstrip(".")
    negative = "-" in (found["sign"], found["inner"], found["after"]) or found["open"]
    return Decimal(f"-{digits}" if negative else digits)


def _is_number(found: re.Match[str]) -> bool:
    """One sign at most, brackets in pairs, and at least one digit."""
    signs = sum(bool(found[name]) for name in ("sign", "inner", "after", "open"))
    digits = found["whole"] or len(found["part"] or "") > 1
    return signs <= 1 and bool(digits) and bool(found["open"]) == bool(found["close"])


def _decimal(_around: Surroundings, places: int | None = None) -> Apply:
    if places is None:
        return to_decimal
    if type(places) is not int or not 0 <= places <= _MOST_PLACES:
        raise BadArgument("NAVE-M013", usage=f"decimal(0..{_MOST_PLACES})")
    return _rounded(places)


def _rounded(places: int) -> Callable[[Any], Decimal | None]:
    step = Decimal(1).scaleb(-places)
    quantize = Decimal.quantize
    plain_number = _PLAIN.fullmatch
    point = -places - 1

    def rounded(value: Any) -> Decimal | None:
        if type(value) is str and plain_number(value):
            if places and value[point : point + 1] == ".":
                return Decimal(value)
            number: Decimal | None = Decimal(value)
        else:
            number = to_decimal(value)
        if number is None:
            return None
        try:
            return quantize(number, step, ROUND_HALF_UP, _ROUNDING)
        except InvalidOperation:
            raise refused("decimal", value) from None

    return rounded


def to_int(value: Any) -> int | None:
    number = to_decimal(value, "int")
    if number is None:
        return None
    if number.adjusted() > MOST_DIGITS or number != number.to_integral_value():
        raise refused("int", value)
    return int(number)


def percent(value: Any) -> Decimal | None:
    """`13%` is 0.13; a number without the sign is refused, because nobody can tell which it is."""
    if type(value) is str:
        text = nfkc(value).strip() if len(value) <= _LONGEST else value
        if not text:
            return None
        if text.endswith("%") and _PLAIN.fullmatch(text[:-1].rstrip()):
            return Decimal(text[:-1].rstrip()).scaleb(-2, _ROUNDING)
    raise refused("percent", value)


_TRUE = frozenset({"true", "t", "y", "yes", "1", "on", "是", "√"})
_FALSE = frozenset({"false", "f", "n", "no", "0", "off", "否", "×"})


def to_bool(value: Any) -> bool | None:
    if type(value) is bool:
        return value
    word = as_text(value).strip().lower() if type(value) in (str, int) else None
    if word == "":
        return None
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise refused("bool", value)


def _money(_around: Surroundings, currency: str) -> Apply:
    if not isinstance(currency, str) or not re.fullmatch(r"[A-Z]{3}", currency):
        raise BadArgument("NAVE-M013", usage='money("CNY")')

    def money(value: Any) -> dict[str, Any] | None:
        amount = to_decimal(value, "money")
        return None if amount is None else {"amount": amount, "currency": currency}

    return money


def _text(value: Any) -> str:
    return as_text(value)


AMOUNT_FILTERS: tuple[Filter, ...] = (
    Filter(
        "text",
        "text",
        "the text of a number, date or truth value",
        "把数字、日期或真假值转为文本",
        (Example("A | text", {"A": 7}, "7"), Example("A | text", {"A": Decimal("1E+2")}, "100")),
        plain(_text),
        takes="value",
        gives="text",
    ),
    Filter(
        "int",
        "int",
        "a whole number; a fraction is refused",
        "整数；带小数的值会被拒绝",
        (Example("A | int", {"A": "007"}, 7), Example("A | int", {"A": "1,200"}, 1200), Example("A | int", {"A": ""}, None)),
        plain(to_int),
    ),
    Filter(
        "decimal",
        "decimal(places)",
        "an exact number, rounded half up to the places given; reads 1,234.50, ￥8, CNY 8, full-width digits, (1.00), 1.00-",
        "精确小数，给出位数时四舍五入；接受千分位、￥、CNY、全角数字、(1.00) 和 1.00- 的写法",
        (
            Example("A | decimal(2)", {"A": "1234.565"}, Decimal("1234.57")),
            Example("A | decimal", {"A": "￥1,234.50"}, Decimal("1234.50")),
            Example("A | decimal", {"A": "（１２．５）"}, Decimal("-12.5")),
            Example("A | decimal", {"A": "12.50-"}, Decimal("-12.50")),
            Example("A | decimal", {"A": "CNY 8"}, Decimal(8)),
            Example("A | decimal(2)", {"A": ""}, None),
        ),
        _decimal,
    ),
    Filter(
        "percent",
        "percent",
        "13% as 0.13; the sign is needed",
        "把 13% 转为 0.13；必须带百分号",
        (Example("A | percent", {"A": "13%"}, Decimal("0.13")),),
        plain(percent),
    ),
    Filter(
        "bool",
        "bool",
        "true or false from y/n, yes/no, true/false, 1/0, on/off, 是/否",
        "把 y/n、yes/no、true/false、1/0、on/off、是/否 转为真假值",
        (
            Example("A | bool", {"A": "Y"}, True),
            Example("A | bool", {"A": "否"}, False),
            Example("A | bool", {"A": ""}, None),
        ),
        plain(to_bool),
    ),
    Filter(
        "money",
        'money("CNY")',
        "an amount with a currency that is always the same",
        "金额，币种固定",
        (Example('A | money("CNY")', {"A": "8.50"}, {"amount": Decimal("8.50"), "currency": "CNY"}),),
        _money,
        takes="value",
        gives="object",
    ),
)
