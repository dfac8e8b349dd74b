"""How far a database has been read: the highest watermark, its type, and a digest of what may be read again."""

from __future__ import annotations

import hashlib
import json
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
    """`at` is the highest watermark as text of type `kind`, None while there is none."""

    at: str | None = None
    kind: str = "str"
    seen: Seen | None = None
    """What a whole read held."""
    told: str | None = None
    """What a read with a watermark will see again."""
    behind: tuple[str, str] | None = None
    """In the middle of a read: the key, and its type, of the row at `at` behind which it goes on."""

    @classmethod
    def of(cls, mark: Any, seen: Seen | None, told: str | None = None, key: Any = None) -> Position:
        """Of a driver's values; a ConfigError for a type that cannot be a watermark."""
        if mark is None:
            return cls(seen=seen, told=told)
        kind = type(mark).__name__
        if kind not in _READ:
            raise ConfigError("NAVE-S037", kind=kind)
        shown = _SHOW.get(type(key).__name__, str)(key)
        behind = (shown, type(key).__name__) if type(key).__name__ in _READ else None
        return cls(_SHOW.get(kind, str)(mark), kind, seen, told, behind)

    def mark(self) -> Any:
        """The driver's value again."""
        return None if self.at is None else _READ[self.kind](self.at)

    def key(self) -> Any:
        """The driver's value of the key behind which a read goes on, or None."""
        return None if self.behind is None else _READ[self.behind[1]](self.behind[0])

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
            position.key()
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
    """The digests of a whole read; memory is bounded by `LOOK` rows."""

    def __init__(self) -> None:
        self._rows: list[Any] = []
        self._full = False

    def add(self, rows: Sequence[Any]) -> None:
        """Remember rows, in any order."""
        self._full = self._full or len(self._rows) + len(rows) > LOOK
        self._rows = [] if self._full else [*self._rows, *rows]

    def seen(self) -> Seen | None:
        """What the next read will see if nothing changes, or None if that is too much to compare."""
        return None if self._full else Seen(len(self._rows), f"{digest(self._rows):032x}")


def same(rows: Sequence[Any], seen: Seen) -> bool:
    """Whether these are the rows of the last read."""
    return len(rows) == seen.rows and f"{digest(rows):032x}" == seen.digest


def shown(mark: Any) -> str:
    """For texts."""
    return short(raw_value(mark))
