"""Tells whether a request was signed by somebody who knows the secret: Standard Webhooks, or an HMAC in one header."""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hmac import compare_digest, digest
from typing import Literal

from nave.api.problems import Problem
from nave.core import webhooks

Headers = Mapping[bytes, bytes]
_LONGEST_ID = 255
_WHO = {"WWW-Authenticate": 'Signature realm="nave"'}


@dataclass(frozen=True, slots=True)
class Webhooks:
    """Standard Webhooks: the id, the moment and the body are signed, so that none of them can be changed or used later."""

    keys: Sequence[bytes] = field(repr=False)
    tolerance: float = 300.0
    """Seconds by which the sender's clock and the hub's may differ, in either direction."""
    clock: Callable[[], float] = time.time

    def check(self, headers: Headers, body: bytes) -> str:
        """The id of the message, which a repeat of it has as well; a Problem with status 401 says what is wrong."""
        number, said = headers.get(webhooks.ID.encode(), b""), headers.get(webhooks.TIMESTAMP.encode(), b"")
        # Two spellings of one number would sign differently, and int() takes many.
        plain = said.isdigit() and len(said) <= 12 and (said == b"0" or not said.startswith(b"0"))
        if not plain or not 0 < len(number) <= _LONGEST_ID or not (number.isascii() and number.decode().isprintable()):
            raise _wrong()
        away = self.clock() - int(said)
        if not -self.tolerance <= away <= self.tolerance:
            raise Problem("NAVE-A022", 401, _WHO, seconds=f"{away:.0f}", tolerance=f"{self.tolerance:g}")
        if not webhooks.verified(self.keys, number, int(said), headers.get(webhooks.SIGNATURE.encode(), b""), body):
            raise _wrong()
        return number.decode()


@dataclass(frozen=True, slots=True)
class HeaderHmac:
    """An HMAC of the body in one header, as many services have it. Nothing in it tells a repeat from a first time."""

    keys: Sequence[bytes] = field(repr=False)
    header: bytes
    """In lower case."""
    prefix: bytes = b""
    algorithm: str = "sha256"
    encoding: Literal["hex", "base64"] = "hex"

    def check(self, headers: Headers, body: bytes) -> None:
        """A Problem with status 401 where the header does not fit the body."""
        said = headers.get(self.header, b"").strip()
        shown = _DECODERS[self.encoding](said[len(self.prefix) :]) if said.startswith(self.prefix) else b""
        if not sum(compare_digest(digest(key, body, self.algorithm), shown) for key in self.keys):  # any() would stop early
            raise _wrong()


Signing = Webhooks | HeaderHmac


def _hex(text: bytes) -> bytes:
    try:
        return binascii.unhexlify(text)
    except (ValueError, binascii.Error):
        return b""


def _base64(text: bytes) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return b""


_DECODERS: Mapping[str, Callable[[bytes], bytes]] = {"hex": _hex, "base64": _base64}


def _wrong() -> Problem:
    return Problem("NAVE-A021", 401, _WHO)
