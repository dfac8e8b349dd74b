"""What ZKTeco clocks are told: their options, to the letter."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from hashlib import blake2b

NONE_KEPT = "0"
"""The stamp of a clock that never sent anything: it sends all that it has."""
_MODERN = re.compile(r"(\d{1,3})\.(\d{1,3})(\.\d{1,5})*", re.ASCII)
_STAMP = re.compile(r"[A-Za-z0-9:_-]{1,40}", re.ASCII)
_EVER = "9999"
"""What many clocks write where they keep no stamps: it must not be told them, or they would send nothing old any more."""

Kept = Callable[[str], str | None]
"""The stamp that is kept for a table."""


def is_stamp(text: str) -> bool:
    """Whether it is worth keeping."""
    return bool(_STAMP.fullmatch(text)) and text != _EVER


def options(serial: str, version: str, kept: Kept, offset: datetime, people: bool) -> str:
    """The answer to `options=all`. Clocks of before 2.x, which name no version, know their stamps by other names."""
    punches, changes = kept("ATTLOG") or NONE_KEPT, kept("OPERLOG") or NONE_KEPT
    modern = (found := _MODERN.fullmatch(version)) is not None and int(found[1]) >= 2
    stamps = ["ATTLOGStamp", "OPERLOGStamp"] if modern else ["Stamp", "OpStamp"]
    said = [
        f"GET OPTION FROM: {serial}",
        f"{stamps[0]}={punches}",
        f"{stamps[1]}={changes}",
        *(["ATTPHOTOStamp=None"] if modern else []),
        "ErrorDelay=30",
        "Delay=10",
        "TransTimes=00:00;14:05",
        "TransInterval=1",
        "TransFlag=TransData AttLog" + ("\tOpLog\tEnrollUser\tChgUser" if people else ""),
        f"TimeZone={_hours(offset)}",
        "Realtime=1",
        "Encrypt=None",
    ]
    return "\r\n".join(said) + "\r\n"


def push_options(serial: str, key: bytes) -> str:
    """The answer to POST /iclock/push of protocol 3."""
    said = [
        "ServerVersion=3.1.2",
        "ServerName=nave",
        "PushVersion=3.1.2",
        "ErrorDelay=30",
        "RequestDelay=10",
        "TransTimes=00:00\t14:05",
        "TransInterval=1",
        "TransTables=User\tTransaction",
        "Realtime=1",
        f"SessionID={registry_code(serial, key)}",
        "TimeoutSec=20",
    ]
    return "\n".join(said) + "\n"


def registry_code(serial: str, key: bytes) -> str:
    """32 characters that are the same each time, and that nobody makes who does not know the key."""
    return blake2b(serial.encode(), key=key[:64], digest_size=16).hexdigest()


def _hours(moment: datetime) -> str:
    """The zone's offset: whole hours, or minutes where it is not whole, as clocks expect."""
    offset = moment.utcoffset()
    minutes = int(offset.total_seconds()) // 60 if offset else 0
    return str(minutes // 60) if minutes % 60 == 0 else str(minutes)
