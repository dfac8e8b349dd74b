"""What a receipt means: tables of result codes and of words, those of the configuration first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import re2  # type: ignore[import-untyped]

from nave.connectors.nc.options import Meaning, TextRule
from nave.connectors.nc.receipts import Told

_MOST = 4_000
"""Characters of a description that are looked at."""
_PARTS: Mapping[str, str] = {
    "*": ".*?",
    "{code}": r"(?P<code>[^\s\[\]【】\"'“”‘’「」：:，,；;。（）()]{1,60})",
    "{archive}": r"(?P<archive>[^\s\[\]【】\"'“”‘’「」：:，,；;。]{1,30})",
    "[": r"[\[【「“\"]",
    "]": r"[\]】」”\"]",
}
_NC: tuple[tuple[str, Meaning], ...] = (
    ("不允许重复导入", "duplicate"),
    ("replace标志设为", "duplicate"),
    ("不正确的用户类型", "setup"),
    ("交换规则定义文件发生错误", "setup"),
    ("{archive}[{code}]*未找到", "code"),
    ("{archive}[{code}]*没有找到", "code"),
    ("{archive}[{code}]*不存在", "code"),
    ("{archive}[{code}]*翻译失败", "code"),
    ("正在处理", "retry"),
    ("加锁失败", "retry"),
    ("被锁定", "retry"),
)
"""Words seen in receipts; sites and plug-ins have others, which belong into `texts`."""
_U8: tuple[tuple[str, Meaning], ...] = (
    ("{archive}[{code}]*不存在", "code"),
    ("已存在", "duplicate"),
    ("重复", "duplicate"),
)
ROLLED_BACK = "-31004"
"""Another bill of the post failed, so this one was not booked either."""


@dataclass(frozen=True, slots=True)
class Meant:
    """What became of a document."""

    meaning: str
    """A `Meaning`, or `rolled back`."""
    code: str = ""
    archive: str = ""


class Judge:
    """Reads receipts of one sink."""

    def __init__(
        self, good: str, known: Sequence[tuple[str, Meaning]], rules: Sequence[TextRule], codes: Mapping[str, Meaning]
    ) -> None:
        """`good` is the code that means yes: NC's 1 and U8's 0 are opposites."""
        self._good = good
        self._codes = codes
        listed = [*rules, *(TextRule(says=says, means=means) for says, means in known)]
        self._rules = [(_pattern(rule.says), rule) for rule in listed]

    def __call__(self, told: Told) -> Meant:
        """The meaning of what was said of one document; what nobody knows is a refusal."""
        if told.code == self._good:
            return Meant("accepted")
        if told.code == ROLLED_BACK:
            return Meant("rolled back")
        text = told.text[:_MOST]
        for pattern, rule in self._rules:
            if found := pattern.search(text):
                named = found.groupdict()
                return Meant(rule.means, named.get("code") or "", rule.archive or named.get("archive") or "")
        return Meant(self._codes.get(told.code, "rejected"))


def nc_judge(rules: Sequence[TextRule], codes: Mapping[str, Meaning]) -> Judge:
    """1 is yes."""
    return Judge("1", _NC, rules, codes)


def u8_judge(rules: Sequence[TextRule], codes: Mapping[str, Meaning]) -> Judge:
    """0 is yes."""
    return Judge("0", _U8, rules, codes)


def _pattern(says: str) -> Any:
    """Linear in the length of the text, whatever stands in the words: descriptions come from outside."""
    made, rest = "", says
    while rest:
        part = next((name for name in _PARTS if rest.startswith(name)), rest[0])
        made += _PARTS.get(part) or re2.escape(part)
        rest = rest[len(part) :]
    return re2.compile(f"(?s){made}")
