"""Head files and their line files, told by their names: `ORD_{run}_head.csv` and `ORD_{run}_lines.csv`."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass

from nave.connectors.dropped.folders import State
from nave.connectors.dropped.names import safe_name

_PLACE = re.compile(r"\{([a-z][a-z0-9_]{0,30})\}")
_MOST = 3
"""Shared parts of a name: how long a hostile name takes to be compared grows with their number."""
_SAMPLE = "0"


def fault(heads: str, lines: str) -> str:
    """What keeps two patterns from telling pairs, in words for whoever wrote them; empty if nothing does."""
    for pattern in (heads, lines):
        if set(_PLACE.sub("", pattern)) & set("{}*?["):
            return "with join, what two files share is {name} in both patterns; no other braces, no * ? ["
    shared, again = _PLACE.findall(heads), _PLACE.findall(lines)
    if sorted(shared) != sorted(again) or len(set(shared)) != len(shared) or len(shared) > _MOST:
        return f"pattern and join.file must have the same {{names}}, each once, {_MOST} at most"
    pairs = Pairs(heads, lines)
    if pairs.lines_of(_PLACE.sub(_SAMPLE, heads)) != _PLACE.sub(_SAMPLE, lines) or pairs.is_head(_PLACE.sub(_SAMPLE, lines)):
        return "a name must not fit both pattern and join.file"
    return ""


class Pairs:
    """Which line file belongs to which head file; a name that fits both patterns is a line file's."""

    def __init__(self, heads: str, lines: str) -> None:
        self._heads, self._lines = _compiled(heads), _compiled(lines)
        self._form = lines

    def is_head(self, name: str) -> bool:
        """Whether it is the name of a head file."""
        return bool(self._heads(name)) and not self._lines(name)

    def lines_of(self, head: str) -> str | None:
        """The name of its line file; None for what is no head file."""
        found = self._heads(head)
        if not found or self._lines(head):
            return None
        return _PLACE.sub(lambda place: found[place[1]], self._form)

    def found(self, names: Collection[str]) -> tuple[dict[str, str], list[str]]:
        """Head files with their line files, and the files of both kinds that lack the other one.

        A name that the hub would have to change to keep it lacks it too: the two could not be told afterwards.
        """
        heads = {name: lines for name in names if (lines := self.lines_of(name)) is not None}
        pairs = {head: lines for head, lines in heads.items() if lines in names and _is_kept(head) and _is_kept(lines)}
        taken = {*pairs, *pairs.values()}
        lone = [name for name in names if name not in taken and (name in heads or self._lines(name))]
        return pairs, lone


def _is_kept(name: str) -> bool:
    return safe_name(name) == name


def _compiled(pattern: str) -> Callable[[str], re.Match[str] | None]:
    parts = _PLACE.split(pattern)
    texts = [re.escape(part) if at % 2 == 0 else f"(?P<{part}>.+)" for at, part in enumerate(parts)]
    return re.compile("".join(texts), re.DOTALL).fullmatch


@dataclass(frozen=True, slots=True)
class Both:
    """Two files as one state: it is another one as soon as either changes."""

    st_mode: int
    st_size: int
    st_mtime_ns: int

    @classmethod
    def of(cls, head: State, lines: State) -> Both:
        """Of a head file and its line file."""
        return cls(head.st_mode, head.st_size << 64 | lines.st_size, max(head.st_mtime_ns, lines.st_mtime_ns))
