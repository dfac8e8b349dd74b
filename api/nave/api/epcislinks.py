"""One spelling for each thing that EPCIS can name: EPC URNs and digital links as canonical GS1 Digital Link URIs.

`urn:epc:id:sgtin:4012345.011111.9876` and `https://shop.example/01/04012345111118/10/L1/21/9876?17=270101` are one
object: `https://id.gs1.org/01/04012345111118/21/9876`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from stdnum import ean

_ROOT = "https://id.gs1.org"
_URN = re.compile(r"urn:epc:(id|class|idpat):([a-z]+):(.+)", re.ASCII)
_LINK = re.compile(r"https?://[^/?#]+((?:/[^/?#]+)+)/?(?:[?#].*)?", re.ASCII)
_ESCAPES = {one: f"%{ord(one):02X}" for one in "!()*+,:"}
_WORDS: Mapping[str, str] = {
    "gtin": "01",
    "itip": "8006",
    "cpid": "8010",
    "gln": "414",
    "party": "417",
    "gsrnp": "8017",
    "gsrn": "8018",
    "gcn": "255",
    "sscc": "00",
    "gdti": "253",
    "ginc": "401",
    "gsin": "402",
    "grai": "8003",
    "giai": "8004",
    "cpv": "22",
    "lot": "10",
    "ser": "21",
}
_FINEST: Mapping[str, Sequence[str]] = {
    "01": ("21", "235", "10"),
    "8006": ("21", "10"),
    "414": ("254",),
    "8010": ("8011",),
    **dict.fromkeys(("417", "8017", "8018", "255", "00", "253", "401", "402", "8003", "8004"), ()),
}
"""Primary keys -> the qualifiers that may name something finer, the finest first."""


def canonical(uri: str) -> str | None:
    """The canonical link of a URN or a digital link; None for what is neither."""
    text = uri.strip()
    urn = _URN.fullmatch(text)
    if urn is None:
        return _relinked(text)
    make = _MAKERS.get((urn[1], urn[2]))
    try:
        return _ROOT + make(urn[3].split(".")) if make else None
    except (ValueError, IndexError):
        return None


def spelled(uri: str) -> str:
    """The canonical link of what a URI names, or the URI itself."""
    return canonical(uri) or uri.strip()


def _escaped(text: str) -> str:
    return "".join(_ESCAPES.get(one, one) for one in text)


def _checked(body: str, digits: int) -> str:
    """With its check digit; ValueError for one of another length."""
    if len(body) != digits or not (body.isascii() and body.isdigit()):
        raise ValueError(body)
    return body + str(ean.calc_check_digit(body))


def _gtin(parts: Sequence[str]) -> str:
    return _checked(parts[1][:1] + parts[0] + parts[1][1:], 13)


def _rest(parts: Sequence[str], start: int) -> str:
    """A serial number may hold points itself."""
    if len(parts) <= start:
        raise ValueError("too short")
    return _escaped(".".join(parts[start:]))


def _sgln(parts: Sequence[str]) -> str:
    place = _checked(parts[0] + parts[1], 12)
    finer = _rest(parts, 2)
    return f"/414/{place}" if finer == "0" else f"/414/{place}/254/{finer}"


def _whole(key: str, digits: int) -> Callable[[Sequence[str]], str]:
    return lambda parts: f"/{key}/{_checked(parts[0] + parts[1], digits)}"


def _numbered(key: str, lead: str = "") -> Callable[[Sequence[str]], str]:
    """Twelve digits, their check digit, and a serial number right behind it."""
    return lambda parts: f"/{key}/{lead}{_checked_led(lead, parts)}{_rest(parts, 2)}"


def _checked_led(lead: str, parts: Sequence[str]) -> str:
    return _checked(lead + parts[0] + parts[1], 12 + len(lead))[len(lead) :]


_MAKERS: Mapping[tuple[str, str], Callable[[Sequence[str]], str]] = {
    ("id", "sgtin"): lambda p: f"/01/{_gtin(p)}/21/{_rest(p, 2)}",
    ("id", "upui"): lambda p: f"/01/{_gtin(p)}/235/{_rest(p, 2)}",
    ("id", "itip"): lambda p: f"/8006/{_gtin(p)}{p[2]}{p[3]}/21/{_rest(p, 4)}",
    ("id", "sscc"): lambda p: f"/00/{_checked(p[1][:1] + p[0] + p[1][1:], 17)}",
    ("id", "sgln"): _sgln,
    ("id", "pgln"): _whole("417", 12),
    ("id", "gsrn"): _whole("8018", 17),
    ("id", "gsrnp"): _whole("8017", 17),
    ("id", "gsin"): _whole("402", 16),
    ("id", "grai"): _numbered("8003", "0"),
    ("id", "gdti"): _numbered("253"),
    ("id", "sgcn"): _numbered("255"),
    ("id", "giai"): lambda p: f"/8004/{p[0]}{_rest(p, 1)}",
    ("id", "ginc"): lambda p: f"/401/{p[0]}{_rest(p, 1)}",
    ("id", "cpi"): lambda p: f"/8010/{_escaped(p[0] + p[1])}/8011/{p[2]}",
    ("class", "lgtin"): lambda p: f"/01/{_gtin(p)}/10/{_rest(p, 2)}",
    ("idpat", "sgtin"): lambda p: f"/01/{_gtin(p)}",
    ("idpat", "upui"): lambda p: f"/01/{_gtin(p)}",
    ("idpat", "itip"): lambda p: f"/8006/{_gtin(p)}{p[2]}{p[3]}",
    ("idpat", "grai"): lambda p: f"/8003/0{_checked_led('0', p)}",
    ("idpat", "gdti"): _whole("253", 12),
    ("idpat", "sgcn"): _whole("255", 12),
    ("idpat", "cpi"): lambda p: f"/8010/{_escaped(p[0] + p[1])}",
}


def _relinked(text: str) -> str | None:
    found = _LINK.fullmatch(text)
    parts = [_WORDS.get(one, one) for one in found[1].split("/")[1:]] if found else []
    place = next((at for at, one in enumerate(parts[:-1]) if one in _FINEST and parts[at + 1][:4].isdigit()), None)
    if place is None:
        return None
    key, value, behind = parts[place], parts[place + 1], parts[place + 2 :]
    if key == "01" and value.isdigit():
        value = value.zfill(14)
    named = dict(zip(behind[::2], behind[1::2], strict=False))
    finest = next((one for one in _FINEST[key] if one in named), None)
    return f"{_ROOT}/{key}/{value}" + (f"/{finest}/{named[finest]}" if finest else "")
