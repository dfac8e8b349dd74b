"""Opens the ZIP archive that a workbook is, trusting nothing that it says about itself.

Libraries believe the archive's directory: they stop at the size it gives, and overlook what it does not list. Here every
entry is unpacked and counted first, its two headers must agree, and no two may share bytes.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from io import BytesIO
from itertools import pairwise
from zipfile import BadZipFile, ZipFile, ZipInfo

from nave.core.errors import PermanentError
from nave.formats.limits import MIB, Limits
from nave.formats.rows import shown

_LOCAL = struct.Struct("<4sHHHHHLLLHH")
_PIECE = MIB
_STORED, _DEFLATED = 0, 8
_ENCRYPTED, _STREAMED = 1, 8
_FREE_RATIO = MIB


class Archive:
    """A checked directory over `data`; `pieces` unpacks one entry under the limits, once."""

    def __init__(self, data: bytes, limits: Limits) -> None:
        self._data = data
        self._limits = limits
        self._total = 0
        try:
            entries = ZipFile(BytesIO(data)).infolist()
        except (BadZipFile, NotImplementedError, ValueError, struct.error, UnicodeDecodeError) as error:
            raise PermanentError("NAVE-D150", reason=shown(error)) from None
        if len(entries) > limits.zip_entries:
            raise PermanentError("NAVE-D153", found=len(entries), limit=limits.zip_entries)
        self.entries = {entry.filename: entry for entry in entries}
        if len({name.lower() for name in self.entries}) != len(entries):
            raise _inconsistent("*", "two entries of one name")
        self._refuse_overlaps([(entry.header_offset, self._bounds(entry)[1], entry.filename) for entry in entries])

    def _bounds(self, entry: ZipInfo) -> tuple[int, int]:
        """Where the packed bytes of an entry begin and end; its local header must agree with the directory."""
        name = shown(entry.filename)
        try:
            sign, _, flags, method, _, _, crc, packed, size, names, extra = _LOCAL.unpack_from(
                self._data, entry.header_offset
            )
        except struct.error:
            raise _inconsistent(name, "no local header") from None
        first = entry.header_offset + _LOCAL.size
        written = self._data[first : first + names]
        known = {entry.orig_filename.encode("utf-8"), entry.orig_filename.encode("cp437", "replace")}
        told = (crc, packed, size)
        meant = (entry.CRC, entry.compress_size, entry.file_size)
        agrees = told == meant or flags & _STREAMED or 0xFFFFFFFF in told
        if sign != b"PK\x03\x04" or written not in known or method != entry.compress_type or not agrees:
            raise _inconsistent(name, "its two headers differ")
        encrypted = (flags | entry.flag_bits) & _ENCRYPTED
        if encrypted or method not in (_STORED, _DEFLATED):
            raise PermanentError("NAVE-D151", found="encrypted" if encrypted else f"method {method}")
        start = first + names + extra
        end = start + entry.compress_size
        if end > len(self._data):
            raise _inconsistent(name, "cut off")
        return start, end

    def _refuse_overlaps(self, spans: list[tuple[int, int, str]]) -> None:
        spans.sort()
        for (_, end, _), (start, _, name) in pairwise(spans):
            if start < end:
                raise _inconsistent(shown(name), "it shares bytes with another entry")

    def pieces(self, name: str) -> Iterator[bytes]:
        """The unpacked bytes of one entry, up to 1 MiB at a time; raises if there is more, less or other than declared."""
        entry = self.entries[name]
        start, end = self._bounds(entry)
        crc = size = 0
        for piece in self._unpacked(entry, memoryview(self._data)[start:end]):
            size += len(piece)
            crc = zlib.crc32(piece, crc)
            self._count(entry, len(piece), size, end - start)
            yield piece
        if size != entry.file_size or crc != entry.CRC:
            raise _inconsistent(shown(name), "its content is not what it declares")

    def _unpacked(self, entry: ZipInfo, packed: memoryview) -> Iterator[bytes]:
        if entry.compress_type == _STORED:
            yield from (bytes(packed[at : at + _PIECE]) for at in range(0, len(packed), _PIECE))
            return
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        rest: bytes | memoryview = packed
        try:
            while piece := inflater.decompress(rest, _PIECE):
                yield piece
                rest = inflater.unconsumed_tail
        except zlib.error as error:
            raise _inconsistent(shown(entry.filename), str(error)) from None
        if not inflater.eof or inflater.unused_data:
            raise _inconsistent(shown(entry.filename), "it ends in the wrong place")

    def _count(self, entry: ZipInfo, more: int, size: int, packed: int) -> None:
        self._total += more
        name, limits = shown(entry.filename), self._limits
        if size > limits.zip_entry or self._total > limits.zip_total:
            raise PermanentError("NAVE-D154", name=name, limit=min(limits.zip_entry, limits.zip_total))
        if size > _FREE_RATIO and size > limits.zip_ratio * packed:
            raise PermanentError("NAVE-D155", name=name, limit=limits.zip_ratio)


def _inconsistent(name: str, reason: str) -> PermanentError:
    return PermanentError("NAVE-D152", name=name, reason=reason)
