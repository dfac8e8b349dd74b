"""A system inside this process, with an inbox and tables: what `memory` speaks to, and `faulty` makes trouble with."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from threading import Lock
from typing import Any

from nave.core.protocols import Batch, Outbound, Outcome, Raw, Receipt


@dataclass(frozen=True, slots=True)
class Held:
    """A record as the target holds it."""

    version: int
    values: Mapping[str, Any]


@dataclass(slots=True)
class MemoryTarget:
    """Keeps the highest version of each record, and counts what was tried and what had an effect."""

    name: str
    inbox: list[Raw] = field(default_factory=list)
    tables: dict[str, dict[str, Held]] = field(default_factory=lambda: defaultdict(dict))
    attempts: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    """Times that (table, key, version) was sent."""
    effects: list[tuple[str, str, int]] = field(default_factory=list)
    """Each (table, key, version) that changed something, in order."""
    calls: int = 0
    """Write calls so far, also those that a fault stopped: faults count by it."""
    lock: Lock = field(default_factory=Lock)

    def put(self, table: str, record: Outbound) -> Receipt:
        """Keep the record unless this version or a newer one is there already."""
        with self.lock:
            self.attempts[table, record.key, record.version] += 1
            held = self.tables[table].get(record.key)
            if held is not None and held.version >= record.version:
                return Receipt(Outcome.DUPLICATE, remote_key=record.key)
            if record.retired:
                self.tables[table].pop(record.key, None)
            else:
                self.tables[table][record.key] = Held(record.version, dict(record.values))
            self.effects.append((table, record.key, record.version))
        return Receipt(Outcome.ACCEPTED, remote_key=record.key)

    def find(self, table: str, record: Outbound) -> Receipt | None:
        """A receipt if this version or a newer one is held, None if it surely is not."""
        held = self.tables[table].get(record.key)
        if held is None or held.version < record.version:
            return None
        return Receipt(Outcome.DUPLICATE, remote_key=record.key)

    def next_call(self) -> int:
        """Count one more write call, from 1."""
        with self.lock:
            self.calls += 1
            return self.calls


@cache
def target(name: str) -> MemoryTarget:
    """The one target of that name in this process, made at its first mention; `target.cache_clear()` forgets them all."""
    return MemoryTarget(name)


def batches(records: Sequence[Raw], after: str | None, size: int, table: str) -> Iterator[Batch]:
    """Batches of at most `size` records behind position `after`, which is the number of records already read."""
    start = int(after or 0)
    for first in range(start, len(records), size):
        chunk = records[first : first + size]
        places = [(first + n, None) for n in range(1, len(chunk) + 1)]
        yield Batch(chunk, places, {"table": table, "unit": "record"}, position=str(first + len(chunk)))
