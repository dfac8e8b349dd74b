"""Reads headers of mails as they really come: encoded words, split parameters, and raw bytes in GBK or UTF-8."""

from __future__ import annotations

from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message
from urllib.parse import unquote_to_bytes

_WIDER = {"gb2312": "gb18030", "gbk": "gb18030", "gb_2312-80": "gb18030", "x-gbk": "gb18030", "us-ascii": "utf-8"}
"""What mailers say, and what they then write."""


def every(message: Message, name: str) -> list[str]:
    """All headers of that name, topmost first, their raw bytes decoded."""
    return [_text(value) for key, value in message.raw_items() if key.lower() == name]


def decoded(message: Message, name: str) -> str:
    """The first header of that name with its encoded words decoded; empty where there is none."""
    found = every(message, name)
    return words(found[0]) if found else ""


def parameter(message: Message, header: str, name: str) -> str:
    """One parameter of a header, decoded; empty where there is none."""
    found = every(message, header)
    if not found:
        return ""
    alone = Message()
    alone["X"] = " ".join(found[0].split())
    told = alone.get_param(name, header="x")
    if isinstance(told, tuple):
        return _in(told[2].encode("latin-1", "replace"), told[0] or "utf-8")
    if not isinstance(told, str):
        return ""
    text = words(told)
    return _in(unquote_to_bytes(text), "utf-8") if text.startswith("UTF-8''") else text


def words(text: str) -> str:
    """With encoded words (RFC 2047) decoded, also inside of quotes, where they have no business but often are."""
    if "=?" not in text:
        return text
    try:
        pieces = decode_header(text)
    except (HeaderParseError, ValueError):
        return text
    return "".join(piece if isinstance(piece, str) else _in(piece, charset or "utf-8") for piece, charset in pieces)


def _text(value: object) -> str:
    """A raw header: bytes that are no ASCII are UTF-8, or else GBK."""
    raw = str(value).encode("utf-8", "surrogateescape")
    return _in(raw, "utf-8")


def _in(raw: bytes, charset: str) -> str:
    name = _WIDER.get(charset.lower(), charset)
    for codec in (name, "gb18030"):
        try:
            return raw.decode(codec)
        except (UnicodeDecodeError, LookupError, ValueError):
            continue
    return raw.decode("latin-1")
