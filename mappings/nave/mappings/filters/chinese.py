"""Filters for what is written in China: sounds of characters, amounts in words, administrative regions."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from nave.core.errors import PermanentError
from nave.mappings.filters.amounts import to_decimal
from nave.mappings.filters.row import Apply, Example, Filter, Surroundings
from nave.mappings.operations import LONGEST_TEXT, refused, too_long
from nave.mappings.problems import shown

_LONGEST_SOUND = 6
"""Letters of the longest syllable, `zhuang`."""
_CENTS = 2
_MOST = Decimal(10) ** 12
_REGION = re.compile(r"([0-9]{6})(?:[0-9]{3}){0,2}", re.ASCII)
_YEARS = re.compile(r"^\[[0-9-]*\]")


def _pinyin(_around: Surroundings) -> Apply:
    from pypinyin import lazy_pinyin

    return lambda text: "".join(lazy_pinyin(_short(text)))


def _initials(_around: Surroundings) -> Apply:
    from pypinyin import Style, lazy_pinyin

    return lambda text: "".join(lazy_pinyin(_short(text), style=Style.FIRST_LETTER)).upper()


def _short(text: str) -> str:
    """Text whose sounds are still no longer than a mapping may build."""
    if len(text) * _LONGEST_SOUND > LONGEST_TEXT:
        raise too_long(len(text) * _LONGEST_SOUND)
    return text


def _words(_around: Surroundings) -> Apply:
    from cn2an import an2cn  # type: ignore[import-untyped]

    def words(value: Any) -> str | None:
        number = to_decimal(value, "rmb_words")
        if number is None:
            return None
        if abs(number) >= _MOST or number != round(number, _CENTS):
            raise refused("rmb_words", value)
        return str(an2cn(format(round(number, _CENTS), "f"), "rmb"))

    return words


def _region(_around: Surroundings) -> Apply:
    def region(text: str) -> str | None:
        if not text:
            return None
        return _named(text)[0]

    return region


def _region_name(_around: Surroundings) -> Apply:
    def region_name(text: str) -> str | None:
        if not text:
            return None
        code, province, county = _named(text)
        return province if code.endswith("0000") else f"{province}{county}"

    return region_name


def _named(text: str) -> tuple[str, str, str]:
    """The six digits, the province and the name below it; GB/T 2260 as python-stdnum has it, with retired codes."""
    from stdnum import numdb

    found = _REGION.fullmatch(text)
    parts = numdb.get("cn/loc").info(found[1]) if found else []
    names: dict[str, str] = {name: value for _digits, properties in parts for name, value in properties.items()}
    if not found or "county" not in names:
        raise PermanentError("NAVE-M107", kind="gb2260", value=shown(text))
    return found[1], names["province"], _YEARS.sub("", names["county"].rpartition(",")[2])


CHINESE_FILTERS: tuple[Filter, ...] = (
    Filter(
        "pinyin",
        "pinyin",
        "the sounds of Chinese characters in letters without tones",
        "汉字转拼音，不带声调",
        (Example("A | pinyin", {"A": "上海盈硕 A3"}, "shanghaiyingshuo A3"),),
        _pinyin,
        takes="text",
        gives="text",
        grows=True,
    ),
    Filter(
        "pinyin_initials",
        "pinyin_initials",
        "the first letter of each character's sound, as mnemonic codes are made",
        "拼音首字母（助记码）",
        (Example("A | pinyin_initials", {"A": "上海盈硕"}, "SHYS"),),
        _initials,
        takes="text",
        gives="text",
        grows=True,
    ),
    Filter(
        "rmb_words",
        "rmb_words",
        "an amount of money in Chinese capital characters; fractions of a cent are refused",
        "人民币大写金额；分以下的尾数会被拒绝",
        (
            Example("A | rmb_words", {"A": "1,130.05"}, "壹仟壹佰叁拾元零伍分"),
            Example("A | rmb_words", {"A": Decimal("8.00")}, "捌元整"),
        ),
        _words,
        takes="value",
        gives="text",
    ),
    Filter(
        "region",
        "region",
        "a GB/T 2260 code of six digits, also from 9 or 12 digits; one that never was is refused",
        "GB/T 2260 六位行政区划代码，可由 9 位或 12 位截取；从未存在的代码会被拒绝",
        (
            Example("A | region", {"A": "310115"}, "310115"),
            Example("A | region", {"A": "310115001"}, "310115"),
        ),
        _region,
        takes="text",
        gives="text",
    ),
    Filter(
        "region_name",
        "region_name",
        "the name behind a GB/T 2260 code",
        "行政区划代码对应的名称",
        (
            Example("A | region_name", {"A": "310115"}, "上海市浦东新区"),
            Example("A | region_name", {"A": "440000"}, "广东省"),
        ),
        _region_name,
        takes="text",
        gives="text",
    ),
)
