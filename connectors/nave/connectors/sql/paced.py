"""A connection to MariaDB or MySQL that gives up when an answer does not come, or comes by drops."""

from __future__ import annotations

import io
import time
from typing import Any

from pymysql.connections import Connection  # type: ignore[import-untyped, unused-ignore]

_SOME = 2**16
"""Bytes that an answer has to bring in the time that one may take: a large one may take its time as long as it flows."""


class Paced(Connection):  # type: ignore[misc, unused-ignore]
    """A connection that closes when an answer takes too long. The driver's own limit begins anew with every byte."""

    def __init__(self, *arguments: Any, answer: float, **named: Any) -> None:
        self.seconds = answer
        self._waited, self._brought = 0.0, 0
        self._answers: io.BufferedReader | None = None
        super().__init__(*arguments, **{**named, "read_timeout": answer, "write_timeout": answer})

    @property
    def _rfile(self) -> io.BufferedReader | None:
        return self._answers

    @_rfile.setter
    def _rfile(self, file: io.BufferedReader | None) -> None:
        """What the driver reads from: set anew when the connection comes about, and when it is encrypted."""
        self._answers = None if file is None else io.BufferedReader(_Answers(file.detach(), self), _SOME)

    def _write_bytes(self, data: bytes) -> None:
        self._waited, self._brought = 0.0, 0
        self._sock.settimeout(self.seconds)
        super()._write_bytes(data)

    def wait_no_longer(self) -> None:
        """Have the next bytes come in the time that is left; a TimeoutError if there is none."""
        left = self.seconds - self._waited
        if left <= 0:
            raise TimeoutError
        self._sock.settimeout(left)

    def came(self, count: int, seconds: float) -> None:
        """So many bytes came after so many seconds."""
        self._waited += seconds
        self._brought += count
        if self._brought >= _SOME:
            self._waited, self._brought = 0.0, 0


class _Answers(io.RawIOBase):
    """The bytes that a server sends."""

    def __init__(self, raw: io.RawIOBase, connection: Paced) -> None:
        self._raw, self._connection = raw, connection

    def readable(self) -> bool:
        return True

    def readinto(self, room: Any) -> int | None:
        began = time.monotonic()
        try:
            self._connection.wait_no_longer()
            count = self._raw.readinto(room)  # type: ignore[attr-defined, unused-ignore]
        except TimeoutError as error:
            raise TimeoutError(f"no answer within {self._connection.seconds:g} s") from error
        self._connection.came(count or 0, time.monotonic() - began)
        return count  # type: ignore[no-any-return, unused-ignore]

    def close(self) -> None:
        self._raw.close()
        super().close()
