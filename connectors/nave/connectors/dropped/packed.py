"""Files that come packed, unpacked under limits: the members of a ZIP by name or of a TAR in its order, the one in a GZIP.

Nothing is written to the disk and no member's name is used as a path. What lies packed inside a member is not unpacked:
a member is read in the source's format, and an archive is none.
"""

from __future__ import annotations

import fnmatch
import io
import re
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, BinaryIO, Literal, Protocol, TypeAlias, cast
from zipfile import ZipInfo

from nave.connectors.dropped import tarred
from nave.connectors.wording import short
from nave.core.errors import PermanentError
from nave.formats import DEFAULTS, Format, Limits, Row, read
from nave.formats.archive import Archive

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

Packed: TypeAlias = Literal["zip", "gz", "tar", "tar.gz"]
HAS_MEMBERS: frozenset[str | None] = frozenset({"zip", "tar", "tar.gz"})
Part: TypeAlias = tuple[str, Iterator[Row]]
"""A member's name, empty where there is but one, and its rows."""

_PIECE = 1024 * 1024
_UTF8 = 1 << 11
_GZIP = 31
_OURS = {"NAVE-D150": "NAVE-D163", "NAVE-D151": "NAVE-D164"}
"""What is said of a workbook, which is a ZIP too, in words for archives."""


class Packing(Protocol):
    """What a source's options say of it."""

    @property
    def format(self) -> Format:
        """Of what is packed."""

    @property
    def packed(self) -> Packed | None:
        """What it is packed in."""

    @property
    def members(self) -> str:
        """The files in an archive to take: a pattern of their base names."""


def parts(file: BinaryIO, options: Packing, limits: Limits = DEFAULTS) -> Iterator[Part]:
    """The rows of an open file, member by member; PermanentError for what is no archive, or meant to do harm."""
    if options.packed == "zip":
        yield from _zipped(file, options, limits)
        return
    stream = _stream(_gunzipped(file, limits)) if options.packed in ("gz", "tar.gz") else file
    if options.packed in HAS_MEMBERS:
        yield from _tarred(stream, options, limits)
    else:
        yield "", read(stream, options.format, limits)


def _tarred(stream: BinaryIO, options: Packing, limits: Limits) -> Iterator[Part]:
    wanted = re.compile(fnmatch.translate(options.members)).fullmatch
    for name, pieces in tarred.files(stream, options.members, lambda name: _is_wanted(name, wanted), limits):
        yield short(name, 200), _rows(pieces, options.format, limits)
    for _ in iter(partial(stream.read, _PIECE), b""):
        pass  # whether a GZIP is whole is known at its end only


def _zipped(file: BinaryIO, options: Packing, limits: Limits) -> Iterator[Part]:
    data = file.read(limits.xlsx_file + 1)
    if len(data) > limits.xlsx_file:
        raise PermanentError("NAVE-D167", limit=limits.xlsx_file)
    archive = _opened(data, limits)
    wanted = re.compile(fnmatch.translate(options.members)).fullmatch
    found = sorted((_name(entry), name) for name, entry in archive.entries.items() if not entry.is_dir())
    taken = [(shown, name) for shown, name in found if _is_wanted(shown, wanted)]
    if not taken:
        raise PermanentError("NAVE-D165", pattern=options.members, found=len(found))
    for shown, name in taken:
        yield short(shown, 200), _rows(archive.pieces(name), options.format, limits)


def base_name(name: str) -> str:
    """The last part of a member's name, whatever its folders are divided by."""
    return name.replace("\\", "/").rpartition("/")[2]


def _opened(data: bytes, limits: Limits) -> Archive:
    try:
        return Archive(data, limits)
    except PermanentError as error:
        if error.code not in _OURS:
            raise
        said = error.params.get("reason") or error.params.get("found")
        raise PermanentError(_OURS[error.code], reason=said, found=said) from None


def _rows(pieces: Iterator[bytes], layout: Format, limits: Limits) -> Iterator[Row]:
    """Opened when its turn comes."""
    yield from read(_stream(pieces), layout, limits)


def _name(entry: ZipInfo) -> str:
    """Names that do not say that they are UTF-8 often are, and else are in the encoding of a Chinese Windows."""
    if entry.flag_bits & _UTF8:
        return entry.orig_filename
    raw = entry.orig_filename.encode("cp437", "replace")
    for encoding in ("utf-8", "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return entry.orig_filename


def _is_wanted(name: str, wanted: Callable[[str], object]) -> bool:
    last = base_name(name)
    return not last.startswith(".") and bool(wanted(last))


def _gunzipped(file: BinaryIO, limits: Limits) -> Iterator[bytes]:
    """One GZIP or several behind one another, as the format allows; whatever else stands behind is refused."""
    packed = size = 0
    inflater = zlib.decompressobj(_GZIP)
    for piece in iter(partial(file.read, _PIECE), b""):
        packed += len(piece)
        while piece:
            if inflater.eof:
                inflater = zlib.decompressobj(_GZIP)
            try:
                unpacked = inflater.decompress(piece, _PIECE)
            except zlib.error as error:
                raise PermanentError("NAVE-D166", reason=short(error)) from None
            piece = inflater.unconsumed_tail or inflater.unused_data
            size += len(unpacked)
            _refuse_bombs(size, packed, limits)
            if unpacked:
                yield unpacked
    if not inflater.eof:
        raise PermanentError("NAVE-D166", reason="cut off")


def _refuse_bombs(size: int, packed: int, limits: Limits) -> None:
    if size > limits.zip_total:
        raise PermanentError("NAVE-D154", name="gzip", limit=limits.zip_total)
    if size > _PIECE and size > limits.zip_ratio * packed:
        raise PermanentError("NAVE-D155", name="gzip", limit=limits.zip_ratio)


def _stream(pieces: Iterator[bytes]) -> BinaryIO:
    """Not buffered: what came before a fault is given before the fault is raised."""
    return cast(BinaryIO, _Stream(pieces))


class _Stream(io.RawIOBase):
    """Pieces as a file that can be read."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        super().__init__()
        self._pieces = pieces
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """As much as is there and fits."""
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = memoryview(piece)
        room = memoryview(buffer).cast("B")
        count = min(len(room), len(self._rest))
        room[:count], self._rest = self._rest[:count], self._rest[count:]
        return count
