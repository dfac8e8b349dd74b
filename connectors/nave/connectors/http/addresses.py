"""Addresses and header texts: what comes from records or files is encoded, so that nothing leaves its place."""

from __future__ import annotations

from urllib.parse import quote, urlsplit, urlunsplit

from nave.core.protocols import Outbound

_PRINTABLE = "".join(map(chr, range(0x20, 0x7F)))
_UNRESERVED_AND_MARKS = "/%:@!$&'()*+,;=~-._"


def address(url: str, path: str, record: Outbound) -> str:
    """Url and path, filled in; nothing in a key can leave its segment."""
    filled = path.format(
        key=_segment(record.key),
        version=record.version,
        remote_key=_segment(record.remote_key or record.key),
        idempotency_key=_segment(record.idempotency_key),
    )
    return url + quote(filled, safe=_UNRESERVED_AND_MARKS + "?#[]")


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
