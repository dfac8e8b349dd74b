"""Addresses and header texts: what comes from records or files is encoded, so that nothing leaves its place."""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping
from functools import lru_cache
from urllib.parse import quote, urlsplit, urlunsplit

from nave.core.protocols import Outbound

_PRINTABLE = "".join(map(chr, range(0x20, 0x7F)))
_UNRESERVED_AND_MARKS = "/%:@!$&'()*+,;=~-._"


_FILLED: Mapping[str, Callable[[Outbound], str]] = {
    "key": lambda record: _segment(record.key),
    "version": lambda record: str(record.version),
    "remote_key": lambda record: _segment(record.remote_key or record.key),
    "idempotency_key": lambda record: _segment(record.idempotency_key),
}


def address(url: str, path: str, record: Outbound) -> str:
    """Url and path, filled in; nothing in a key can leave its segment."""
    named = fields(path)
    return url + (_quoted(path.format(**{name: _FILLED[name](record) for name in named})) if named else _constant(path))


@lru_cache(maxsize=64)
def fields(path: str) -> frozenset[str]:
    """What stands in braces in a path."""
    return frozenset(name for _, name, _, _ in string.Formatter().parse(path) if name is not None)


@lru_cache(maxsize=64)
def _constant(path: str) -> str:
    """Of a path that is the same for every record."""
    return _quoted(path.format())


def _quoted(path: str) -> str:
    return quote(path, safe=_UNRESERVED_AND_MARKS + "?#[]")


def _segment(text: str) -> str:
    encoded = quote(text, safe="")
    return encoded.replace(".", "%2E") if set(text) == {"."} else encoded


def header_text(text: str) -> str:
    """Text for a header: what could end the line, or is no ASCII, percent-encoded."""
    return text if text.isascii() and text.isprintable() else quote(text, safe=_PRINTABLE)


def ascii_url(url: str) -> str:
    """An address with a host name or a path in any script, as it goes over the wire."""
    if url.isascii():
        return url
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = f":{parts.port}" if parts.port else ""
    netloc = host if host.isascii() else host.encode("idna").decode()
    return urlunsplit((parts.scheme, netloc + port, quote(parts.path, safe=_UNRESERVED_AND_MARKS), "", ""))
