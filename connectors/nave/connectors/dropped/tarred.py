"""The files in a TAR, one after the other as they stand in it, under limits.

The library does the format; it is not believed. It takes a fault between two members for the end of the archive, reads
headers of any length into memory, and follows links: here each of these refuses the archive.
"""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterator
from functools import partial
from typing import BinaryIO, cast

from nave.connectors.wording import short
from nave.core.errors import PermanentError
from nave.formats import Limits

_HEADERS = 1024 * 1024
"""Bytes of headers before one member, at most."""
_PIECE = 1024 * 1024
_AHEAD = 64 * tarfile.BLOCKSIZE
"""The library reads so far ahead."""
_KINDS = (
    (tarfile.TarInfo.issym, "symbolic link"),
    (tarfile.TarInfo.islnk, "hard link"),
    (tarfile.TarInfo.isdev, "device"),
    (tarfile.TarInfo.issparse, "sparse file"),
)


class _Entry(tarfile.TarInfo):
    """A member whose header is one: the library goes on, or ends, where it is not."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _Entry:
        """PermanentError NAVE-K324 for anything but a header or the mark that ends an archive."""
        if len(buf) == tarfile.BLOCKSIZE and not any(buf):
            return super().frombuf(buf, encoding, errors)  # it says so by an error of its own, and the library ends
        try:
            entry = super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            raise _fault(error if buf else "cut off") from None
        if entry.size < 0:
            raise _fault("a size below zero")
        return entry


class _Metered:
    """The bytes of the archive, as far as they are allowed."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._count = 0
        self.allowed = 0

    def read(self, size: int) -> bytes:
        """At most so many."""
        piece = self._file.read(size)
        self._count += len(piece)
        if self._count > self.allowed + _AHEAD:
            raise _fault("a header without an end")
        return piece


def files(
    file: BinaryIO, pattern: str, is_wanted: Callable[[str], bool], limits: Limits
) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Name and pieces of each file that is wanted, to be read before the next is asked for.

    PermanentError for what is no TAR or was cut off (NAVE-K324), for links, devices and the like (NAVE-K325), and where
    nothing is wanted (NAVE-D165).
    """
    seen: set[str] = set()
    entries = total = 0
    for member, archive in _entries(file):
        entries += 1
        if entries > limits.zip_entries:
            raise PermanentError("NAVE-D153", found=entries, limit=limits.zip_entries)
        name = _name(member)
        if member.size > limits.zip_entry:
            raise PermanentError("NAVE-D154", name=short(name, 200), limit=limits.zip_entry)
        if member.isdir() or not is_wanted(name):
            continue
        _refuse_others(member, name)
        if name in seen:
            raise PermanentError("NAVE-D152", name=short(name, 200), reason="two entries of one name")
        seen.add(name)
        total += member.size
        if total > limits.zip_total:
            raise PermanentError("NAVE-D154", name=short(name, 200), limit=limits.zip_total)
        yield name, _pieces(archive, member)
    if not seen:
        raise PermanentError("NAVE-D165", pattern=pattern, found=entries)


def _pieces(archive: tarfile.TarFile, member: tarfile.TarInfo) -> Iterator[bytes]:
    content = archive.extractfile(member)
    assert content is not None
    try:
        yield from iter(partial(content.read, _PIECE), b"")
    except tarfile.TarError as error:
        raise _fault(error) from None


def _entries(file: BinaryIO) -> Iterator[tuple[tarfile.TarInfo, tarfile.TarFile]]:
    metered = _Metered(file)
    metered.allowed = _HEADERS
    try:
        with tarfile.open(
            fileobj=cast(BinaryIO, metered), mode="r|", tarinfo=_Entry, encoding="utf-8", errors="surrogateescape"
        ) as archive:
            while (member := archive.next()) is not None:
                archive.members = []  # type: ignore[attr-defined]  # it would keep them all
                if member.size < 0:  # as a header of its own may say once more
                    raise _fault("a size below zero")
                metered.allowed = archive.offset + _HEADERS
                yield member, archive
    except (tarfile.TarError, ValueError, OverflowError, RecursionError) as error:
        raise _fault(error) from None


def _refuse_others(member: tarfile.TarInfo, name: str) -> None:
    kind = next((kind for is_one, kind in _KINDS if is_one(member)), None)
    if kind is None and not member.isfile():
        kind = f"type {member.type!r}"
    if kind is not None:
        raise PermanentError("NAVE-K325", name=short(name, 200), kind=kind)


def _name(member: tarfile.TarInfo) -> str:
    """UTF-8, or what a Chinese Windows writes."""
    raw = member.name.encode("utf-8", "surrogateescape")
    for encoding in ("utf-8", "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return raw.decode("utf-8", "replace")


def _fault(said: object) -> PermanentError:
    return PermanentError("NAVE-K324", reason=short(said, 200))
