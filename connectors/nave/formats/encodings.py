"""Finds out which encoding a file is in, and decodes it piece by piece: mark, declaration, trial, in this order.

GB2312, GBK and CP936 are all read as GB18030, which contains them: files that declare the smallest of the three and use
characters of the largest are the normal case, not the exception.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator

from nave.core.errors import PermanentError

HEAD = 64 * 1024
"""Bytes that are looked at before the first one is decoded."""
_WRONG = 0.01
_ALPHABETS = (("\u00a0", "\u017f"), ("\u0384", "\u03ce"), ("\u0400", "\u045f"), ("\u05d0", "\u05ea"), ("\u0621", "\u0669"))
"""Latin with its signs, Greek, Cyrillic, Hebrew, Arabic."""

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (b"\x84\x31\x95\x33", "gb18030"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_UNMARKED = ((b"<\x00", "utf-16-le"), (b"\x00<", "utf-16-be"), (b"{\x00", "utf-16-le"), (b"\x00{", "utf-16-be"))
_READ_AS = {"gb2312": "gb18030", "gbk": "gb18030", "utf-16": "utf-16-le", "ascii": "utf-8", "utf-8-sig": "utf-8"}
_SINGLE = frozenset({f"iso8859-{n}" for n in (*range(1, 12), 13, 14, 15, 16)} | {f"cp125{n}" for n in range(9)})
_ALLOWED = _SINGLE | frozenset(
    {"utf-8", "utf-16-le", "utf-16-be", "gb18030", "big5", "big5hkscs", "cp950"}
    | {"shift_jis", "cp932", "euc_jp", "euc_kr", "cp949", "koi8-r"}
)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,39}")


def known(name: str) -> str:
    """The codec that reads `name`; NAVE-D104 for one that is no text encoding or is not supported."""
    found = ""
    if _NAME.fullmatch(name):
        try:
            found = codecs.lookup(name).name
        except LookupError:
            found = ""
    found = _READ_AS.get(found, found)
    if found not in _ALLOWED:
        raise PermanentError("NAVE-D104", encoding=name[:40])
    return found


def mark(head: bytes) -> tuple[str, int]:
    """The encoding that a byte order mark gives and its length; ("", 0) without one."""
    return next(((name, len(bom)) for bom, name in _MARKS if head.startswith(bom)), ("", 0))


def detect(head: bytes, declared: str | None = None) -> str:
    """The codec for a file that begins with `head`: by byte order mark, by `declared`, else by trial.

    Raises NAVE-D104 for an encoding that is not supported, NAVE-D105 when neither UTF-8 nor GB18030 reads the head, and
    NAVE-D103, with the byte, when much of the head is not what the mark or declaration says.
    """
    name, length = mark(head)
    if name or declared:
        chosen = known(name or declared or "")
        if _undecodable(head[length:], chosen) > _bearable(head):
            _fail(head, length, chosen)
        return chosen
    return next((codec for start, codec in _UNMARKED if head.startswith(start)), None) or _tried(head)


def _tried(head: bytes) -> str:
    utf8, gb18030 = _undecodable(head, "utf-8"), _undecodable(head, "gb18030")
    if min(utf8, gb18030) > _bearable(head):
        raise PermanentError("NAVE-D105")
    if utf8 == gb18030 == 0 and not _plausible(head.decode("utf-8", "ignore")):
        return "gb18030"
    return "utf-8" if utf8 <= gb18030 else "gb18030"


def _undecodable(data: bytes, encoding: str) -> int:
    """How many characters of `data` are no text in `encoding`; one cut off at the end is none of them."""
    if encoding == "utf-8" and data.isascii():
        return 0
    return codecs.getincrementaldecoder(encoding)("replace").decode(data).count("\ufffd")


def _bearable(data: bytes) -> float:
    """Up to here a file is damaged in a few places, above it is in another encoding."""
    return max(3, len(data) * _WRONG)


def _plausible(text: str) -> bool:
    """Whether somebody may have written this; GBK words of a few characters often are UTF-8 of letters nobody mixes.

    (The name 盈硕 in GBK is ӯ˶ in UTF-8.) Any Chinese character settles it, so does one alphabet besides Latin.
    """
    foreign = {next((n for n, (low, high) in enumerate(_ALPHABETS) if low <= c <= high), -1) for c in text if c > "\u007f"}
    return any(c >= "\u0800" for c in text) or (-1 not in foreign and len(foreign - {0}) <= 1)


def undecoded(encoding: str, offset: int | None, after: bytes) -> PermanentError:
    """The error for bytes that are not `encoding`, with advice from a trial of the bytes `after` the fault."""
    try:
        suggestion = detect(after)
    except PermanentError:
        suggestion = encoding
    suggestion = suggestion if suggestion != encoding else "auto"
    found = after[:4].hex(" ")
    return PermanentError(
        "NAVE-D103", encoding=encoding, offset="?" if offset is None else offset, found=found, suggestion=suggestion
    )


def text_of(chunks: Iterable[bytes], declared: str | None, first: int = 0) -> Iterator[str]:
    """Decode `chunks`, whose byte order mark of `first` bytes is gone; undeclared, the first non-ASCII one decides.

    What is good before a wrong byte is yielded before NAVE-D103 is raised with the byte's offset.
    """
    encoding, decoder, fed = declared, None, first
    for chunk in chunks:
        if encoding is None and not chunk.isascii():
            encoding = detect(chunk)
        if encoding is None:
            yield chunk.decode("ascii")
        else:
            decoder = decoder or codecs.getincrementaldecoder(encoding)()
            yield from _decoded(decoder, chunk, encoding, fed)
        fed += len(chunk)
    if decoder is not None and encoding is not None:
        yield from _decoded(decoder, b"", encoding, fed, final=True)


def _decoded(
    decoder: codecs.IncrementalDecoder, chunk: bytes, encoding: str, fed: int, *, final: bool = False
) -> Iterator[str]:
    start = fed - len(decoder.getstate()[0])
    try:
        yield decoder.decode(chunk, final)
    except UnicodeDecodeError as error:
        yield error.object[: error.start].decode(encoding)
        raise undecoded(encoding, start + error.start, error.object[error.start :]) from None


def _fail(head: bytes, length: int, encoding: str) -> None:
    try:
        codecs.getincrementaldecoder(encoding)().decode(head[length:])
    except UnicodeDecodeError as error:
        raise undecoded(encoding, length + error.start, head[length + error.start :]) from None
