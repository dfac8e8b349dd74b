"""Builds records out of a parser's calls, and refuses what no honest document needs.

This is the hot path of every document whose records are not all alike: text goes from the parser straight into one list,
and an element gets an object of its own only once it has a child or an attribute.
"""

from __future__ import annotations

from typing import Any
from xml.parsers import expat

from nave.core.errors import PermanentError
from nave.core.protocols import Raw
from nave.formats.limits import Limits
from nave.formats.options import XmlFormat
from nave.formats.rows import shown

SPACE = " \t\r\n"
_ELEMENT = 16
"""What an element weighs besides its text, so that a million empty ones are a full record of 16 MiB."""


class _Node:
    """An open element of a record; `bare` is the same without the records inside it, where there are any."""

    __slots__ = ("bare", "inner", "is_record", "start", "values")

    def __init__(self, is_record: bool, start: int) -> None:
        self.is_record = is_record
        self.start = start
        """What the document weighed before it."""
        self.inner = 0
        """What the shallow copies of the records inside it weigh."""
        self.values: Raw = {}
        self.bare: Raw | None = None


def _add(values: Raw, name: str, value: Any) -> None:
    if name not in values:
        values[name] = value
    elif type(values[name]) is list:
        values[name].append(value)
    else:
        values[name] = [values[name], value]


def _closed(values: Raw, text: str) -> Raw | str:
    if not values:
        return text
    if text and text.strip(SPACE):
        values["#text"] = text
    return values


