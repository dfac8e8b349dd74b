"""Prepared records as bytes, so that a stored record is compared without reading it and taking it apart again."""

from __future__ import annotations

from hashlib import blake2b

import msgspec

from nave.core.matching.model import MatchModel
from nave.core.matching.side import Packed, Prepared

_VERSION = 1
"""To be raised when preparing comes to mean something else."""
_MARK = 8
"""Bytes in front of each form that say what made it."""


class Forms:
    """Writes and reads the forms of one model."""

    def __init__(self, model: MatchModel) -> None:
        self._mark = blake2b(b"%d" % _VERSION + msgspec.json.encode(model), digest_size=_MARK).digest()
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(list[bytes | None]).decode

    def pack(self, prepared: Prepared) -> bytes:
        """One prepared record as bytes."""
        return self._mark + self._encode([None if side is None else self._encode(side) for side in prepared])

    def unpack(self, form: bytes) -> Packed | None:
        """What `pack` was given, its fields still to be read; None where another model or way of preparing made it."""
        if not form.startswith(self._mark):
            return None
        return [*self._decode(memoryview(form)[_MARK:])]
