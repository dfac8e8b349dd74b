"""What must come out: golden records, targets, dead letters and what is left waiting.

Nothing here calls the hub's own mappings or merge. The writers say what each record means (they made it from the clean
world), and the rules below are the survivorship of `entities/*.yaml` written down a second time; a test compares the two.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from nave.config.plant import targets

Values = dict[str, Any]
Member = tuple[str, str]
Rules = Mapping[str, Mapping[str, str | tuple[str, ...]]]
Rows = Callable[[str, Mapping[str, str], Mapping[str, Any]], Sequence[tuple[str, Values]]]

RULES: Rules = {
    "customer": {
        "default": "most_recent",
        "code": ("erp", "nc", "crm"),
        "name": ("nc", "crm", "erp"),
        "short_name": "longest",
        "credit": ("nc",),
        "contacts": "union",
    },
    "product": {
        "default": "most_recent",
        "code": ("erp", "pdm"),
        "name": ("pdm", "erp"),
        "specification": "longest",
        "drawing_no": ("pdm", "erp"),
        "revision": ("pdm", "erp"),
        "unit": ("erp",),
        "price": ("erp",),
    },
}


@dataclass(frozen=True, slots=True)
class Said:
    """What one system last said of one of its records, in canonical values without the dirt."""

    system: str
    key: str
    at: datetime
    values: Values


@dataclass(frozen=True, slots=True)
class Dead:
    """A source record that must end in the dead letters: its key, or the file and record number where it has none."""

    source: str
    code: str
    key: str | None = None
    file: str | None = None
    number: int | None = None
    field: str | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A reference (`path` of a record), or the delivery of a record to a sink, that nothing will ever resolve."""

    entity: str
    key: str
    path: str
    on: str
    sink: str | None = None


@dataclass(frozen=True, slots=True)
class PlantTruth:
    """What was made, counted; the records themselves are in `folder`."""

    folder: Path
    records: Mapping[str, int]
    """Source -> records written, repeats and stale ones too."""
    golden: Mapping[str, int]
    targets: Mapping[str, int]
    dead: int
    waiting: int
    dirt: Mapping[str, int]


