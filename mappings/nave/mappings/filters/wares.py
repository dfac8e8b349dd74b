"""Filters for goods and for ways to reach people: units, GS1 codes, international numbers, keys in other systems."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from nave.core.errors import PermanentError
from nave.mappings.filters.row import Apply, BadArgument, Example, Filter, Surroundings
from nave.mappings.filters.texts import nfkc
from nave.mappings.operations import as_text
from nave.mappings.problems import near, shown

_UNITS: Mapping[str, str] = {
    "H87": "个 件 只 台 块 根 支 枚 粒 pc pcs piece pieces ea each st stk",
    "SET": "套 组 set sets",
    "PR": "双 对 副 pair pairs",
    "DZN": "打 dozen dz",
    "KGM": "公斤 千克 kg kgs kilogram",
    "GRM": "克 g gram",
    "MGM": "毫克 mg",
    "TNE": "吨 公吨 t ton tonne",
    "MTR": "米 m metre meter",
    "KMT": "千米 公里 km",
    "CMT": "厘米 公分 cm",
    "MMT": "毫米 mm",
    "MTK": "平方米 平米 m2 sqm",
    "MTQ": "立方米 方 m3 cbm",
    "LTR": "升 l litre liter",
    "MLT": "毫升 ml",
    "HUR": "小时 工时 h hr hour hours",
    "MIN": "分钟 min minute minutes",
    "DAY": "天 日 d day days",
    "MON": "月 month months",
    "ANN": "年 year years",
    "KWH": "度 千瓦时 kwh",
    "XBX": "箱 盒 box",
    "XPK": "包 pack package",
    "XBG": "袋 bag",
    "XRO": "卷 roll",
    "XBO": "瓶 bottle",
    "ST": "张 sheet sheets",
}
"""UN/CEFACT code (Recommendations 20 and 21) -> how plants write it."""

_BY_WORD = {word: code for code, words in _UNITS.items() for word in words.split()}
_LONGEST_UNIT = 40
_LONGEST_MESSAGE = 1_000
_SYMBOLOGY = re.compile(r"\][A-Za-z][0-9a-z]")
"""What a scanner puts before the code to say what it was printed as: `]C1`, `]d2`, `]Q3`, `]e0`."""


def unit_of(text: str) -> str | None:
    """The code of a unit; None where nobody knows it. A code stands for itself, `m2` and `㎡` for the same."""
    plain_text = nfkc(text[:_LONGEST_UNIT]).strip()
    if plain_text.upper() in _UNITS and len(plain_text) > 1 and plain_text not in _BY_WORD:
        return plain_text.upper()
    return _BY_WORD.get(plain_text) or _BY_WORD.get(plain_text.lower())


def _unit(_around: Surroundings) -> Apply:
    def unit(text: str) -> str | None:
        if not text.strip():
            return None
        found = unit_of(text)
        if found is None:
            raise PermanentError("NAVE-M120", value=shown(text), near=near(text, _BY_WORD))
        return found

    return unit


def _gs1(_around: Surroundings, identifier: str) -> Apply:
    from biip import ParseError

    if not isinstance(identifier, str) or not re.fullmatch(r"[0-9]{2,4}", identifier, re.ASCII):
        raise BadArgument("NAVE-M013", usage='gs1("01")')

    def gs1(text: str) -> Any:
        if not text:
            return None
        try:
            if len(text) > _LONGEST_MESSAGE:
                raise ValueError
            message = _message(text)
        except (ParseError, ValueError):
            raise PermanentError("NAVE-M107", kind="gs1", value=shown(text)) from None
        if any(one.gtin_error or one.sscc_error or one.gln_error for one in message.element_strings):
            raise PermanentError("NAVE-M107", kind="gs1", value=shown(text))
        found = next((one for one in message.element_strings if one.ai.ai == identifier), None)
        typed = (found.date, found.decimal, found.value) if found else ()
        return next((value for value in typed if value is not None), None)

    return gs1


def _message(text: str) -> Any:
    from biip.gs1_messages import GS1Message

    bare = _SYMBOLOGY.sub("", text, count=1) if text.startswith("]") else text
    return GS1Message.parse_hri(bare) if bare.startswith("(") else GS1Message.parse(bare)


def _e164(_around: Surroundings, country: str = "CN") -> Apply:
    import phonenumbers

    if country not in phonenumbers.SUPPORTED_REGIONS:
        raise BadArgument("NAVE-M013", usage='e164("CN")')

    def e164(text: str) -> str | None:
        if not text.strip():
            return None
        try:
            number = phonenumbers.parse(nfkc(text[:_LONGEST_UNIT]), country)
        except phonenumbers.NumberParseException:
            number = None
        if number is None or not phonenumbers.is_valid_number(number):
            raise PermanentError("NAVE-M107", kind="e164", value=shown(text))
        return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)

    return e164


def _lookup(_around: Surroundings, system: str) -> Apply:
    if not isinstance(system, str) or not system:
        raise BadArgument("NAVE-M013", usage='lookup("hr")')

    def lookup(value: Any) -> dict[str, str] | None:
        key = as_text(value)
        return {"system": system, "key": key} if key else None

    return lookup


WARES_FILTERS: tuple[Filter, ...] = (
    Filter(
        "unit",
        "unit",
        "the UN/CEFACT code of a unit as plants write it; one that nobody knows is refused",
        "常见计量单位写法转为 UN/CEFACT 代码；不认识的单位会被拒绝",
        (
            Example("A | unit", {"A": "公斤"}, "KGM"),
            Example("A | unit", {"A": "㎡"}, "MTK"),
            Example("A | unit", {"A": "PCS"}, "H87"),
            Example("A | unit", {"A": "KGM"}, "KGM"),
        ),
        _unit,
        takes="text",
        gives="text",
    ),
    Filter(
        "gs1",
        'gs1("01")',
        "one part of a GS1 code by its application identifier; dates and weights come with their type",
        "按应用标识符取 GS1 条码中的一段；日期和重量带类型",
        (
            Example('A | gs1("01")', {"A": "010690123456789210LOT7"}, "06901234567892"),
            Example('A | gs1("10")', {"A": "(01)06901234567892(10)LOT7"}, "LOT7"),
            Example('A | gs1("17") | iso', {"A": "010690123456789217261231"}, "2026-12-31"),
            Example('A | gs1("10")', {"A": "]C1010690123456789210LOT7"}, "LOT7"),
            Example('A | gs1("21")', {"A": "0106901234567892"}, None),
        ),
        _gs1,
        takes="text",
        gives="value",
    ),
    Filter(
        "e164",
        'e164("CN")',
        "a phone number in international form; one that cannot be dialled is refused",
        "国际格式的电话号码；无法拨通的号码会被拒绝",
        (
            Example('A | e164("CN")', {"A": "138 0013 8000"}, "+8613800138000"),
            Example("A | e164", {"A": "+49 30 901820"}, "+4930901820"),
        ),
        _e164,
        takes="text",
        gives="text",
    ),
    Filter(
        "lookup",
        'lookup("hr")',
        "a reference to the record that another system knows by this key",
        "按另一系统的编码引用记录（编码对照）",
        (Example('A | lookup("hr")', {"A": "0042"}, {"system": "hr", "key": "0042"}),),
        _lookup,
        takes="value",
        gives="object",
    ),
)
