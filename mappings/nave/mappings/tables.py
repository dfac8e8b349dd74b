"""Value tables (数据对照): the code of one system on one side, the canonical code on the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from nave.core.errors import ConfigError, PermanentError
from nave.mappings.operations import as_text
from nave.mappings.problems import near, shown

Unknown = Literal["refuse", "pass", "default"]
"""What becomes of a code that is not in the table."""


@dataclass(frozen=True)
class ValueTable:
    """Rows of (system or "" for all, code there, canonical code), in the order of the file."""

    name: str
    rows: tuple[tuple[str, str, str], ...]
    unknown: Unknown = "refuse"

    @classmethod
    def from_rows(cls, name: str, rows: Iterable[Mapping[str, str]], unknown: Unknown = "refuse") -> ValueTable:
        """Take the rows of a CSV with the columns `from`, `to` and, if codes differ by system, `system`.

        Raises ConfigError for a missing column (M019) and for one code with two meanings (M018).
        """
        found: dict[tuple[str, str], str] = {}
        kept: list[tuple[str, str, str]] = []
        for number, row in enumerate(rows, 2):
            source, target = row.get("from"), row.get("to")
            if source is None or target is None:
                raise ConfigError("NAVE-M019", table=name, row=number, columns=", ".join(map(str, row)))
            place = (row.get("system") or "", source)
            if found.setdefault(place, target) != target:
                raise ConfigError("NAVE-M018", table=name, row=number, value=shown(source))
            kept.append((*place, target))
        return cls(name, tuple(kept), unknown)

    def inward(self, system: str) -> dict[str, str]:
        """Code of `system` -> canonical code; the system's own rows win over those for all."""
        ranked = sorted(self.rows, key=lambda row: row[0] != "")
        return {code: canonical for of, code, canonical in ranked if of in ("", system)}

    def outward(self, system: str) -> dict[str, str]:
        """Canonical code -> code of `system`; of several codes with one meaning, the first in the file is used."""
        ranked = sorted(self.rows, key=lambda row: row[0] == "")
        codes: dict[str, str] = {}
        for of, code, canonical in ranked:
            if of in ("", system):
                codes.setdefault(canonical, code)
        return codes


_NOT_THERE = object()


def look_up(name: str, codes: Mapping[str, str], unknown: Unknown, default: Any = None) -> Callable[[Any], Any]:
    """The look-up that a mapping runs: text (or a number's text) to code; absent and empty give `default`."""
    get = codes.get

    def table(value: Any) -> Any:
        if type(value) is str:
            found = get(value, _NOT_THERE)
            if found is not _NOT_THERE:
                return found
        return other(value)

    def other(value: Any) -> Any:
        if value is None:
            return default
        text = as_text(value)
        if text in codes:
            return codes[text]
        if text == "":
            return default
        if unknown == "default":
            return default
        if unknown == "pass":
            return text
        raise PermanentError("NAVE-M104", table=name, value=shown(text), near=near(text, codes))

    return table
