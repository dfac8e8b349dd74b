"""Reads scanners and readers: each line is a scan, committed before it is acknowledged.

A device that never saw the acknowledgement says the scan again when it is back. The position holds what each device said
last, so that such a repeat is acknowledged and not taken twice.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from types import TracebackType

import msgspec

from nave.connectors.autoid.framing import Framing
from nave.connectors.autoid.intake import WINDOW, Intake, Line
from nave.connectors.autoid.options import LinesOptions, LinesSourceOptions
from nave.connectors.wording import first_line
from nave.core.errors import ConfigError, PermanentError, RetryableError
from nave.core.protocols import Batch, Place, Raw, Refused, Setting

_LOOK = 0.25
_QUIET = 0.5
"""Seconds without a scan after which a batch run has them all, for now."""


class LinesSource:
    """The scans of all devices of a connection."""

    def __init__(self, connection: LinesOptions, options: LinesSourceOptions, setting: Setting) -> None:
        self._connection = connection
        self._options = options
        self._framing = Framing(options)
        self._intake: Intake | None = None
        self._said: dict[str, list[str]] = {}
        """What each device said last, as far as it may not have heard that it is safe."""
        self._doubted: dict[str, list[str]] = {}

    def __enter__(self) -> LinesSource:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._intake is not None:
            self._intake.close()

    def read(self, after: str | None) -> Iterator[Batch]:
        """Yield what devices say until they are quiet. RetryableError when there is no device to be heard."""
        intake = self._opened(after)
        quiet_since = time.monotonic()
        while time.monotonic() - quiet_since < _QUIET:
            lines = intake.take(self._options.batch, _LOOK)
            yield from self._batches(intake, lines)
            if lines:
                quiet_since = time.monotonic()

    def follow(self, after: str | None, going: Callable[[], bool]) -> Iterator[Batch]:
        """As `read`, but waits for more for as long as `going` says so."""
        intake = self._opened(after)
        while going():
            yield from self._batches(intake, intake.take(self._options.batch, _LOOK))

    def _opened(self, after: str | None) -> Intake:
        if self._intake is not None:
            self._intake.close()
        self._said = _position(after)
        self._intake = Intake(self._connection, self._framing.end, self._options.longest)
        self._intake.open()
        return self._intake

    def _batches(self, intake: Intake, lines: Sequence[Line]) -> Iterator[Batch]:
        """One batch of what is new among these lines; all of them are answered behind its commit."""
        records: list[Raw] = []
        refused: list[Refused] = []
        answers: list[tuple[Line, str]] = []
        for line in lines:
            number = len(records) + len(refused) + 1
            taken = self._taken(line, number)
            answers.append((line, self._options.nak if isinstance(taken, Refused) else self._options.ack))
            if isinstance(taken, Refused):
                refused.append(taken)
            elif taken is not None:
                records.append(taken)
        if records or refused:
            places: list[Place] = [(number, None) for number in range(1, len(records) + 1)]
            yield Batch(records, places, {"unit": "line"}, msgspec.json.encode(self._said).decode(), refused)
        for line, said in answers:
            intake.answer(line, said.encode())

    def _taken(self, line: Line, number: int) -> Raw | Refused | None:
        """The scan in a line, its refusal, or None for what is no scan or was taken before."""
        said = line.data.decode("latin-1")
        try:
            if not line.whole:
                raise self._framing.too_long()
            text = self._framing.text(line.data)
            if text is None or self._repeats(line, text):
                return None
            said = text
            found = self._framing.fields(text)
        except PermanentError as error:
            return Refused((number, None), said[:2_000], error)
        self._said[line.device.name] = [*self._said.get(line.device.name, ()), text][-WINDOW:]
        return {"code": text, "device": line.device.name, **self._stamp(), **found}

    def _stamp(self) -> dict[str, str]:
        return {"at": datetime.now(UTC).isoformat(timespec="milliseconds")} if self._options.stamp else {}

    def _repeats(self, line: Line, text: str) -> bool:
        """Whether a device that is back says again what it said before: then it goes on where it was in that."""
        if self._options.again == "take":
            return False
        device = line.device
        if device.fresh:
            device.fresh = False
            before = self._said.get(device.name, [])
            last = len(before) - 1 - before[::-1].index(text) if text in before else len(before)
            self._doubted[device.name] = before[last:]
        doubted = self._doubted.get(device.name) or []
        if doubted and doubted[0] == text:
            self._doubted[device.name] = doubted[1:]
            return True
        self._doubted[device.name] = []
        return False


def _position(after: str | None) -> dict[str, list[str]]:
    if not after:
        return {}
    try:
        return msgspec.json.decode(after, type=dict[str, list[str]])
    except msgspec.DecodeError as error:
        raise ConfigError("NAVE-S003", position=after[:80]) from error


def check(connection: LinesOptions, setting: Setting) -> None:
    """Connect to each device once; that a port to listen on is free is seen when it is opened."""
    for address in connection.connect:
        host, _, port = address.rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=5).close()
        except OSError as error:
            raise RetryableError("NAVE-K374", address=address, reason=first_line(error)) from error
