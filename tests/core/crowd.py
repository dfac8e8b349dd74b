"""Source records in a store, without workers: what systems say goes straight to `take_in`; and what must hold afterwards."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import sqlalchemy as sa

from nave.core.clock import Ids
from nave.core.decisions import Verdict, decide, undo
from nave.core.entities import Document, decode, encode, shipped
from nave.core.golden import take_in, take_out
from nave.core.identity import BLOCK, GUARDS, Guards, IdentityRules, Name, Node, Pair, Ruling, partition
from nave.core.intake import Candidate, EntityRules, Intake, Taken, digest
from nave.core.matching import Scored
from nave.core.merge import Contribution, Survivorship, merge
from nave.core.resolve import resolve
from nave.core.store import Store, Transaction
from nave.core.store import schema as t

START = 1_800_000_000.0
SINK = "web.customer"


_TOLD = 3
"""Letters of a name that its sketch tells."""


class Alike(NamedTuple):
    """A record as `Likes` compares it."""

    name: str
    keys: tuple[str, ...]


class Likes:
    """A scorer that tests understand: names are compared letter by letter, and the city is the block."""

    def prepare(self, document: Document) -> Alike:
        keys = tuple(f"{field}:{document[field]}" for field in ("remark", "city") if field in document)
        return Alike(str(document.get("name", "")), keys)

    def keys(self, prepared: Alike) -> tuple[str, ...]:
        return prepared.keys

    def score(self, a: Alike, b: Alike, _least: float = 0.0) -> float:
        same = sum(one == other for one, other in zip(a.name, b.name, strict=False))
        return same / max(len(a.name), len(b.name), 1)

    def sketch(self, prepared: Alike) -> bytes:
        return bytes([len(prepared.name)]) + prepared.name[:_TOLD].encode()

    def hopeful(self, prepared: Alike, _sketch: bytes, least: float) -> Callable[[bytes | None], bool]:
        def may(their: bytes | None) -> bool:
            if their is None:
                return True
            sizes = sorted((len(prepared.name), their[0]))
            same = sum(one == other for one, other in zip(prepared.name[:_TOLD].encode(), their[1:], strict=False))
            return (same + max(0, sizes[0] - _TOLD)) / max(sizes[1], 1) >= least

        return may

    @property
    def forms(self) -> Likes:
        return self

    def pack(self, prepared: Alike) -> bytes:
        return encode({"": prepared}).encode()

    def unpack(self, form: bytes) -> Alike | None:
        name, keys = decode(bytes(form).decode())[""]
        return Alike(name, tuple(keys))


def scored(link: float = 0.7, review: float = 0.4) -> Scored:
    return Scored(Likes(), link, review)  # type: ignore[arg-type]


class Statement(NamedTuple):
    """What one system says of one key."""

    system: str
    key: str
    version: int
    values: Mapping[str, Any]

    @property
    def name(self) -> Name:
        return self.system, self.key

    def candidate(self) -> Candidate:
        document = dict(self.values)
        text = encode(document)
        place = (self.version, 1, 0)
        return Candidate(self.key, f"{self.version:09d}", START + self.version, digest(text), text, document, 1, *place)


@dataclass
class Crowd:
    """The store of one entity, and the time."""

    store: Store
    rules: EntityRules
    now: float = START
    ids: Ids = field(init=False)

    def __post_init__(self) -> None:
        self.ids = Ids(lambda: self.now, seed=1)

    def take(self, said: Sequence[Statement]) -> Taken:
        """One batch of one system."""
        with self.store.write() as tx:
            return self.take_in(tx, said)

    def take_in(self, tx: Transaction, said: Sequence[Statement]) -> Taken:
        self.now += 1
        return take_in(tx, self.intake(said[0].system), [one.candidate() for one in said])

    def intake(self, system: str) -> Intake:
        return Intake(self.rules, system, f"{system}.customer", self.now, self.ids)

    def drop(self, system: str, *keys: str) -> frozenset[str]:
        self.now += 1
        with self.store.write() as tx:
            return take_out(tx, self.intake(system), keys)

    def decide(self, verdict: Verdict, a: Name, b: Name) -> int:
        self.now += 1
        with self.store.write() as tx:
            number = decide(tx, "customer", verdict, a, b, actor="li", reason="seen", now=self.now, ids=self.ids)
            resolve(tx, self.rules, [a, b], cause="decision", now=self.now, ids=self.ids)
        return number

    def undo(self, number: int) -> None:
        self.now += 1
        with self.store.write() as tx:
            told = undo(tx, number, actor="li", now=self.now)
            assert told
            resolve(tx, self.rules, told[1:], cause="decision", now=self.now, ids=self.ids)

    def rows(self, statement: sa.Executable) -> list[Any]:
        with self.store.read() as tx:
            return tx.rows(statement)

    def parts(self) -> set[frozenset[Name]]:
        return set(self.members().values())

    def members(self) -> dict[int, frozenset[Name]]:
        found: dict[int, set[Name]] = defaultdict(set)
        for row in self.rows(sa.select(t.source_record)):
            found[row.record_id].add((row.system, row.key))
        return {number: frozenset(names) for number, names in found.items()}

    def home(self, name: Name) -> int:
        return next(number for number, names in self.members().items() if name in names)

    def golden(self) -> dict[frozenset[Name], str]:
        """What is true, by who is in it: golden ids aside."""
        texts = {row.id: row.doc for row in self.rows(sa.select(t.record))}
        return {names: texts[number] for number, names in self.members().items()}

    def pairs(self) -> set[Pair]:
        rows = self.rows(sa.select(t.match_pair))
        return {Pair(row.score, (row.system_a, row.key_a), (row.system_b, row.key_b)) for row in rows}

    def crowded(self) -> set[tuple[str, str]]:
        return {(row.rule, row.value) for row in self.rows(sa.select(t.crowded))}


def emptied(store: Store) -> Store:
    with store.write() as tx:
        for table in t.metadata.tables.values():
            tx.execute(sa.delete(table))
    return store


def customers(
    *exact: str, likes: Scored | None = None, crowd: int = 200, guards: Guards = GUARDS, sinks: Iterable[str] = (SINK,)
) -> EntityRules:
    """Rules of customers, each of the fields an exact rule of its own."""
    identity = IdentityRules(tuple((one,) for one in exact), likes, guards, crowd, crowd)
    return EntityRules(shipped()["customer"], identity, Survivorship(), tuple(sinks))


def check_sound(crowd: Crowd) -> None:
    """What must hold in every state, whatever led to it."""
    said = {(row.system, row.key): row for row in crowd.rows(sa.select(t.source_record))}
    records = {row.id: row for row in crowd.rows(sa.select(t.record))}
    members = crowd.members()
    for number, row in records.items():
        assert (row.merged_into is None) == (number in members), "exactly those that have a source are alive"
        if row.merged_into:
            assert records[row.merged_into].merged_into in (None, t.GONE), "redirects lead straight there"
    for number, names in members.items():
        parts = [Contribution(*name, said[name].changed_at, decode(said[name].doc)) for name in sorted(names)]
        assert records[number].doc == encode(merge(parts, crowd.rules.survivorship))
    check_history(crowd, records)
    check_told(crowd, records)
    check_index(crowd, {name: decode(row.doc) for name, row in said.items()})


def check_history(crowd: Crowd, records: Mapping[int, Any]) -> None:
    history: dict[int, list[int]] = defaultdict(list)
    for row in crowd.rows(sa.select(t.record_version)):
        history[row.record_id].append(row.version)
    for number, row in records.items():
        assert sorted(history[number]) == list(range(1, row.version))


def check_told(crowd: Crowd, records: Mapping[int, Any]) -> None:
    """Every living record is due at its version; of the others, whoever may have it is to hear that it is no more."""
    due = {row.record_id: row for row in crowd.rows(sa.select(t.delivery))}
    for number, row in records.items():
        if row.merged_into is None:
            assert due[number].due_version == row.version
        elif number in due:
            assert due[number].due_version >= row.version


def check_index(crowd: Crowd, documents: Mapping[Name, Document]) -> None:
    """The index, the crowded values and the pairs are what the documents say, and nothing of what led there."""
    identity = crowd.rules.identity
    holders: dict[tuple[str, str], set[Name]] = defaultdict(set)
    entries = {name: identity.entry(document) for name, document in documents.items()}
    for name, entry in entries.items():
        for value in entry.values:
            holders[value].add(name)
    index = crowd.rows(sa.select(t.identity_key))
    assert {(row.rule, row.value, row.system, row.key, row.sketch) for row in index} == {
        (*value, *name, entries[name].sketch if value[0] == BLOCK else None)
        for value, names in holders.items()
        for name in names
    }
    check_forms(crowd, documents)
    crowded = {value for value, names in holders.items() if len(names) > identity.limit(value)}
    assert crowd.crowded() == crowded
    expected = alike(identity, documents, crowded)
    assert crowd.pairs() == expected
    assert crowd.parts() == decided(crowd, documents, crowded, expected)


def check_forms(crowd: Crowd, documents: Mapping[Name, Document]) -> None:
    """What is kept for comparing is what comparing would make of the documents."""
    scored = crowd.rules.identity.scored
    kept = {(row.system, row.key): row.form for row in crowd.rows(sa.select(t.match_form))}
    if scored is None:
        assert kept == {}
        return
    assert {name: scored.scorer.forms.unpack(form) for name, form in kept.items()} == {
        name: scored.scorer.prepare(document) for name, document in documents.items()
    }


def alike(identity: IdentityRules, documents: Mapping[Name, Document], crowded: set[tuple[str, str]]) -> set[Pair]:
    if identity.scored is None:
        return set()
    scorer, found = identity.scored.scorer, set()
    blocks = {name: set(identity.blocks(document)) - crowded for name, document in documents.items()}
    for a in documents:
        for b in documents:
            if a < b and blocks[a] & blocks[b]:
                score = scorer.score(scorer.prepare(documents[a]), scorer.prepare(documents[b]))
                found |= {Pair(score, a, b)} if score >= identity.scored.review else set()
    return found


def decided(
    crowd: Crowd, documents: Mapping[Name, Document], crowded: set[tuple[str, str]], pairs: Iterable[Pair]
) -> set[frozenset[Name]]:
    """The partition of everything at once, as if there were no components."""
    identity = crowd.rules.identity
    nodes = [
        Node(*name, tuple(value for value in identity.values(document) if value not in crowded), None)
        for name, document in documents.items()
    ]
    d = t.decision.c
    standing = crowd.rows(sa.select(t.decision).where(d.undone_at.is_(None)).order_by(d.id.desc()))
    rulings = [Ruling(row.verdict == "same", (row.system_a, row.key_a), (row.system_b, row.key_b)) for row in standing]
    link = identity.scored.link if identity.scored else 2.0
    linked = [one for one in pairs if one.score >= link]
    groups = partition(nodes, identity.names, pairs=linked, rulings=rulings, guards=identity.guards)
    return {frozenset(node.name for node in group) for group in groups}
