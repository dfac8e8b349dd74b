"""Filters with regular expressions, run by RE2: time grows with the text and with nothing else, whatever is asked."""

from __future__ import annotations

from typing import Any

from nave.core.errors import PermanentError
from nave.mappings.filters.row import Apply, BadArgument, Example, Filter, Surroundings
from nave.mappings.operations import LONGEST_TEXT, too_long
from nave.mappings.problems import shown

_LONGEST_PATTERN = 200
_LONGEST_NEW = 200
_MEMORY = 1 << 20
"""Bytes that one compiled expression may take, and one search."""


def _compiled(pattern: object, usage: str) -> Any:
    import re2  # type: ignore[import-untyped]

    if not isinstance(pattern, str) or not 0 < len(pattern) <= _LONGEST_PATTERN:
        raise BadArgument("NAVE-M013", usage=usage)
    options = re2.Options()
    options.max_mem, options.log_errors = _MEMORY, False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0] if error.args else ""
        text = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        raise BadArgument("NAVE-M026", pattern=shown(pattern), reason=shown(text)) from None


def _bounded(text: str) -> str:
    if len(text) > LONGEST_TEXT:
        raise too_long(len(text))
    if not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text):
        raise PermanentError("NAVE-M103", by="find", value=shown(text), kind="text")  # half a character has no UTF-8
    return text


def _find(_around: Surroundings, pattern: str) -> Apply:
    compiled = _compiled(pattern, 'find("[0-9]+")')
    group = min(compiled.groups, 1)

    def find(text: str) -> str | None:
        found = compiled.search(_bounded(text))
        return None if found is None else found.group(group)

    return find


def _matches(_around: Surroundings, pattern: str) -> Apply:
    compiled = _compiled(pattern, 'matches("[A-Z]{2}[0-9]+")')
    return lambda text: compiled.fullmatch(_bounded(text)) is not None


def _replace_all(_around: Surroundings, pattern: str, new: str) -> Apply:
    usage = 'replace_all("[^0-9]+", "")'
    compiled = _compiled(pattern, usage)
    if not isinstance(new, str) or len(new) > _LONGEST_NEW:
        raise BadArgument("NAVE-M013", usage=usage)

    def replace_all(text: str) -> str:
        pieces, at, length = [], 0, 0
        for found in compiled.finditer(_bounded(text)):
            pieces += [text[at : found.start()], new]
            length += len(pieces[-2]) + len(new)
            at = found.end()
            if length > LONGEST_TEXT:
                raise too_long(length)
        return "".join([*pieces, text[at:]])

    return replace_all


SEARCH_FILTERS: tuple[Filter, ...] = (
    Filter(
        "find",
        'find("([0-9]+)mm")',
        "the first piece that fits a regular expression, or its first group; nothing where none fits (syntax of RE2)",
        "第一处符合正则表达式的文本，有分组时取第一组；没有则为空值（RE2 语法）",
        (
            Example('A | find("([0-9]+)mm")', {"A": "Q235 6mm"}, "6"),
            Example('A | find("[0-9]{6}")', {"A": "x"}, None),
        ),
        _find,
        takes="text",
        gives="text",
    ),
    Filter(
        "matches",
        'matches("[A-Z]{2}[0-9]+")',
        "whether the whole text fits a regular expression",
        "整段文本是否符合正则表达式",
        (
            Example('A | matches("[A-Z]{2}[0-9]+")', {"A": "SO117"}, True),
            Example('"order" if A | matches("SO.*") else "other"', {"A": "PO1"}, "other"),
        ),
        _matches,
        takes="text",
    ),
    Filter(
        "replace_all",
        'replace_all("[^0-9]+", "")',
        "every piece that fits a regular expression replaced by a fixed text",
        "把符合正则表达式的每一处替换为固定文本",
        (Example('A | replace_all("[^0-9]+", "")', {"A": "a1-b2"}, "12"),),
        _replace_all,
        takes="text",
        gives="text",
        grows=True,
    ),
)
