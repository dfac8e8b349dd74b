"""Reads runs of flat, alike records many times faster than a parser's callbacks can.

Exports hold the same twenty fields a million times. Once the parser has read one such record, its shape becomes one
regular expression that matches exactly what the parser would take for a record of this shape: known fields in known
order, no attributes, no references, no prefix, no character that XML forbids. Where it stops matching, the parser goes
on. It is only asked where the parser stands between two records outside every comment and section, so that a match can
mean nothing else; a property test holds the two ways of reading equal.
"""

from __future__ import annotations

import re

from nave.core.protocols import Raw

_TEXT = r"([^<&\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]*+)"
_GAP = r"[ \t\n]*+"
_FIELDS = 256
_LESSONS = 8
"""A document whose records keep changing shape is left to the parser."""


class Runs:
    """The shape of the records seen so far, as one pattern."""

    def __init__(self, record: str) -> None:
        self.closing = f"</{record}>"
        self._record = record
        self._lessons = _LESSONS
        self._fields: list[str] = []
        self._empty: set[str] = set()
        self._names: tuple[str, ...] = ()
        self._pattern: re.Pattern[str] | None = None

    @property
    def hopeful(self) -> bool:
        """Whether it is worth handing records over one by one, to learn from them or to read the next ones."""
        return self._pattern is not None or self._lessons > 0

    def take(self, text: str, start: int) -> tuple[list[Raw], int]:
        """The records that follow each other in `text` from `start`, and where the last one ends."""
        records: list[Raw] = []
        pattern, names = self._pattern, self._names
        found = pattern.match(text, start) if pattern else None
        while pattern and found:
            values = found.groups()
            record: Raw = dict(zip(names, values, strict=True)) if None not in values else _present(names, values)
            if not record:
                break
            records.append(record)
            start = found.end()
            found = pattern.match(text, start)
        return records, start

    def learn(self, record: Raw, source: str) -> None:
        """Take in the shape of `record`, which the parser just read at the end of `source`; drop what proves unequal."""
        if not self._lessons or self._reads(record, source):
            return
        self._lessons -= 1
        fields = [name for name, value in record.items() if isinstance(value, str) and name[0] not in "@#"]
        if len(fields) != len(record) or len(fields) > _FIELDS:
            return
        self._empty.update(name for name in fields if f"<{name}/>" in source or f"<{name} />" in source)
        for shape in (_merged(self._fields, fields), fields):
            before = self._fields, self._names, self._pattern
            self._compile(shape)
            if self._reads(record, source):
                return
            self._fields, self._names, self._pattern = before

    def _reads(self, record: Raw, source: str) -> bool:
        start = source.rfind(f"<{self._record}>")
        return start >= 0 and self.take(source, start) == ([record], len(source))

    def _compile(self, fields: list[str]) -> None:
        tags = [(name, re.escape(name)) for name in fields]
        body = "".join(
            f"(?><{tag}>{_TEXT}</{tag}>{_GAP}|<{tag} ?()/>{_GAP}|)"
            if name in self._empty
            else f"(?><{tag}>{_TEXT}</{tag}>{_GAP}|)"
            for name, tag in tags
        )
        self._fields = fields
        self._names = tuple(name for field in fields for name in [field] * (2 if field in self._empty else 1))
        self._pattern = re.compile(f"{_GAP}<{re.escape(self._record)}>{_GAP}{body}</{re.escape(self._record)}>")


def _present(names: tuple[str, ...], values: tuple[str | None, ...]) -> Raw:
    return {name: value for name, value in zip(names, values, strict=True) if value is not None}


def _merged(known: list[str], fields: list[str]) -> list[str]:
    """All known fields in their order, each new one right after the field it follows."""
    merged = list(known)
    after = 0
    for name in fields:
        if name in merged:
            after = merged.index(name) + 1
        else:
            merged.insert(after, name)
            after += 1
    return merged
