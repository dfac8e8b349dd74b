"""Which rows were landed and are not known to be gone: one bit for each id, packed into the position.

Tryton keeps a log of deletions, but empties the reference to what was deleted when it is read; so the hub asks which rows
are still there, and compares.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterable

from nave.connectors.wording import short
from nave.core.errors import ConfigError

MOST = 5_000_000
"""The highest id that is remembered: 610 KB of bits, much less once they are packed."""
_BYTES = MOST // 8 + 1


class Held:
    """A set of ids."""

    def __init__(self, bits: bytearray | None = None) -> None:
        self._bits = bits if bits is not None else bytearray()

    @classmethod
    def parse(cls, text: str) -> Held:
        """From a position; a ConfigError if it is none."""
        try:
            unpacking = zlib.decompressobj()
            bits = unpacking.decompress(base64.b64decode(text, validate=True), _BYTES) if text else b""
            if unpacking.unconsumed_tail or (text and not unpacking.eof):
                raise ValueError
        except (ValueError, zlib.error) as error:
            raise ConfigError("NAVE-S003", position=short(text)) from error
        return cls(bytearray(bits))

    def text(self) -> str:
        """As it stands in a position."""
        return base64.b64encode(zlib.compress(bytes(self._bits), 6)).decode() if self._bits else ""

    def add(self, ids: Iterable[int], model: str) -> None:
        """Remember these; NAVE-K378 for an id that is too high to be remembered."""
        for one in ids:
            if not 0 <= one <= MOST:
                raise ConfigError("NAVE-K378", model=model, id=one, limit=MOST)
            if one >> 3 >= len(self._bits):
                self._bits.extend(bytes((one >> 3) + 1 - len(self._bits)))
            self._bits[one >> 3] |= 1 << (one & 7)

    def forget(self, ids: Iterable[int]) -> None:
        """Remember these no more."""
        for one in ids:
            if one >> 3 < len(self._bits):
                self._bits[one >> 3] &= ~(1 << (one & 7)) & 0xFF

    def __len__(self) -> int:
        return int.from_bytes(self._bits, "little").bit_count()

    def but(self, others: Iterable[int]) -> list[int]:
        """Those that are not among the others, in order."""
        left = Held(bytearray(self._bits))
        left.forget(others)
        return [8 * place + bit for place, byte in enumerate(left._bits) if byte for bit in range(8) if byte >> bit & 1]
