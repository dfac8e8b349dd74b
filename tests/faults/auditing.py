"""Reads the audit as it lies in the store and beside it, and judges it by its own arithmetic: check L10.

The chain is computed here anew, from what the documentation says of it, and not by the hub's code.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import psycopg

from tests.faults.ledger import read

_ENTRIES = "select place, hash, id, at, actor, action, subject, detail from audit order by place is null, place, id"
_VERSIONS = """select r.id, r.version, count(v.version), max(v.version) from record r
    left join record_version v on v.record_id = r.id group by r.id, r.version"""


RESTORED = 1_000_000
"""By how much a restore raises all versions."""


class Line(NamedTuple):
    """One entry as the store has it; without a place where it is not sealed."""

    place: int | None
    hash: bytes | None
    told: tuple[Any, ...]
    """id, at, actor, action, subject, detail."""


class Kept(NamedTuple):
    """How many former versions the store keeps of one golden record, and the newest of these: all are to be there."""

    record: int
    version: int
    count: int
    last: int | None


class Audit(NamedTuple):
    """All that L10 looks at."""

    entries: Sequence[Line] = ()
    heads: Mapping[int, str] = {}
    """Hash in hexadecimal by place, as the file beside the store has it."""
    asked: Mapping[str, str] = {}
    """Of the clerk: the letters that it gave up, by id, and the last that was heard of it: asked, done or failed."""
    open: frozenset[str] = frozenset()
    """Letters that nobody has settled."""
    versions: Sequence[Kept] = ()


def collected(folder: Path, store: str | None, open_letters: frozenset[str]) -> Audit:
    """From a hub that has ended."""
    asked = {line["id"]: line["what"] for line in read(folder / "ledgers" / "clerk.jsonl")}
    heads: dict[int, str] = {}
    for line in read(folder / "audit-heads.jsonl"):
        back = line.get("restored")
        heads = {line["place"]: line["hash"], **heads} if back is None else {n: h for n, h in heads.items() if n <= back}
    entries = [
        Line(row[0], None if row[1] is None else bytes(row[1]), tuple(row[2:])) for row in _rows(folder, store, _ENTRIES)
    ]
    return Audit(entries, heads, asked, open_letters, [Kept(*row) for row in _rows(folder, store, _VERSIONS)])


def unsealed(folder: Path, store: str | None) -> int:
    """Entries that are not in the chain yet."""
    return int(_rows(folder, store, "select count(*) from audit where place is null")[0][0])


def _rows(folder: Path, store: str | None, statement: str) -> list[Any]:
    if store is None:
        with closing(sqlite3.connect(f"file:{folder / 'nave.db'}?mode=ro", uri=True)) as base:
            return base.execute(statement).fetchall()
    with psycopg.connect(store) as link:
        return list(link.execute(statement.encode()).fetchall())


def audited(audit: Audit) -> Iterator[str]:
    """L10: one entry per action of a person, one version per change of a record; the chain fits itself and its heads."""
    yield from _chained(audit)
    yield from _once_each(audit)
    for one in audit.versions:
        first = one.version % RESTORED
        if (one.count, one.last or one.version - 1) != (first - 1, one.version - 1):
            yield f"record {one.record}, version {one.version}: {one.count} former ones are kept, up to {one.last}"


def _chained(audit: Audit) -> Iterator[str]:
    before, last = bytes(32), 0
    for one in audit.entries:
        if one.place is None:
            yield f"never sealed: {one.told}"
            continue
        text = json.dumps([one.place, *one.told], separators=(",", ":"))
        before = sha256(before + text.encode()).digest()
        if one.place != last + 1 or one.hash != before:
            yield f"entry {one.place} does not follow on {last}: {one.told}"
            before = one.hash or bytes(32)
        if audit.heads.get(one.place, before.hex()) != before.hex():
            yield f"entry {one.place} is not the one that its head names"
        last = one.place
    if max(audit.heads, default=0) != last:
        yield f"the last head is of entry {max(audit.heads, default=0)}, the chain ends at {last}"


def _once_each(audit: Audit) -> Iterator[str]:
    """A letter that somebody gave up is settled and entered, or neither."""
    given_up = Counter(str(one.told[4]).rpartition(":")[2] for one in audit.entries if one.told[3] == "dead.discarded")
    for letter, heard in audit.asked.items():
        settled = letter not in audit.open
        if heard == "done" and not settled:
            yield f"letter {letter} was given up, and is open"
        if given_up[letter] != settled:
            yield f"letter {letter} is {'settled' if settled else 'open'} and has {given_up[letter]} entries"
    for letter in given_up.keys() - audit.asked.keys():
        yield f"nobody gave letter {letter} up, and the audit says so"