class Tree:
    """The handlers of one document; finished records collect in `rows` until somebody takes them."""

    def __init__(self, options: XmlFormat, limits: Limits) -> None:
        self.rows: list[Raw] = []
        self.ended_at: int | None = None
        """Byte at which the last end tag of a record that is not inside another begins."""
        self.skipped_lines = 0
        """Lines that the parser never saw, because somebody else read their records."""
        self._limits = limits
        self._nested = options.nested
        self._room = limits.xml_nested if options.nested else limits.record
        self._wanted = options.record.split("/")
        self._record = self._wanted[-1]
        self._names: dict[str, str] = {}
        self._path: list[str] = []
        self._nodes: list[_Node | None] = []
        """One per open element of a record, None while it has neither a child nor an attribute."""
        self._marks: list[int] = []
        """Where in `_texts` the text of each of them begins."""
        self._texts: list[str] = []
        self._held = 0
        self._parser: expat.XMLParserType

    def attach(self, parser: expat.XMLParserType) -> None:
        """Let `parser` call this tree."""
        self._parser = parser
        parser.ordered_attributes = True
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._texts.append
        parser.StartDoctypeDeclHandler = self._doctype
        parser.SkippedEntityHandler = self._entity

    def take(self) -> list[Raw]:
        """The records finished since the last call."""
        rows, self.rows = self.rows, []
        return rows

    def check(self) -> None:
        """Refuse an element that has been growing for too long; forget text that belongs to no record."""
        if not self._nodes:
            self._texts.clear()
        elif self._held + sum(map(len, self._texts)) > self._room:
            raise self._too_large()

    def _refuse(self, code: str, **params: str | int) -> PermanentError:
        return PermanentError(code, field=None, line=self._parser.CurrentLineNumber + self.skipped_lines, **params)

    def _too_large(self) -> PermanentError:
        return self._refuse("NAVE-D125", limit=self._room, place=shown("/".join(self._path)))

    def _local(self, name: str) -> str:
        local = name.rpartition(" ")[2]
        if len(local) > self._limits.xml_name:
            raise self._refuse("NAVE-D122", name=shown(local), limit=self._limits.xml_name)
        if len(self._names) >= self._limits.xml_names:
            raise self._refuse("NAVE-D126", limit=self._limits.xml_names)
        self._names[name] = local
        return local

    def _start(self, name: str, attributes: list[str]) -> None:
        local = self._names.get(name) or self._local(name)
        path = self._path
        path.append(local)
        if len(path) > self._limits.xml_depth:
            raise self._refuse("NAVE-D120", limit=self._limits.xml_depth)
        nodes = self._nodes
        if local == self._record and self._matches():
            self._open(_Node(True, self._held))
        elif nodes:
            if nodes[-1] is None:
                nodes[-1] = _Node(False, 0)
            nodes.append(None)
            self._marks.append(len(self._texts))
        if attributes:
            self._attributes(local, attributes)

    def _matches(self) -> bool:
        if self._nodes and not self._nested:
            return False
        return self._path[-len(self._wanted) :] == self._wanted

    def _open(self, node: _Node) -> None:
        if not self._nodes:
            self._texts.clear()
        elif self._nodes[-1] is None:
            self._nodes[-1] = _Node(False, 0)
        self._nodes.append(node)
        self._marks.append(len(self._texts))

    def _attributes(self, element: str, attributes: list[str]) -> None:
        if len(attributes) > 2 * self._limits.xml_attributes:
            raise self._refuse("NAVE-D121", name=shown(element), limit=self._limits.xml_attributes)
        if not self._nodes:
            return
        node = self._nodes[-1] or _Node(False, 0)
        self._nodes[-1] = node
        for name, value in zip(attributes[::2], attributes[1::2], strict=True):
            self._held += _ELEMENT + len(value)
            _add(node.values, "@" + (self._names.get(name) or self._local(name)), value)

    def _end(self, _name: str) -> None:
        name = self._path.pop()
        if not self._nodes:
            return
        node = self._nodes.pop()
        mark = self._marks.pop()
        texts = self._texts
        text = texts[mark] if len(texts) == mark + 1 else "".join(texts[mark:])
        del texts[mark:]
        self._held += _ELEMENT + len(text)
        if len(text) > self._limits.xml_text:
            raise self._refuse("NAVE-D123", name=shown(name), limit=self._limits.xml_text)
        if node is not None:
            self._finish(name, node, text)
        elif (parent := self._nodes[-1]) is not None:
            if name in parent.values or parent.bare is not None:
                self._join(parent, name, text)
            else:
                parent.values[name] = text

    def _finish(self, name: str, node: _Node, text: str) -> None:
        """Close an element that is more than text, and hang it into its parent: a record as its shallow copy."""
        if self._held > self._room:
            raise self._too_large()
        value = _closed(node.values, text)
        if node.is_record:
            self.rows.append({"#text": value} if isinstance(value, str) else value)
            self._held -= node.inner
            node.inner = self._held - node.start
        if not self._nodes:
            self._held = 0
            self.ended_at = self._parser.CurrentByteIndex
        elif (parent := self._nodes[-1]) is not None:
            parent.inner += node.inner
            if node.is_record or node.bare is not None:
                self._join_nested(parent, name, node, value, text)
            else:
                self._join(parent, name, value)

    def _join(self, parent: _Node, name: str, value: Raw | str) -> None:
        _add(parent.values, name, value)
        if parent.bare is not None:
            _add(parent.bare, name, value)

    def _join_nested(self, parent: _Node, name: str, node: _Node, value: Raw | str, text: str) -> None:
        bare = value if node.bare is None else _closed(node.bare, text)
        if parent.bare is None:
            parent.bare = {key: list(old) if type(old) is list else old for key, old in parent.values.items()}
        _add(parent.values, name, bare if node.is_record else value)
        if not node.is_record and (isinstance(bare, dict) or bare.strip(SPACE)):
            _add(parent.bare, name, bare)

    def _doctype(self, name: str, system: str | None, public: str | None, subset: int) -> None:
        if system or public or subset:
            raise self._refuse("NAVE-D112", name=shown(name))

    def _entity(self, name: str, _parameter: bool) -> None:
        raise self._refuse("NAVE-D113", name=shown(name))
