"""What a scanned code says: GS1 element strings, digital links, EPCs, EAN codes; by their check digits, not by their look.

biip knows the GS1 system; what readers give of RFID tags is taken apart here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

from stdnum import ean

from nave.core.errors import PermanentError
from nave.core.protocols import Raw

_LONGEST = 2_000
_SYMBOLOGY = re.compile(r"\][A-Za-z][0-9A-Za-z]")
_LINK = re.compile(
    r"https?://[^/?#]+(?:/[^/?#]+)*?/(01|00|8004|8003|414|gtin|sscc)/([^/?#]+)((?:/[^/?#]+/[^/?#]+)*)/?(?:\?([^#]*))?(?:#.*)?"
)
_URN = re.compile(r"urn:epc:(id|class|idpat|tag):([a-z0-9-]+):(.+)", re.ASCII)
_HEX = re.compile(r"[0-9A-Fa-f]{24,52}", re.ASCII)
_DIGITS = re.compile(r"[0-9]{8}|[0-9]{12,14}|[0-9]{18}", re.ASCII)
_NAMES: Mapping[str, str] = {
    "00": "sscc",
    "01": "gtin",
    "02": "content",
    "10": "lot",
    "11": "produced",
    "13": "packed",
    "15": "best_before",
    "17": "expires",
    "21": "serial",
    "30": "count",
    "37": "count",
    "240": "item",
    "241": "customer_item",
    "400": "order",
    "410": "ship_to",
    "414": "place",
    "8003": "asset",
    "8004": "asset",
    "8010": "part",
    "8011": "part_serial",
    "8200": "link",
}
"""Application identifiers -> fields; others are called ai_ and their number."""
_WORDS = {"gtin": "01", "sscc": "00", "lot": "10", "ser": "21"}


def label(code: str) -> Raw:
    """What the code says: `form`, and gtin, serial, lot, sscc and what else is in it. `form` is text for what is no code.

    A PermanentError NAVE-K376 says what is wrong with a code that is one by its look.
    """
    text = code.strip(" \t\r\n")
    if not text or len(text) > _LONGEST:
        raise _wrong(code, "code", "empty, or too long")
    for fits, form, read in _FORMS:
        if fits(text):
            return {"form": form, **read(text)}
    return {"form": "text"}


def _wrong(code: str, kind: str, reason: str) -> PermanentError:
    shown = "".join(one if one.isprintable() else "·" for one in code[:80])
    return PermanentError("NAVE-K376", scan=shown, kind=kind, reason=reason)


def _bare(text: str) -> str:
    return _SYMBOLOGY.sub("", text, count=1) if text.startswith("]") else text


def _is_elements(text: str) -> bool:
    return text.startswith(("]C1", "]d2", "]Q3", "]e0", "]J1", "(")) or "\x1d" in text or _looks_like_elements(text)


def _looks_like_elements(text: str) -> bool:
    """A scanner that adds no symbology id: 01 and a GTIN, or 00 and an SSCC, with more behind or nothing but that."""
    gtin = text.startswith(("01", "02")) and text[:16].isascii() and text[:16].isdigit() and len(text) >= 16
    sscc = text.startswith("00") and len(text) == 20 and text.isascii() and text.isdigit()
    return gtin or sscc


def _elements(text: str) -> Raw:
    from biip import ParseError
    from biip.gs1_messages import GS1Message

    bare = _bare(text).removeprefix("\x1d")
    try:
        message = GS1Message.parse_hri(bare) if bare.startswith("(") else GS1Message.parse(bare)
    except (ParseError, ValueError) as error:
        raise _wrong(text, "GS1", str(error).splitlines()[0][:120]) from None
    found: Raw = {}
    for one in message.element_strings:
        fault = one.gtin_error or one.sscc_error or one.gln_error
        if fault is not None:
            raise _wrong(text, "GS1", str(fault).splitlines()[0][:120])
        value = one.date.isoformat() if one.date is not None else one.decimal if one.decimal is not None else one.value
        found[_NAMES.get(one.ai.ai, f"ai_{one.ai.ai}")] = value
    return found


def _link(text: str) -> Raw:
    parts = _LINK.fullmatch(text)
    assert parts is not None
    listed = [*(unquote(one) for one in parts[3].split("/")[1:])]
    pairs = [(parts[1], unquote(parts[2])), *zip(listed[::2], listed[1::2], strict=True)]
    pairs += [
        (name, unquote(value)) for name, _, value in (one.partition("=") for one in (parts[4] or "").split("&")) if value
    ]
    named = [(_WORDS.get(name, name), value) for name, value in pairs]
    key, value = named[0]
    if key == "01":
        named[0] = (key, _checked(text, value.zfill(14), 14))
    elif key == "00":
        _checked(text, value, 18)
    known = [(name, value) for name, value in named if name in _NAMES and re.fullmatch(r"[0-9]{2,4}", name)]
    head, *others = [f"({name}){value}" for name, value in known]
    return _elements("".join([head, *others]))


def _checked(code: str, digits: str, length: int) -> str:
    good = len(digits) == length and digits.isascii() and digits.isdigit()
    if not good or str(ean.calc_check_digit(digits[:-1])) != digits[-1]:
        raise _wrong(code, "GTIN" if length <= 14 else "SSCC", "wrong check digit or length")
    return digits


def _number(text: str) -> Raw:
    if len(_bare(text)) == 18:
        return {"sscc": _checked(text, _bare(text), 18)}
    return {"gtin": _checked(text, _bare(text), len(_bare(text))).zfill(14)}


def _urn(text: str) -> Raw:
    parts = _URN.fullmatch(text)
    assert parts is not None
    kind, scheme, body = parts[1], parts[2], parts[3].split(".")
    if kind == "tag":
        scheme, body = scheme.rpartition("-")[0], body[1:]
    read = _SCHEMES.get(scheme)
    if read is None:
        return {"epc": text}
    try:
        return {"epc": _identity(kind, scheme, body, text), **read(body)}
    except (ValueError, IndexError):
        raise _wrong(text, "EPC", "the parts have not the lengths that they should have") from None


def _identity(kind: str, scheme: str, body: list[str], text: str) -> str:
    return f"urn:epc:id:{scheme}:{'.'.join(body)}" if kind == "tag" else text


def _whole(body: str, length: int) -> str:
    if len(body) != length or not (body.isascii() and body.isdigit()):
        raise ValueError(body)
    return body + str(ean.calc_check_digit(body))


def _gtin(body: list[str]) -> str:
    return _whole(body[1][:1] + body[0] + body[1][1:], 13)


def _tail(body: list[str], start: int) -> str:
    if len(body) <= start:
        raise ValueError("too short")
    return unquote(".".join(body[start:]))


_SCHEMES: Mapping[str, Callable[[list[str]], Raw]] = {
    "sgtin": lambda b: {"gtin": _gtin(b), **({"serial": _tail(b, 2)} if b[2:] != ["*"] else {})},
    "lgtin": lambda b: {"gtin": _gtin(b), "lot": _tail(b, 2)},
    "sscc": lambda b: {"sscc": _whole(b[1][:1] + b[0] + b[1][1:], 17)},
    "sgln": lambda b: {"place": _whole(b[0] + b[1], 12)},
    "giai": lambda b: {"asset": b[0] + _tail(b, 1)},
}

_COMPANY = (12, 11, 10, 9, 8, 7, 6)
"""Digits of the company prefix, by the partition value of a tag."""
_BITS = (40, 37, 34, 30, 27, 24, 20)


def _tag(text: str) -> Raw:
    """SGTIN-96, SGTIN-198 and SSCC-96 as a reader gives them: the memory of a tag in hexadecimal."""
    bits = f"{int(text, 16):0{len(text) * 4}b}"
    scheme = {"00110000": "sgtin", "00110001": "sscc", "00110110": "sgtin-198"}[bits[:8]]
    partition = int(bits[11:14], 2)
    if partition > 6:
        raise _wrong(text, "EPC", "partition 7")
    digits, width = _COMPANY[partition], _BITS[partition]
    other, rest = (58 - width, 17 - digits) if scheme == "sscc" else (44 - width, 13 - digits)
    company, item = int(bits[14 : 14 + width], 2), int(bits[14 + width : 14 + width + other], 2)
    if company >= 10**digits or item >= 10**rest:
        raise _wrong(text, "EPC", "more digits than the partition allows")
    body = f"{company:0{digits}d}.{item:0{rest}d}"
    if scheme == "sgtin":
        body += f".{int(bits[58:96], 2)}"
    elif scheme == "sgtin-198":
        body += f".{_seven(bits[58:198])}"
    return _urn(f"urn:epc:id:{scheme.partition('-')[0]}:{body}")


def _seven(bits: str) -> str:
    """Seven bits a character, ended by zeros."""
    found = [int(bits[at : at + 7], 2) for at in range(0, 140, 7)]
    text = "".join(map(chr, found)).rstrip("\x00")
    return "".join(one if one.isalnum() or one in "-_" else f"%{ord(one):02X}" for one in text)


def _is_tag(text: str) -> bool:
    if not _HEX.fullmatch(text) or (text.isdigit() and len(text) not in (24, 52)):
        return False
    return (len(text) == 24 and text[:2] in ("30", "31")) or (len(text) in (50, 52) and text[:2] == "36")


_FORMS: tuple[tuple[Callable[[str], Any], str, Callable[[str], Raw]], ...] = (
    (_URN.fullmatch, "epc", _urn),
    (_LINK.fullmatch, "link", _link),
    (_is_tag, "tag", _tag),
    (_is_elements, "gs1", _elements),
    (lambda text: _DIGITS.fullmatch(_bare(text)), "ean", _number),
)
