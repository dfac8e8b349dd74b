"""Names of Chinese provinces and cities, as company names use them: with or without their suffix."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

_YEARS = re.compile(r"^\[[0-9-]*\]")
_SUFFIX = re.compile(r"(?:特别行政区|(?:壮族|回族|维吾尔|蒙古|[^市]{1,6}族)*自治[区州]|地区|[省市盟])$")
_SHORT = {"内蒙古自治区": "内蒙古", "新疆维吾尔自治区": "新疆", "广西壮族自治区": "广西", "宁夏回族自治区": "宁夏"}


class Region(NamedTuple):
    """A place: its province, and its city where it is one."""

    province: str = ""
    city: str = ""

    def conflicts(self, other: Region) -> bool:
        """Whether both are known and cannot be the same place."""
        if self.province and other.province and self.province != other.province:
            return True
        return bool(self.city and other.city and self.city != other.city)


@cache
def regions() -> Mapping[str, Region]:
    """Every way to write a province or a city, from GB/T 2260 as python-stdnum has it."""
    found: dict[str, Region] = {}
    for province, city in _listed():
        short = _SHORT.get(province) or _SUFFIX.sub("", province)
        region = Region(short, _SUFFIX.sub("", city) if city else "")
        for name in {city or province, region.city or short}:
            if len(name) > 1:
                found.setdefault(name, region)
    return found


def _listed() -> Iterator[tuple[str, str]]:
    """(province, "") and (province, city) for all of them, provinces first."""
    from stdnum import numdb

    places: Any = numdb.get("cn/loc")
    cities = []
    for _length, _low, _high, properties, children in places.prefixes:
        province = properties.get("province", "")
        if province:
            yield province, ""
        for _l, code, _h, county, _c in children:
            name = _YEARS.sub("", county.get("county", "").rpartition(",")[2])
            if code != "0000" and name.endswith(("市", "州", "盟", "地区")):
                cities.append((province, name))
    yield from cities


_LONGEST = 11


def leading(text: str) -> tuple[Region, str]:
    """The regions that a text starts with, and the rest of it; at least two characters are left."""
    region, known = Region(), regions()
    while True:
        size = next((n for n in range(min(_LONGEST, len(text) - 2), 1, -1) if text[:n] in known), 0)
        if not size:
            return region, text
        one = known[text[:size]]
        region = Region(one.province or region.province, one.city or region.city)
        text = text[size:].removeprefix("市").removeprefix("省") if len(text) - size > 3 else text[size:]


def trailing(text: str) -> tuple[str, str]:
    """A text without the region it ends with, and that region."""
    known = regions()
    size = next((n for n in range(min(_LONGEST, len(text) - 2), 1, -1) if text[-n:] in known), 0)
    return (text[:-size], text[-size:]) if size else (text, "")
