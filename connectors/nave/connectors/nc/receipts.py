"""Receipts, from bytes to what is said of each document: the bytes decide their encoding, and only a whole one counts."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nave.connectors.nc.bills import ROOT, Bill
from nave.connectors.wording import short
from nave.core.errors import NaveError, UnknownOutcome
from nave.formats import DEFAULTS, XmlFormat, read
from nave.formats.encodings import mark


@dataclass(frozen=True, slots=True)
class Told:
    """What a receipt says of one document."""

    code: str
    text: str
    key: str | None
    """What the server made of it; worth nothing unless the code is the good one."""
    doubtful: bool = False
    """The receipt contradicts itself."""

    @property
    def raw(self) -> str:
        """As it is kept."""
        return " ".join(part for part in (self.code, self.key or "", self.text) if part)[:2000]


def decoded(content: bytes) -> str:
    """The text of a receipt, without its declaration. NC writes GBK under a declaration of UTF-8, and the other way round.

    GBK of more than a few characters is never UTF-8 by chance. Raises UnicodeDecodeError.
    """
    named, length = mark(content)
    if named:
        text = content[length:].decode(named)
    else:
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError:
            text = content.decode("gb18030")
    text = text.strip()
    if text.startswith("<?xml") and "?>" in text[:400]:
        text = text.partition("?>")[2]
    return text


def opened(content: bytes, url: str) -> Mapping[str, Any]:
    """The receipt's root element. UnknownOutcome NAVE-K392 for one that is cut off, or is none."""
    try:
        data = decoded(content).encode()
        rows = [row.value for row in read(io.BytesIO(data), XmlFormat(record=ROOT, encoding="utf-8"), DEFAULTS)]
    except (NaveError, UnicodeError) as error:
        reason = error.text() if isinstance(error, NaveError) else str(error)
        raise unclear(url, reason) from error
    if len(rows) != 1 or not isinstance(rows[0], Mapping):
        raise unclear(url, shown(content))
    return rows[0]


def shown(content: bytes) -> str:
    """The beginning of an answer, for a person."""
    try:
        return short(decoded(content), 200)
    except UnicodeDecodeError:
        return short(content[:200].decode("latin-1"), 200)


def unclear(url: str, reason: str) -> UnknownOutcome:
    """The error for an answer from which nothing follows."""
    return UnknownOutcome("NAVE-K392", url=short(url, 200), reason=short(reason, 200))


def nc_told(root: Mapping[str, Any], bills: Sequence[Bill], url: str) -> dict[str, Told]:
    """By id, what NC says of each bill; those of which it says nothing are missing. It echoes the document beside that."""
    results = _listed(root.get("sendresult"))
    if not results:
        raise unclear(url, "no sendresult")
    whole = _text(root.get("@successful")).upper()
    found: dict[str, Told] = {}
    for one in results:
        name, code = _text(one.get("bdocid")), _text(one.get("resultcode"))
        if not name and len(bills) == len(results) == 1:
            name = bills[0].id
        key = _text(one.get("content")) or _text(one.get("billpk"))
        doubtful = name in found or (code == "1" and whole == "N")
        found[name] = Told(code, _text(one.get("resultdescription")), short(key, 200) or None, doubtful)
    if not any(one.id in found for one in bills):
        raise unclear(url, f"it is about {', '.join(found)[:100] or '-'}")
    return found


def u8_told(root: Mapping[str, Any], bills: Sequence[Bill], url: str) -> dict[str, Told]:
    """What U8 says of the document: one item for it, or one for each of its rows, of which the worst counts."""
    (bill,) = bills
    items = _listed(root.get("item"))
    named = _text(root.get("@docid"))
    if not items:
        raise unclear(url, "no item")
    if named not in ("", bill.id):
        raise unclear(url, f"it is about {named}")
    bad = [one for one in items if _text(one.get("@succeed")) != "0"]
    worst = (bad or items)[0]
    said = "; ".join(text for one in (bad or items) if (text := _text(one.get("@dsc"))))
    key = _text(worst.get("@u8key"))
    return {bill.id: Told(_text(worst.get("@succeed")), said, short(key, 200) or None)}


def about(root: Mapping[str, Any]) -> str:
    """The `filename` of the document that a receipt of NC is about, as its bills or its head repeat it; or nothing."""
    named = next((name for one in _listed(root.get("sendresult")) if (name := _text(one.get("filename")))), "")
    return named or _text(root.get("@filename"))


def _listed(value: Any) -> list[Mapping[str, Any]]:
    listed = value if isinstance(value, list) else [value]
    return [one for one in listed if isinstance(one, Mapping)]


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        value = value.get("#text")
    return value.strip() if isinstance(value, str) else ""
