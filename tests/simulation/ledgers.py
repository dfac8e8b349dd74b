"""What the sources say, written down before anybody hears of it; and what follows from it, worked out without the hub."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from nave.core.protocols import Raw
from tests.simulation.fate import Fate

SYSTEMS = ("crm", "erp")
SOURCES = ("crm.customer", "erp.customer", "erp.order")
MESSAGES = 200
TRUSTED = "crm"
"""Whose word counts for a customer's name; for all else the newest counts."""


class Said(NamedTuple):
    """One statement of one source."""

    source: str
    key: str
    version: int
    values: Mapping[str, Any]
    broken: str | None = None
    """Nothing can be made of it."""

    @property
    def raw(self) -> Raw:
        """As it crosses the wire."""
        raw = {"key": self.key, "version": self.version, "values": dict(self.values)}
        return raw | {"broken": self.broken} if self.broken else raw

    @property
    def name(self) -> tuple[str, str, int]:
        """What no two statements share."""
        return self.source, self.key, self.version


@dataclass
class Ledger:
    """All that the sources of one seed say, in the order in which it happens there."""

    said: list[Said] = field(default_factory=list)
    acknowledged: set[tuple[str, str, int]] = field(default_factory=set)

    def newest(self, source: str) -> dict[str, Said]:
        """By key, what counts in the end: versions only rise where they are made, whatever happens to them on the way."""
        found: dict[str, Said] = {}
        for one in self.said:
            if one.source == source and not one.broken:
                found[one.key] = one
        return found


def write(fate: Fate) -> Ledger:
    """Customers of two systems that meet by their tax id, part and meet others; orders that name customers yet to come."""
    ledger = Ledger()
    versions: dict[tuple[str, str], int] = {}
    values: dict[tuple[str, str], dict[str, Any]] = {}
    for _ in range(MESSAGES + fate.dice.randrange(40)):
        source = fate.one_of(SOURCES)
        key = (
            f"{source[0].upper()}{fate.dice.randrange(14)}" if source.endswith("customer") else f"O{fate.dice.randrange(24)}"
        )
        version = versions[source, key] = versions.get((source, key), 0) + fate.dice.randint(1, 3)
        before = values.get((source, key))
        repeated = before is not None and fate.dice.random() < 0.08
        new = before if repeated and before else _values(fate, source, key, version, before)
        values[source, key] = new
        broken = fate.one_of(("mapping", "bug")) if not repeated and fate.dice.random() < 0.03 else None
        ledger.said.append(Said(source, key, version, new, broken))
    return ledger


def _values(fate: Fate, source: str, key: str, version: int, before: Mapping[str, Any] | None) -> dict[str, Any]:
    if source == "erp.order":
        system = fate.one_of(SYSTEMS)
        buyer = {"system": system, "key": f"{system[0].upper()}{fate.dice.randrange(15)}"}
        total = {"amount": f"{version}.50", "currency": "CNY"}
        return {
            "number": key,
            "date": "2026-11-01",
            "customer": buyer,
            "total": total,
            "remark": f"{key} v{version}",
            "lines": [],
        }
    values = {"name": f"{key} v{version}", "remark": f"{source} {key} v{version}"}
    usual = before.get("tax_id") if before else f"T{fate.dice.randrange(12)}"
    tax_id = usual if fate.dice.random() < 0.8 else fate.one_of([None, *(f"T{number}" for number in range(12))])
    return values | {"tax_id": tax_id} if tax_id else values


Name = tuple[str, str]
"""(system, key)"""


def clusters(ledger: Ledger) -> dict[frozenset[Name], dict[str, Any]]:
    """The customers there must be in the end: who each is in its systems, and what is true of it."""
    newest = {(system, key): one for system in SYSTEMS for key, one in ledger.newest(f"{system}.customer").items()}
    by_tax: dict[str, list[Name]] = {}
    for name in sorted(newest):
        by_tax.setdefault(newest[name].values.get("tax_id", f"alone {name}"), []).append(name)
    found = {}
    for names in by_tax.values():
        first = {system: next((name for name in names if name[0] == system), None) for system in SYSTEMS}
        pair = tuple(name for name in first.values() if name)
        for group in [pair, *((name,) for name in names if name not in pair)]:
            found[frozenset(group)] = _truth([(name, newest[name]) for name in group])
    return found


def _truth(parts: Sequence[tuple[Name, Said]]) -> dict[str, Any]:
    """Per field the newest system that says it, the lower name first; a customer's name as the trusted one has it."""
    ranked = sorted(parts, key=lambda part: (-part[1].version, part[0]))
    truth: dict[str, Any] = {}
    for _, one in ranked:
        truth = {**one.values, **truth}
    trusted = next((one for name, one in parts if name[0] == TRUSTED), ranked[0][1])
    return {**truth, "name": trusted.values["name"]}


def orders(ledger: Ledger) -> dict[str, Said]:
    """By number, the orders that must be known in the end."""
    return ledger.newest("erp.order")


FACTS = ("name", "remark", "tax_id", "number")
"""Fields whose values are told as they were said."""


def facts(said: Iterable[Said]) -> set[tuple[str, str]]:
    """Every (field, value) that anybody said of anything: what a target holds is made of these."""
    return {(name, str(value)) for one in said for name, value in one.values.items() if name in FACTS}
