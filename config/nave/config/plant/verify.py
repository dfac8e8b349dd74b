"""Compares what a hub made of the plant with the truth, field by field; it reads the hub only through what it is given."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from nave.config.plant.crm_target import LEDGER, read_documents
from nave.config.plant.generate import TRUTH
from nave.config.plant.targets import IDENTITY
from nave.config.plant.truth import read_lines

Member = tuple[str, str]
Row = Mapping[str, Any]
ReadGolden = Callable[[str], Iterable[tuple[Iterable[Member], Row]]]
"""Entity -> golden records that live: their (system, key) members, and their values, typed or as stored JSON."""
ReadTargets = Callable[[str], Iterable[Row]]
"""Sink -> the rows or documents that its target holds."""

_NUMBERS = frozenset(
    ["amount", "value", "scrap_rate", "tax_rate", "CREDIT", "PRICE", "TOTAL", "LINES", "CONTACTS", "WEIGHT_KG", "orders"]
)
_MOMENTS = frozenset({"at"})
_UNORDERED = frozenset({"contacts"})
_OF_THE_HUB = frozenset({"id", "version", "ID", "VERSION"})
_TABLES: Mapping[str, tuple[str, str]] = {
    "crm.customers_db": ("data/crm.db", "CRM_CUSTOMER"),
    "crm.orders_db": ("data/crm.db", "CRM_ORDER"),
    "erp.products_if": ("data/erp_if.db", "IF_PRODUCT"),
}


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as it must be; `field` None means the whole record is missing or too many."""

    kind: str
    """golden, target or dead."""
    name: str
    """Entity, sink or source."""
    key: str
    field: str | None
    expected: Any
    actual: Any

    def __str__(self) -> str:
        place = f"{self.kind} {self.name} {self.key}" + (f".{self.field}" if self.field else "")
        return f"{place}: expected {_shown(self.expected)}, found {_shown(self.actual)}"


def verify(
    folder: Path, read_golden: ReadGolden, read_targets: ReadTargets, identity: Mapping[str, tuple[str, ...]] = IDENTITY
) -> list[Difference]:
    """All differences between the truth in a hub folder and what the hub and its targets hold; empty when all is right.

    `identity` names the sinks, each with what says which record a row of its target is.
    """
    truth = folder / TRUTH
    entities = sorted(path.stem for path in (truth / "golden").glob("*.jsonl"))
    found: list[Difference] = []
    for entity in entities:
        expected = {_cluster(line["members"]): line["values"] for line in read_lines(truth / f"golden/{entity}.jsonl")}
        actual = ((_cluster(members), values) for members, values in read_golden(entity))
        found += _compare("golden", entity, expected, actual)
    for sink, names in identity.items():
        rows = {_identity(names, row): row for row in read_lines(truth / f"targets/{sink}.jsonl")}
        found += _compare("target", sink, rows, ((_identity(names, row), row) for row in read_targets(sink)))
    return found


def verify_dead(folder: Path, letters: Iterable[Row]) -> list[Difference]:
    """Differences in the dead letters; each letter has `source`, `code`, and `key` or `file` and `number`.

    A letter is looked for by its source and code, and by the key or else the place that the truth knows it by.
    """
    expected = json.loads((folder / TRUTH / "dead.json").read_text(encoding="utf-8"))
    left = list(letters)
    found: list[Difference] = []
    for one in expected:
        match = next((letter for letter in left if _same_letter(one, letter)), None)
        if match is None:
            found.append(Difference("dead", one["source"], _letter_key(one), None, one, None))
        else:
            left.remove(match)
    found += [Difference("dead", str(one.get("source")), _letter_key(one), None, None, dict(one)) for one in left]
    return found


def read_plant_targets(folder: Path) -> ReadTargets:
    """Reads the plant's own targets: the tables of the CRM and the ERP, and the ledger of the CRM's stand-in."""

    def read(sink: str) -> Iterator[Row]:
        if sink in _TABLES:
            file, table = _TABLES[sink]
            yield from _rows(folder / file, table)
        else:
            yield from read_documents(folder / LEDGER).values()

    return read


def _rows(path: Path, table: str) -> Iterator[Row]:
    if not path.exists():
        return
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        if not database.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table,)).fetchone():
            return
        database.row_factory = sqlite3.Row
        yield from (dict(row) for row in database.execute(f"SELECT * FROM {table}"))


def _cluster(members: Iterable[Iterable[str]]) -> str:
    return " ".join(sorted(":".join(member) for member in members))


def _identity(names: tuple[str, ...], row: Row) -> str:
    parts = {name: row.get(name) for name in names}
    return json.dumps(parts, sort_keys=True, ensure_ascii=False)


def _compare(kind: str, name: str, expected: dict[str, Any], actual: Iterable[tuple[str, Row]]) -> Iterator[Difference]:
    left = dict(expected)
    for key, row in actual:
        if key in left:
            yield from _fields(kind, name, key, left.pop(key), row)
        else:
            yield Difference(kind, name, key, None, None, dict(row))
    yield from (Difference(kind, name, key, None, row, None) for key, row in left.items())


def _fields(kind: str, name: str, key: str, expected: Row, actual: Row) -> Iterator[Difference]:
    for field in sorted({*expected, *actual} - _OF_THE_HUB):
        wanted, found = expected.get(field), actual.get(field)
        if _canonical(field, wanted) != _canonical(field, found):
            yield Difference(kind, name, key, field, wanted, found)


def _canonical(name: str, value: Any) -> Any:
    """A value in the one form in which equal things are equal: numbers, moments, references, lists without an order."""
    if isinstance(value, Mapping):
        chosen = {"system", "key"} if {"system", "key"} <= set(value) else set(value)
        inner = {part: _canonical(part, value[part]) for part in chosen}
        return {part: item for part, item in inner.items() if item is not None} or None
    if isinstance(value, list | tuple):
        items = [_canonical("", item) for item in value]
        return (sorted(items, key=repr) if name in _UNORDERED else items) or None
    if name in _NUMBERS and value is not None:
        return _number(value)
    if name in _MOMENTS and value is not None:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        return moment.astimezone(UTC)
    return value.isoformat() if isinstance(value, date) else value


def _number(value: Any) -> Any:
    try:
        return Decimal(str(value)).normalize()
    except InvalidOperation:
        return value


def _same_letter(expected: Row, letter: Row) -> bool:
    names = ["source", "code", *(["key"] if "key" in expected else ["file", "number"] if "file" in expected else [])]
    return all(expected[name] == letter.get(name) for name in names)


def _letter_key(letter: Row) -> str:
    return str(letter.get("key") or f"{letter.get('file')}#{letter.get('number')}")


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else f"{text[:77]}..."
