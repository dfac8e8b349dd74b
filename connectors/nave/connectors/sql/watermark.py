"""How far a database has been read: the highest watermark, its type, and a digest of what may be read again."""

from __future__ import annotations

import hashlib
import json
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from nave.connectors.sql.values import raw_value
from nave.connectors.wording import short
from nave.core.errors import ConfigError

LOOK = 5_000
"""Rows that are compared with the last read before anything is landed again; a larger window is just landed again."""

_READ: dict[str, Callable[[str], Any]] = {
    "str": str,
    "int": int,
    "float": float,
    "Decimal": Decimal,
    "datetime": datetime.fromisoformat,
    "date": date.fromisoformat,
}
_SHOW: dict[str, Callable[[Any], str]] = {"datetime": datetime.isoformat, "date": date.isoformat}


@dataclass(frozen=True, slots=True)
class Seen:
    """What a whole read held: how many rows, and the sum of their digests, whatever their order."""

    rows: int
    digest: str


@dataclass(frozen=True, slots=True)
class Position:
    """`at` is the highest watermark as text of type `kind`, None while there is none; `seen` what lies in the overlap."""

    at: str | None = None
    kind: str = "str"
    seen: Seen | None = None

    @classmethod
    def of(cls, mark: Any, seen: Seen | None) -> Position:
        """Of a driver's value; a ConfigError for a type that cannot be a watermark."""
        if mark is None:
            return cls(seen=seen)
        kind = type(mark).__name__
        if kind not in _READ:
            raise ConfigError("NAVE-S037", kind=kind)
        return cls(_SHOW.get(kind, str)(mark), kind, seen)

    def mark(self) -> Any:
        """The driver's value again."""
        return None if self.at is None else _READ[self.kind](self.at)

    def text(self) -> str:
        """As stored in the checkpoint."""
        return json.dumps(asdict(self), ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def parse(cls, text: str | None) -> Position:
        """From the checkpoint; a ConfigError if this is no position of a database."""
        if text is None:
            return cls()
        try:
            fields = json.loads(text)
            seen = fields.pop("seen")
            position = cls(**fields, seen=Seen(**seen) if seen else None)
            position.mark()
        except (ValueError, TypeError, KeyError, AttributeError, ArithmeticError) as error:
            raise ConfigError("NAVE-S003", position=short(text)) from error
        return position


def back(mark: Any, overlap: timedelta | int | None) -> Any:
    """`mark` less the overlap, in its type and, for text, its form; a ConfigError where they do not go together."""
    if mark is None or not overlap:
        return mark
    try:
        if isinstance(mark, str):
            return _text_back(mark, overlap)
        return mark - overlap
    except OverflowError:
        return mark
    except (TypeError, ValueError) as error:
        raise ConfigError("NAVE-S038", mark=short(mark), overlap=short(overlap)) from error


def _text_back(mark: str, overlap: timedelta | int) -> str:
    if isinstance(overlap, int):
        return str(int(mark) - overlap).zfill(len(mark))
    if len(mark) == 14 and mark.isdigit():
        return f"{datetime.strptime(mark, '%Y%m%d%H%M%S') - overlap:%Y%m%d%H%M%S}"  # noqa: DTZ007 - as naive as it was
    core = mark.removesuffix("Z")
    zone = next((core[at:] for sign in "+-" if (at := core.rfind(sign)) > 15), "")
    core = core[: len(core) - len(zone)]
    moment = datetime.fromisoformat(core) - overlap
    separator = mark[10] if len(core) > 10 else " "
    return moment.isoformat(separator, "microseconds")[: len(core)] + mark[len(core) :]


def digest(rows: Iterable[Any]) -> int:
    """The sum of the rows' digests: the same for the same rows in any order."""
    total = 0
    for row in rows:
        text = json.dumps(row, default=str, ensure_ascii=False, sort_keys=True)
        total += int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest(), "big")
    return total % (1 << 128)


class Window:
    """The rows of a read that the next one will see again: those not below the highest watermark less the overlap."""

    def __init__(self, overlap: timedelta | int | None, at: Any) -> None:
        self.at = at
        self._overlap = overlap
        self._rows: deque[tuple[Any, Any]] = deque(maxlen=LOOK)
        self._unmarked: deque[Any] = deque(maxlen=LOOK)
        self._dropped: Any = None
        self._full = False

    def add(self, marks: Sequence[Any], rows: Sequence[Any]) -> None:
        """Remember rows with their watermarks, oldest first; memory is bounded by `LOOK` rows."""
        for mark, row in zip(marks, rows, strict=True):
            if mark is None:
                self._full = self._full or len(self._unmarked) == LOOK
                self._unmarked.append(row)
                continue
            if len(self._rows) == LOOK:
                self._dropped = self._rows[0][0]
            self._rows.append((mark, row))
            self.at = mark if self.at is None else max(self.at, mark)

    def seen(self) -> Seen | None:
        """What the next read will see if nothing changes, or None if that is too much to compare."""
        low = back(self.at, self._overlap)
        if self._full or (self._dropped is not None and self._dropped >= low):
            return None
        again = [row for mark, row in self._rows if mark >= low] + list(self._unmarked)
        return Seen(len(again), f"{digest(again):032x}")


def same(rows: Sequence[Any], seen: Seen) -> bool:
    """Whether these are the rows of the last read."""
    return len(rows) == seen.rows and f"{digest(rows):032x}" == seen.digest


def shown(mark: Any) -> str:
    """For texts."""
    return short(raw_value(mark))
