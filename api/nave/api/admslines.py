"""What ZKTeco clocks write in their bodies: punches, people and events, as raw records.

Nothing that a line says is lost because the line is odd: what cannot be read becomes a record with a `fault`, which its
mapping refuses by that text. Finger templates, faces and passwords are not kept at all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from nave.core.protocols import Raw

_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", re.ASCII)
_PIN = re.compile(r"[A-Za-z0-9_-]{1,40}", re.ASCII)
_NOBODY = frozenset({"", "0"})
_SECRET = frozenset({"passwd", "password"})
_LONGEST_LINE = 4_000


@dataclass(frozen=True, slots=True)
class Reading:
    """What a clock's times mean."""

    serial: str
    now: datetime
    """The hub's own clock."""
    zone: ZoneInfo
    ahead: timedelta
    """How far a clock may go fast."""

    @property
    def latest(self) -> str:
        """The last moment, as the clock writes it, that is not the future."""
        return (self.now.astimezone(self.zone) + self.ahead).strftime("%Y-%m-%d %H:%M:%S")


Parse = Callable[[str, Reading], Raw | None]
"""One line: its record, or None where it says nothing of that kind."""


def lines(body: bytes) -> Iterator[str]:
    """The lines that are not empty; UTF-8, or else GB 18030, which is what Chinese clocks mean by GB2312."""
    for line in body.split(b"\n"):
        line = line.rstrip(b"\r\x00")
        if line.strip():
            yield _text(line)


def _text(line: bytes) -> str:
    for encoding in ("utf-8", "gb18030"):
        try:
            return line.decode(encoding)
        except UnicodeDecodeError:
            continue
    return line.decode("ascii", "backslashreplace")


def punch(line: str, reading: Reading) -> Raw | None:
    """A line of ATTLOG: PIN, time, status, way of proof, work code, each behind a tab; further columns mean nothing."""
    values = [value.strip() for value in line.split("\t")]
    values += [""] * (5 - len(values))
    pin, time, status, verify, workcode = values[:5]
    return _punch(line, reading, (pin, time, status, verify), workcode)


def event(line: str, reading: Reading) -> Raw | None:
    """A line of rtlog, `time=...<TAB>pin=...`: a punch where it names a person; a door that opened by itself is none."""
    pairs = _pairs(line)
    if pairs.get("pin", "") in _NOBODY and "pin" in pairs:
        return None
    names = ("pin", "time", "inoutstatus", "verifytype")
    pin, time, status, verify = (pairs.get(name, "") for name in names)
    return _punch(line, reading, (pin, time, status, verify))


def _punch(line: str, reading: Reading, said: tuple[str, str, str, str], workcode: str = "") -> Raw:
    pin, time, status, verify = said
    return {
        "device": reading.serial,
        "pin": pin,
        "time": time,
        "status": status,
        "verify": verify,
        "workcode": workcode,
        "fault": _fault(line, reading, pin, time, status),
    }


def _fault(line: str, reading: Reading, pin: str, time: str, status: str) -> str | None:
    if not _PIN.fullmatch(pin) or not _TIME.fullmatch(time) or not status.isdecimal():
        return f"no punch: {line[:_LONGEST_LINE]!r}"
    try:
        datetime.fromisoformat(time)
    except ValueError:
        return f"no moment: {time}"
    if time > reading.latest:
        # Not when that was here: a clock tells all again, and what is told again word for word has its letter already.
        return f"from the future: {time}"
    return None


def person(line: str, reading: Reading) -> Raw | None:
    """A line `USER PIN=1<TAB>Name=...` or `user pin=1<TAB>name=...`; of people only what says who they are."""
    kind, _, rest = line.partition(" ")
    if kind.lower() != "user":
        return None
    pairs = {name: value for name, value in _pairs(rest).items() if name not in _SECRET}
    pin = pairs.get("pin", "")
    known = {"pin": pin, "name": pairs.get("name", ""), "card": pairs.get("card", pairs.get("cardno", ""))}
    fault = None if _PIN.fullmatch(pin) else f"no person: {sorted(pairs)}"
    return {"device": reading.serial, **known, "privilege": pairs.get("pri", pairs.get("privilege", "")), "fault": fault}


def _pairs(line: str) -> dict[str, str]:
    """`A=1<TAB>B=2` by names in small letters."""
    found = (part.partition("=") for part in line.split("\t"))
    return {name.strip().lower(): value.strip() for name, sign, value in found if sign}
