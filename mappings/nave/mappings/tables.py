"""Value tables (数据对照): the code of one system on one side, the canonical code on the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal, NamedTuple

from nave.core.errors import ConfigError, PermanentError
from nave.mappings.operations import as_text, kind_of
from nave.mappings.problems import near, shown

Unknown = Literal["refuse", "pass", "default"]
"""What becomes of a code that is not in the table."""

_EVER = (date.min, date.max)


class Row(NamedTuple):
    """One line of a table; both days belong to the time in which it holds."""

    system: str
    """Empty for all systems."""
    code: str
    canonical: str
    since: date = date.min
    until: date = date.max


class Side(NamedTuple):
    """One direction of a table for one system: what is looked up -> the answers, each with its time."""

    codes: Mapping[str, tuple[tuple[date, date, str], ...]]

    @property
    def always(self) -> dict[str, str]:
        """Of a table without dates: what is looked up -> the answer."""
        return {code: answers[0][2] for code, answers in self.codes.items()}


@dataclass(frozen=True)
class ValueTable:
    """The rows in the order of the file, and the table's own policy for what is not in it."""

    name: str
    rows: tuple[Row, ...]
    unknown: Unknown = "refuse"
    default: str | None = None

    @classmethod
    def from_rows(
        cls, name: str, rows: Iterable[Mapping[str, str]], unknown: Unknown | None = None, default: str | None = None
    ) -> ValueTable:
        """Take rows with the columns `from`, `to` and, where needed, `system`, `valid_from`, `valid_to` (ISO dates).

        `rows` may bring a policy of its own (attributes `unknown` and `default`). Raises ConfigError for a missing
        column (M019), for a date that is none (M030), and for one code with two rows for the same day (M018).
        """
        kept: list[Row] = []
        known: dict[tuple[str, str], list[Row]] = {}
        for number, fields in enumerate(rows, 2):
            row = _row(name, number, fields)
            others = known.setdefault(row[:2], [])
            if any(row.since <= other.until and other.since <= row.until for other in others):
                raise ConfigError("NAVE-M018", table=name, row=number, value=shown(row.code))
            others.append(row)
            kept.append(row)
        policy: Unknown = unknown or getattr(rows, "unknown", None) or "refuse"
        return cls(name, tuple(kept), policy, default if default is not None else getattr(rows, "default", None))

    @property
    def dated(self) -> bool:
        """Whether any row holds only for a time."""
        return any((row.since, row.until) != _EVER for row in self.rows)

    def side(self, system: str, *, outbound: bool) -> Side:
        """What is known to `system`; its own rows win over those for all.

        On the way out, of several codes with one meaning the first in the file is used.
        """
        mine = [row for row in self.rows if row.system == system and system]
        found: dict[str, list[tuple[date, date, str]]] = {}
        for row in [*mine, *(row for row in self.rows if not row.system)]:
            key, answer = (row.canonical, row.code) if outbound else (row.code, row.canonical)
            found.setdefault(key, []).append((row.since, row.until, answer))
        return Side({key: tuple(answers) for key, answers in found.items()})

    def inward(self, system: str) -> dict[str, str]:
        """Code of `system` -> canonical code, of a table without dates."""
        return self.side(system, outbound=False).always

    def outward(self, system: str) -> dict[str, str]:
        """Canonical code -> code of `system`, of a table without dates."""
        return self.side(system, outbound=True).always


def _row(name: str, number: int, fields: Mapping[str, str]) -> Row:
    source, target = fields.get("from"), fields.get("to")
    if source is None or target is None:
        raise ConfigError("NAVE-M019", table=name, row=number, columns=", ".join(map(str, fields)))
    since = _day(name, number, fields.get("valid_from"), date.min)
    until = _day(name, number, fields.get("valid_to"), date.max)
    if since > until:
        raise ConfigError("NAVE-M030", table=name, row=number, value=f"{since} > {until}")
    return Row(fields.get("system") or "", source, target, since, until)


def _day(name: str, number: int, text: str | None, otherwise: date) -> date:
    if not text:
        return otherwise
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ConfigError("NAVE-M030", table=name, row=number, value=shown(text)) from None


_NOT_THERE = object()


def look_up(name: str, side: Side, unknown: Unknown, default: Any, fallback: Any) -> Callable[[Any], Any]:
    """The look-up that a mapping runs: text (or a number's text) to code; absent and empty give `default`, what is not
    in the table what its policy says."""
    codes = side.always
    get = codes.get
    other = _others(name, codes, unknown, default, fallback)

    def table(value: Any) -> Any:
        if type(value) is str:
            found = get(value, _NOT_THERE)
            if found is not _NOT_THERE:
                return found
        text = as_text(value) if value is not None else None
        return codes[text] if text in codes else other(text)

    return table


def look_up_on(name: str, side: Side, unknown: Unknown, default: Any, fallback: Any) -> Callable[[Any, Any], Any]:
    """`look_up` in a table whose rows hold for a time: a code and a day."""
    other = _others(name, side.codes, unknown, default, fallback)

    def table(value: Any, day: Any) -> Any:
        text = as_text(value) if value is not None else None
        if not text:
            return other(text)
        on = day.date() if isinstance(day, datetime) else day
        if not isinstance(on, date):
            raise PermanentError("NAVE-M119", by="at", value=shown(day), kind=kind_of(day))
        answers = side.codes.get(text, ())
        return next((answer for since, until, answer in answers if since <= on <= until), _NOT_THERE)

    def settled(value: Any, day: Any) -> Any:
        found = table(value, day)
        return other(as_text(value)) if found is _NOT_THERE else found

    return settled


def _others(
    name: str, codes: Mapping[str, Any], unknown: Unknown, default: Any, fallback: Any
) -> Callable[[str | None], Any]:
    """What becomes of what is absent, and of codes that are not there."""

    def other(text: str | None) -> Any:
        if text is None or text == "":
            return default
        if unknown == "default":
            return fallback
        if unknown == "pass":
            return text
        raise PermanentError("NAVE-M104", table=name, value=shown(text), near=near(text, codes))

    return other