@dataclass
class TruthWriter(AbstractContextManager["TruthWriter"]):
    """Collects what must come out; customers and products are merged at the end, all else is written as it comes."""

    folder: Path
    rules: Rules = field(default_factory=lambda: RULES)
    rows: Rows = targets.rows
    """What a golden record goes out as: sink and row for every sink."""
    _files: dict[str, TextIO] = field(default_factory=dict)
    _clusters: dict[str, dict[object, list[Said]]] = field(default_factory=lambda: {"customer": {}, "product": {}})
    _same: dict[tuple[str, object], list[Member]] = field(default_factory=dict)
    _customers: dict[object, tuple[dict[str, str], Values]] = field(default_factory=dict)
    _records: Counter[str] = field(default_factory=Counter)
    _dirt: Counter[str] = field(default_factory=Counter)
    _golden: Counter[str] = field(default_factory=Counter)
    _targets: Counter[str] = field(default_factory=Counter)
    _dead: list[Dead] = field(default_factory=list)
    _waiting: list[Waiting] = field(default_factory=list)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for file in self._files.values():
            file.close()

    def wrote(self, source: str, count: int = 1) -> None:
        """`count` records went out to the source's file, table or events."""
        self._records[source] += count

    def dirtied(self, kind: str, count: int = 1) -> None:
        """A fault of this kind was put in."""
        self._dirt[kind] += count

    def died(self, dead: Dead) -> None:
        """This record must not get through."""
        self._dead.append(dead)

    def waits(self, waiting: Waiting) -> None:
        """This will stay in the waiting room."""
        self._waiting.append(waiting)

    def member(self, entity: str, cluster: object, said: Said) -> None:
        """One system's record of a customer or product; equal `cluster` means it is the same one in the end."""
        self._clusters[entity].setdefault(cluster, []).append(said)

    def same(self, entity: str, thing: object, member: Member) -> None:
        """One system's record of a thing, whether or not the exact rules can tell that it is of this one."""
        self._same.setdefault((entity, thing), []).append(member)

    def alone(self, entity: str, system: str, key: str, values: Values) -> None:
        """A record that only one system keeps, as its golden record must be."""
        self._put_golden(entity, [(system, key)], values)

    def customer(self, cluster: object) -> tuple[dict[str, str], Values]:
        """Keys by system and golden values of a customer cluster that is complete."""
        if cluster not in self._customers:
            members = self._clusters["customer"][cluster]
            values = merged("customer", members, self.rules)
            self._customers[cluster] = {said.system: said.key for said in members}, values
        return self._customers[cluster]

    def target(self, sink: str, row: Values) -> None:
        """What the sink's target must hold for one record in the end."""
        self._line(f"targets/{sink}.jsonl", row)
        self._targets[sink] += 1

    def finish(self) -> PlantTruth:
        """Merge, derive the customer and product targets, write what is left; call once, last."""
        for entity, clusters in self._clusters.items():
            for members in clusters.values():
                self._finish_cluster(entity, members)
        for (entity, _), records in self._same.items():
            self._line(f"same/{entity}.jsonl", {"members": sorted(records)})
        self._dump("dead.json", [_plain(one) for one in self._dead])
        self._dump("waiting.json", [_plain(one) for one in self._waiting])
        counts = {"records": self._records, "golden": self._golden, "targets": self._targets, "dirt": self._dirt}
        self._dump("counts.json", {name: dict(sorted(counter.items())) for name, counter in counts.items()})
        return PlantTruth(
            folder=self.folder,
            records=dict(self._records),
            golden=dict(self._golden),
            targets=dict(self._targets),
            dead=len(self._dead),
            waiting=len(self._waiting),
            dirt=dict(self._dirt),
        )

    def _finish_cluster(self, entity: str, members: Sequence[Said]) -> None:
        values = merged(entity, members, self.rules)
        keys = {said.system: said.key for said in members}
        self._put_golden(entity, list(keys.items()), values)
        self._line(f"clusters/{entity}.jsonl", {"members": sorted(keys.items())})
        for sink, row in self.rows(entity, keys, values):
            self.target(sink, row)

    def _put_golden(self, entity: str, members: Sequence[Member], values: Values) -> None:
        present = {name: value for name, value in values.items() if value is not None}
        self._line(f"golden/{entity}.jsonl", {"members": sorted(members), "values": present})
        self._golden[entity] += 1

    def _line(self, name: str, value: object) -> None:
        file = self._files.get(name)
        if file is None:
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            file = self._files[name] = path.open("w", encoding="utf-8")
        file.write(_text(value) + "\n")

    def _dump(self, name: str, value: object) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_text(_text(value, indent=1) + "\n", encoding="utf-8")


def _text(value: object, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, indent=indent)


def _plain(one: Dead | Waiting) -> dict[str, object]:
    return {name: getattr(one, name) for name in one.__slots__ if getattr(one, name) is not None}


def merged(entity: str, members: Sequence[Said], by: Rules = RULES) -> Values:
    """The golden values of a cluster by the rules; members disagree in time to the second, so nothing is left to chance."""
    rules = by[entity]
    names = sorted({name for said in members for name, value in said.values.items() if value is not None})
    return {name: _survivor(rules.get(name, rules["default"]), name, members) for name in names}


def _survivor(rule: str | tuple[str, ...], name: str, members: Sequence[Said]) -> Any:
    having = [said for said in members if said.values.get(name) is not None]
    if isinstance(rule, tuple):
        return _trusted(rule, name, having)
    return _RULES[rule](name, having)


def _trusted(order: tuple[str, ...], name: str, having: Sequence[Said]) -> Any:
    place = {system: index for index, system in enumerate(order)}
    return min(having, key=lambda said: place.get(said.system, len(order))).values[name]


def _most_recent(name: str, having: Sequence[Said]) -> Any:
    return max(having, key=lambda said: said.at).values[name]


def _longest(name: str, having: Sequence[Said]) -> Any:
    return max(having, key=lambda said: len(said.values[name])).values[name]


def _union(name: str, having: Sequence[Said]) -> list[Any]:
    found: list[Any] = []
    for said in sorted(having, key=lambda said: said.system):
        found += [item for item in said.values[name] if item not in found]
    return found


_RULES: dict[str, Callable[[str, Sequence[Said]], Any]] = {
    "most_recent": _most_recent,
    "longest": _longest,
    "union": _union,
}


def read_lines(path: Path) -> Iterator[Any]:
    """The values of a JSON lines file; none where the file is not there."""
    if path.exists():
        with path.open(encoding="utf-8") as file:
            for line in file:
                yield json.loads(line)
