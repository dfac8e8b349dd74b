"""Reads XML of any length in constant memory, record by record, and refuses every kind of entity.

The stream is decoded here and parsed as UTF-8 whatever the declaration says: the parsers at hand refuse GBK, or fail on
its characters under a declaration of GB2312.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO
from xml.parsers import expat

from nave.core.errors import PermanentError
from nave.core.protocols import Raw
from nave.formats.encodings import mark, text_of
from nave.formats.kinds import chosen, chunks, opened, refuse_other_text
from nave.formats.limits import Limits
from nave.formats.options import XmlFormat
from nave.formats.rows import Row, shown
from nave.formats.xmlruns import Runs
from nave.formats.xmltree import Tree

_DECLARED = re.compile(rb"<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([^\"'>]{1,40})[\"']")
_REFERENCE = re.compile(r"&([^;\s<&]{1,80})")
_CUT_OFF = frozenset({3, 5, 20})
"""Expat's numbers for: no element found, unclosed token, unclosed CDATA section."""
_UNDEFINED_ENTITY = 11


def read_xml(stream: BinaryIO, options: XmlFormat, limits: Limits) -> Iterator[Row]:
    """Every record of the document in the order of its end tag, counted from 1; good ones before a fault come first."""
    head = opened(stream, "XML")
    codec = chosen(head, options.encoding, declared(head))
    refuse_other_text(head, codec or "utf-8", "XML")
    document = _Document(options, limits)
    number = 0
    for text in _normalised(text_of(chunks(stream, head), codec, mark(head)[1])):
        for record in document.feed(text):
            number += 1
            yield Row(record, number, None)
    document.close()


def declared(head: bytes) -> str | None:
    """The encoding in the XML declaration; a declaration that can be read byte by byte is not UTF-16, whatever it says."""
    found = _DECLARED.match(head[mark(head)[1] :])
    name = found[1].decode("latin-1") if found else None
    return None if name and name.lower().startswith(("utf-16", "ucs-2", "iso-10646")) else name


def _normalised(texts: Iterator[str]) -> Iterator[str]:
    """Line ends as XML wants them, also where a pair is torn between two pieces."""
    held = ""
    for text in texts:
        if held or "\r" in text:
            text = held + text
            held = "\r" if text.endswith("\r") else ""
            text = text[: len(text) - len(held)].replace("\r\n", "\n").replace("\r", "\n")
        yield text
    if held:
        yield "\n"


class _Document:
    """One parse: the parser reads what is new to it, the runs read what is like the record before."""

    def __init__(self, options: XmlFormat, limits: Limits) -> None:
        self._limits = limits
        self._tree = Tree(options, limits)
        self._runs = Runs(options.record.rpartition("/")[2])
        self._parser = expat.ParserCreate("utf-8", " ")
        self._tree.attach(self._parser)
        self._fed = 0
        self._last = (0, b"")
        self._closing = len(self._runs.closing.encode())

    def feed(self, text: str) -> Iterator[Raw]:
        """Read one piece of the document and yield the records that end in it."""
        position = 0
        runs_allowed = "]]>" not in text
        while position < len(text):
            if runs_allowed and self._between_records():
                records, end = self._runs.take(text, position)
                if records:
                    yield from records
                    self._tree.skipped_lines += text.count("\n", position, end)
                    position = end
            end = self._slice(text, position)
            yield from self._parse(text[position:end])
            if not self._between_records() and end < len(text):
                yield from self._parse(text[end:])
                end = len(text)
            position = end

    def _between_records(self) -> bool:
        """Whether the last thing fed is the end tag of a record: whatever follows is a sibling of that record.

        Nothing less will do. After `<?x ` or `<!-- ` the parser has said nothing yet, and what looks like a record is none.
        """
        end_tag = self._tree.ended_at
        return end_tag is not None and end_tag + self._closing == self._fed

    def _slice(self, text: str, position: int) -> int:
        """The end of what the parser gets next: one record where more of its kind may follow, or all there is."""
        end = text.find(self._runs.closing, position) if self._runs.hopeful else -1
        return len(text) if end < 0 else end + len(self._runs.closing)

    def _parse(self, text: str) -> Iterator[Raw]:
        data = text.encode()
        self._last = self._fed, data
        self._fed += len(data)
        try:
            self._parser.Parse(data, False)
            self._tree.check()
            self._refuse_endless_markup()
        except (expat.ExpatError, PermanentError) as error:
            yield from self._tree.take()
            raise self._fault(error) from None
        rows = self._tree.take()
        if rows and self._between_records():
            self._runs.learn(rows[-1], text)
        yield from rows

    def _refuse_endless_markup(self) -> None:
        if self._fed - self._parser.CurrentByteIndex > self._limits.xml_markup:
            line = self._parser.CurrentLineNumber + self._tree.skipped_lines
            raise PermanentError("NAVE-D124", line=line, limit=self._limits.xml_markup)

    def close(self) -> None:
        """End the document; NAVE-D110 if it was cut off."""
        try:
            self._parser.Parse(b"", True)
        except (expat.ExpatError, PermanentError) as error:
            raise self._fault(error) from None

    def _fault(self, error: expat.ExpatError | PermanentError) -> PermanentError:
        if isinstance(error, PermanentError):
            return error
        line = error.lineno + self._tree.skipped_lines
        near = self._near()
        if error.code == _UNDEFINED_ENTITY:
            name = _REFERENCE.match(near)
            return PermanentError("NAVE-D113", line=line, name=name[1] if name else "?")
        if error.code in _CUT_OFF:
            return PermanentError("NAVE-D110", line=line)
        return PermanentError("NAVE-D111", line=line, near=shown(near), reason=expat.ErrorString(error.code))

    def _near(self) -> str:
        base, data = self._last
        start = self._parser.ErrorByteIndex - base
        return data[start : start + 60].decode("utf-8", "ignore") if 0 <= start < len(data) else ""
