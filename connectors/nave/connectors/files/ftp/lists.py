"""What an FTP server says of its files, in the forms that can be trusted.

MLSD and MLST are made for programs. Without them names come from NLST and sizes and times are asked for one by one; LIST,
which is made for people, is only believed when it says that something is no file.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

from nave.connectors.files.share import Far

_KINDS = {"file": stat.S_IFREG, "dir": stat.S_IFDIR, "cdir": 0, "pdir": 0}
_UNIX = re.compile(r"([-dlbcpsD])[-rwxsStTlL]{9}[+.@]?\s+(?:\d+\s+)?\S+\s+.*")
_DOS = re.compile(r"\d{2}-\d{2}-\d{2,4}\s+\d{2}:\d{2}[AP]M\s+(<DIR>|<JUNCTION>|<SYMLINKD?>|\d+)\s.*")
_TIME = re.compile(r"(\d{14})(?:\.(\d{1,9}))?")
_TOTAL = re.compile(r"(?:total \d+)?", re.IGNORECASE)
_DATED = re.compile(r"\s(?:[A-Z][a-z]{2} +\d{1,2} +(?:\d{4}|\d{1,2}:\d{2})|\d{4}-\d{2}-\d{2} +\d{2}:\d{2}(?::\d{2})?) ")
_ARROWS, _BLANKS = 3, 60
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NO_FILE = frozenset("dlbcpsD")


def facts(line: str) -> tuple[str, Far] | None:
    """Name and state in a line of MLSD or MLST; None for the folder itself and for lines that are none."""
    told, space, name = line.lstrip(" ").partition(" ")
    known = dict(one.lower().split("=", 1) for one in told.split(";") if "=" in one)
    kind = _KINDS.get(known.get("type", ""), stat.S_IFLNK)
    if not space or not kind:
        return None
    size = known.get("size", "")
    changed = moment(known.get("modify", ""))
    if stat.S_ISREG(kind) and (not size.isdecimal() or changed is None):
        return None
    return name, Far(kind, int(size) if size.isdecimal() else 0, changed or 0)


def moment(text: str) -> int | None:
    """Nanoseconds since 1970 of a time as MDTM and `modify` tell it, which is UTC; None if it is none."""
    found = _TIME.fullmatch(text.strip())
    if found is None:
        return None
    try:
        when = datetime.strptime(found[1], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None
    return (when - _EPOCH) // timedelta(seconds=1) * 1_000_000_000 + int((found[2] or "0").ljust(9, "0"))


def no_files(names: Iterable[str], lines: Iterable[str]) -> set[str] | None:
    """Names that LIST shows as folders, links and the like; None where its lines have a form that is not known."""
    known, found, forms = frozenset(names), set[str](), set[bool]()
    for line in lines:
        kind = _kind(line)
        forms.add(kind is not None)
        if kind is not None and kind in _NO_FILE:
            found |= known.intersection(_names(line))
    return None if forms == {False} else found


def _kind(line: str) -> str | None:
    """The letter of a line's kind; None for a line of a form that is not known, as the rest of a name with a line break."""
    unix, dos = _UNIX.fullmatch(line), _DOS.fullmatch(line)
    if unix is not None:
        return unix[1]
    if dos is not None:
        return "d" if dos[1].startswith("<") else "-"
    return "-" if _TOTAL.fullmatch(line.strip()) else None


def _names(line: str) -> Iterator[str]:
    """What a line may be about: a name may hold blanks and arrows, and behind an arrow stands where a link leads."""
    dated = _DATED.search(line)
    for rest in [line[dated.end() :]] if dated else _tails(line):
        parts = rest.split(" -> ", _ARROWS)
        yield from (" -> ".join(parts[:count]) for count in range(1, len(parts) + 1))


def _tails(line: str) -> Iterator[str]:
    """Where a date has another form than the usual ones: what stands behind each of the first blanks."""
    rest = line
    for _ in range(_BLANKS):
        _, blank, rest = rest.partition(" ")
        if not blank:
            return
        yield rest
