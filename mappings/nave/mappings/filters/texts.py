"""Filters that turn text into cleaner text."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from nave.mappings.filters.row import Apply, BadArgument, Example, Filter, Surroundings, plain
from nave.mappings.operations import LONGEST_TEXT, as_text, refused, too_long

WIDEST = 1_000
"""Longest result of `pad_left`."""


def squeeze(text: str) -> str:
    return " ".join(text.split())


def nfkc(text: str) -> str:
    if text.isascii():
        return text
    if len(text) > LONGEST_TEXT:
        raise too_long(len(text))
    return unicodedata.normalize("NFKC", text)


def strip_zeros(text: str) -> str:
    return text.lstrip("0") or text[-1:]


def _replace(_around: Surroundings, old: str, new: str) -> Apply:
    if not isinstance(old, str) or not isinstance(new, str) or not old:
        raise BadArgument("NAVE-M013", usage='replace("old", "new")')
    growth = max(0, len(new) - len(old))

    def replace(text: str) -> str:
        if growth and len(text) + text.count(old) * growth > LONGEST_TEXT:
            raise too_long(len(text) + text.count(old) * growth)
        return text.replace(old, new)

    return replace


def _split(_around: Surroundings, separator: str) -> Apply:
    if not isinstance(separator, str) or not separator:
        raise BadArgument("NAVE-M013", usage='split(";")')

    def split(text: str) -> list[str]:
        if len(text) > LONGEST_TEXT:
            raise too_long(len(text))
        return text.split(separator) if text else []

    return split


def _join(_around: Surroundings, separator: str) -> Apply:
    if not isinstance(separator, str):
        raise BadArgument("NAVE-M013", usage='join(" ")')

    def join(values: Any) -> str:
        items = values if isinstance(values, list) else [values]
        texts = [as_text(item) for item in items if item is not None]
        length = sum(map(len, texts)) + len(separator) * len(texts)
        if length > LONGEST_TEXT:
            raise too_long(length)
        return separator.join(texts)

    return join


def _slice(_around: Surroundings, start: int, stop: int | None = None) -> Apply:
    if type(start) is not int or type(stop) not in (int, type(None)):
        raise BadArgument("NAVE-M013", usage="slice(start, stop)")
    piece = slice(start, stop)
    return lambda text: text[piece]


def _pad_left(_around: Surroundings, width: int, fill: str = " ") -> Apply:
    if type(width) is not int or not 0 < width <= WIDEST or not isinstance(fill, str) or len(fill) != 1:
        raise BadArgument("NAVE-M013", usage=f'pad_left(1..{WIDEST}, "0")')
    return lambda text: text.rjust(width, fill)


def length(value: Any) -> int:
    if isinstance(value, str | list):
        return len(value)
    raise refused("length", value)


_MOBILE = re.compile(r"(?:\+?86|0086)?(1[3-9][0-9]{9})")
_LANDLINE = re.compile(r"(?:(?:\+86|0086)0?([1-9][0-9]{9,10})|(0[1-9][0-9]{8,10}))(-[0-9]{1,6})?")
_SEPARATORS = str.maketrans("", "", " \t()")
_DASHES = str.maketrans(dict.fromkeys("—–‐−‑", "-"))
_PHONE_LENGTH = 40


def phone(text: str) -> str:
    """Digits of a Chinese mobile or landline number; anything else stays exactly as it was written."""
    if text.isascii() and text.isdigit() and len(text) == 11 and text[0] == "1":
        return text
    if len(text) > _PHONE_LENGTH:
        return text
    compact = nfkc(text).translate(_DASHES).translate(_SEPARATORS)
    mobile = _MOBILE.fullmatch(compact.replace("-", ""))
    if mobile:
        return mobile[1]
    main, dash, extension = compact.rpartition("-")
    joined = compact if not _is_extension(main, dash, extension) else f"{main.replace('-', '')}-{extension}"
    found = _LANDLINE.fullmatch(joined if joined != compact else compact.replace("-", ""))
    return f"{found[2] or '0' + found[1]}{found[3] or ''}" if found else text


def _is_extension(main: str, dash: str, extension: str) -> bool:
    return bool(dash) and extension.isdigit() and len(extension) < 7 and sum(map(str.isdigit, main)) >= 10


_NOISE = re.compile(r"[\W_]+")
_LEGAL_FORMS = ("股份有限责任公司", "有限责任公司", "股份有限公司", "集团有限公司", "有限公司", "集团公司", "集团", "公司")
_BRANCH = re.compile(r"(.*?(?:有限公司|有限责任公司|公司|集团))(.*(?:分公司|分厂|分店|分部))$")


def company_core(text: str) -> str:
    """A key to match company names by; branches keep their branch, because they are parties of their own."""
    name = _NOISE.sub("", nfkc(text)).lower()
    branch = _BRANCH.match(name)
    if branch:
        return _without_form(branch[1]) + branch[2]
    return _without_form(name)


def _without_form(name: str) -> str:
    """Drop legal forms from the end, also doubled ones: X集团股份有限公司 and X有限公司 give X."""
    for form in _LEGAL_FORMS * 2:
        if name.endswith(form) and len(name) > len(form):
            name = name[: -len(form)]
    return name


TEXT_FILTERS: tuple[Filter, ...] = (
    Filter(
        "trim",
        "trim",
        "removes white space at both ends",
        "去掉首尾空白",
        (Example("A | trim", {"A": " x y　"}, "x y"), Example("A | trim", {"A": None}, None)),
        plain(str.strip),
        takes="text",
        gives="text",
        method="strip",
    ),
    Filter(
        "squeeze",
        "squeeze",
        "removes white space at both ends and folds it to one space inside",
        "去掉首尾空白，并把中间的连续空白合并为一个空格",
        (Example("A | squeeze", {"A": "  上海 　盈硕 "}, "上海 盈硕"),),
        plain(squeeze),
        takes="text",
        gives="text",
    ),
    Filter(
        "upper",
        "upper",
        "capital letters",
        "转为大写字母",
        (Example("A | upper", {"A": "ab1"}, "AB1"),),
        plain(str.upper),
        takes="text",
        gives="text",
        method="upper",
        grows=True,
    ),
    Filter(
        "lower",
        "lower",
        "small letters",
        "转为小写字母",
        (Example("A | lower", {"A": "AB1"}, "ab1"),),
        plain(str.lower),
        takes="text",
        gives="text",
        method="lower",
        grows=True,
    ),
    Filter(
        "nfkc",
        "nfkc",
        "full-width letters, digits and signs become plain ones (for codes, not for names)",
        "全角字母、数字和符号转为半角（用于编码，不用于名称）",
        (Example("A | nfkc", {"A": "ＡＢ－１２（沪）"}, "AB-12(沪)"),),
        plain(nfkc),
        takes="text",
        gives="text",
        grows=True,
    ),
    Filter(
        "replace",
        'replace("old", "new")',
        "replaces every occurrence of a text",
        "把文本中的某段全部替换",
        (Example('A | replace(",", ".")', {"A": "1,5"}, "1.5"),),
        _replace,
        takes="text",
        gives="text",
        grows=True,
    ),
    Filter(
        "split",
        'split(";")',
        "cuts text into a list; empty text gives an empty list",
        "按分隔符切成列表；空文本得到空列表",
        (Example('A | split(";")', {"A": "a;b"}, ["a", "b"]), Example('A | split(";")', {"A": ""}, [])),
        _split,
        takes="text",
        gives="list",
    ),
    Filter(
        "join",
        'join(" ")',
        "joins the items of a list to one text",
        "把列表各项连接成一个文本",
        (Example('A | join("-")', {"A": ["a", 1, None]}, "a-1"),),
        _join,
        takes="value",
        gives="text",
        grows=True,
    ),
    Filter(
        "length",
        "length",
        "number of characters or items",
        "字符数或项数",
        (Example("A | length", {"A": "四个字符"}, 4), Example("A | length", {"A": []}, 0)),
        plain(length),
    ),
    Filter(
        "slice",
        "slice(start, stop)",
        "characters from start (counted from 0) up to, without, stop; negative counts from the end",
        "截取文本：从 start（由 0 数起）到 stop 之前；负数从末尾数起",
        (Example("A | slice(0, 6)", {"A": "310115001"}, "310115"), Example("A | slice(-2)", {"A": "310115"}, "15")),
        _slice,
        takes="text",
        gives="text",
    ),
    Filter(
        "pad_left",
        'pad_left(6, "0")',
        "fills up on the left to a width",
        "在左侧补足到指定宽度",
        (Example('A | pad_left(6, "0")', {"A": "123"}, "000123"),),
        _pad_left,
        takes="text",
        gives="text",
        grows=True,
    ),
    Filter(
        "strip_zeros",
        "strip_zeros",
        "removes leading zeros; one stays if there is nothing else",
        "去掉前导零；全为零时保留一个",
        (Example("A | strip_zeros", {"A": "000120"}, "120"), Example("A | strip_zeros", {"A": "000"}, "0")),
        plain(strip_zeros),
        takes="text",
        gives="text",
    ),
    Filter(
        "phone",
        "phone",
        "plain digits of a Chinese mobile or landline number; anything else stays as written",
        "中国手机或固定电话的纯数字形式；其他写法保持原样",
        (
            Example("A | phone", {"A": "+86 138-0013-8000"}, "13800138000"),
            Example("A | phone", {"A": "（021）６１２３ ４５６７"}, "02161234567"),
            Example("A | phone", {"A": "021-61234567-801"}, "02161234567-801"),
            Example("A | phone", {"A": "张 13800138000"}, "张 13800138000"),
        ),
        plain(phone),
        takes="text",
        gives="text",
    ),
    Filter(
        "company_core",
        "company_core",
        "a key to match company names by: no punctuation, no legal form, branches kept",
        "公司名称匹配键：去标点、去公司形式，保留分公司、分厂",
        (
            Example("A | company_core", {"A": "上海 盈硕（标牌）有限责任公司"}, "上海盈硕标牌"),
            Example("A | company_core", {"A": "盈硕集团股份有限公司"}, "盈硕"),
            Example("A | company_core", {"A": "盈硕有限公司苏州分公司"}, "盈硕苏州分公司"),
        ),
        plain(company_core),
        takes="text",
        gives="text",
    ),
)
