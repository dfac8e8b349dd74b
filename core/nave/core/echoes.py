"""Echoes: tells what a system means from what it only repeats, where Nave writes to the system that it hears from.

Two calls for those who take batches in: `judge` before anybody is identified, `tell_again` when all is written. A system
that nothing is delivered to pays nothing for either.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, NamedTuple

import sqlalchemy as sa

from nave.core import decisions, deliveries, findings, opinions, references
from nave.core.entities import Document, EntityType, decode, encode
from nave.core.errors import NaveError
from nave.core.findings import Finding
from nave.core.intake import Candidate, Intake, Known
from nave.core.opinions import Opinion, Tree, part
from nave.core.store import Transaction
from nave.core.store import schema as t
from nave.core.threeway import Judgement, Statement, Told, judge_statement

HISTORY = 16
"""Golden versions, back from the newest, that a system may still show."""
CAUSE = "again"
"""Of a version that differs from the one before in nothing: the system showed something else, and is told again."""
CREATED = "nave"
"""Who decides that a record which Nave made in a target is the golden record that it was made from."""
_d, _s, _r, _v, _j = t.delivery.c, t.source_record.c, t.record.c, t.record_version.c, t.journal.c
_IN_FLIGHT = (int(t.Due.LEASED), int(t.Due.UNKNOWN))


@dataclass(frozen=True)
class Judged:
    """A batch with what counts of it, and where its system may hold something else than it should."""

    said: Mapping[str, Candidate]
    doubtful: Mapping[str, frozenset[str]]
    """By key, fields that are to be compared with the golden record once that is written."""


def written_to(intake: Intake) -> dict[str, Tree]:
    """By sink, what is delivered to the system that speaks."""
    return {sink: tree for sink, tree in intake.rules.writes.items() if sink.partition(".")[0] == intake.system}


def worth_judging(
    intake: Intake, latest: Mapping[str, Candidate], known: Mapping[str, Known], fresh: Mapping[str, Candidate]
) -> Mapping[str, Candidate]:
    """What is new, and what is not though its system calls it newer: it may not have taken what it was told."""
    if not written_to(intake):
        return fresh
    newer = {key: one for key, one in latest.items() if key in known and one.text and one.version > known[key].version}
    return {key: one for key, one in newer.items() if one.hash == known[key].hash} | dict(fresh)


def judge(tx: Transaction, intake: Intake, said: Mapping[str, Candidate]) -> Judged:
    """The candidates of one system, each with its opinion; findings are written down, copies of ours are recognised."""
    sinks = written_to(intake)
    if not sinks or not said:
        return Judged(said, {})
    before = _before(tx, intake, said)
    homes = {key: row.record_id for key, row in before.items()}
    homes |= _made_by_us(tx, intake, sinks, [one for key, one in said.items() if key not in before])
    told = _told(tx, sinks, set(homes.values()))
    versions = _versions(tx, sinks, {number for _, number in told})
    forms = _Forms(tx, intake.rules.type, _documents(said, before, versions))
    judging = _Judging(intake, sinks, before, homes, told, versions, forms)
    done = {key: judging.judgement(one) for key, one in said.items()}
    findings.report(tx, judging.findings(done), now=intake.now, ids=intake.ids)
    return Judged(
        {key: one._replace(opinion=judging.text(one, done[key])) for key, one in said.items()},
        {key: one.doubtful for key, one in done.items() if one.doubtful},
    )


class _Before(NamedTuple):
    """What the system said of a key before."""

    record_id: int
    document: Document
    opinion: Opinion
    applied_at: float | None


def _before(tx: Transaction, intake: Intake, keys: Iterable[str]) -> dict[str, _Before]:
    columns = (_s.key, _s.record_id, _s.doc, _s.opinion, _s.changed_at, _j.applied_at)
    joined = sa.select(*columns).join_from(t.source_record, t.journal, _j.id == _s.journal_id, isouter=True)
    mine = (_s.entity == intake.entity, _s.system == intake.system, tx.among(_s.key, list(keys)))
    found = {}
    for row in tx.rows(joined.where(*mine)):
        document = decode(row.doc)
        found[row.key] = _Before(
            row.record_id, document, opinions.read(row.opinion, document, row.changed_at), row.applied_at
        )
    return found


def _made_by_us(tx: Transaction, intake: Intake, sinks: Iterable[str], fresh: Sequence[Candidate]) -> dict[str, int]:
    """New keys that the target gave to records which Nave made in it: they belong to the golden record they came from."""
    keys = [one.key for one in fresh]
    if not keys:
        return {}
    there = (tx.among(_d.sink, list(sinks)), tx.among(_d.remote_key, keys), _d.present != 0, _r.merged_into.is_(None))
    rows = tx.rows(sa.select(_d.remote_key, _r.id).join_from(t.delivery, t.record, _r.id == _d.record_id).where(*there))
    found: dict[str, int] = {row[0]: row[1] for row in rows}
    _join(tx, intake, {one.key: found[one.key] for one in fresh if one.key in found})
    return found


def _join(tx: Transaction, intake: Intake, found: Mapping[str, int]) -> None:
    """Decide that they are the same: what a rule finds in a copy is not its own word, and is lost at its first edit."""
    rows = tx.rows(sa.select(_s.record_id, _s.system, _s.key).where(tx.among(_s.record_id, list(found.values()))))
    anchors: dict[int, tuple[str, str]] = {}
    for number, system, key in sorted(rows, reverse=True):
        anchors[number] = (system, key)
    for key, number in found.items():
        if number in anchors:
            name = (intake.system, key)
            decisions.decide(
                tx,
                intake.entity,
                "same",
                name,
                anchors[number],
                actor=CREATED,
                reason="remote key",
                now=intake.now,
                ids=intake.ids,
            )


class _Delivery(NamedTuple):
    acked: int
    due: int
    state: int


def _told(tx: Transaction, sinks: Iterable[str], numbers: Iterable[int]) -> dict[tuple[str, int], _Delivery]:
    """Deliveries of these golden records that the system has, or may have."""
    there = sa.or_(_d.present != 0, _d.state.in_(_IN_FLIGHT))
    mine = (tx.among(_d.sink, list(sinks)), tx.among(_d.record_id, list(numbers)), there)
    rows = tx.rows(sa.select(_d.sink, _d.record_id, _d.acked_version, _d.due_version, _d.state).where(*mine))
    return {(row[0], row[1]): _Delivery(*row[2:]) for row in rows}


class _Version(NamedTuple):
    number: int
    text: str
    changed_at: float


def _versions(tx: Transaction, sinks: Iterable[str], numbers: set[int]) -> dict[int, list[_Version]]:
    """The newest versions of golden records, and those that were acknowledged, by number."""
    found: dict[int, list[_Version]] = defaultdict(list)
    if not numbers:
        return found
    acked = sa.exists().where(_d.record_id == _v.record_id, tx.among(_d.sink, list(sinks)), _d.acked_version == _v.version)
    old = (
        sa.select(_v.record_id, _v.version, _v.doc, _v.changed_at)
        .join_from(t.record_version, t.record, _r.id == _v.record_id)
        .where(tx.among(_v.record_id, numbers), sa.or_(_v.version > _r.version - HISTORY, acked))
    )
    new = sa.select(_r.id, _r.version, _r.doc, _r.changed_at).where(tx.among(_r.id, numbers))
    for row in [*tx.rows(old), *tx.rows(new)]:
        found[row[0]].append(_Version(*row[1:]))
    return found


def _documents(
    said: Mapping[str, Candidate], before: Mapping[str, _Before], versions: Mapping[int, Sequence[_Version]]
) -> set[str]:
    texts = {one.text for listed in versions.values() for one in listed}
    return texts | {one.text for one in said.values()} | {encode(one.document) for one in before.values()}


class _Forms:
    """Documents in the form in which they compare: typed, and with the golden record in place of each reference to it."""

    def __init__(self, tx: Transaction, entity: EntityType, texts: Iterable[str]) -> None:
        listed = sorted(texts)
        plain = [decode(text) for text in listed]
        typed = [
            deepcopy(one) if isinstance(result, NaveError) else result
            for one, result in zip(plain, entity.validate(plain), strict=True)
        ]
        if entity.refs:
            _with_records(tx, entity, plain, typed)
        self._forms = dict(zip(listed, typed, strict=True))

    def __call__(self, text: str) -> Document:
        return self._forms[text]


def _with_records(tx: Transaction, entity: EntityType, plain: Sequence[Document], typed: Sequence[Document]) -> None:
    links = {
        (number, link.path): link.target
        for number, one in enumerate(plain)
        for link in references.links(number, one, entity)
    }
    there = references.resolved(tx, set(links.values()))

    def record(number: int, path: str, ref: Mapping[str, Any]) -> Mapping[str, Any]:
        found = there.get(links[number, path]) if (number, path) in links else None
        return ref if found is None else {"record": found}

    for number, one in enumerate(typed):
        references.expand(number, one, entity.refs, record)


@dataclass
class _Judging:
    """All that the statements of one batch are judged by."""

    intake: Intake
    sinks: Mapping[str, Tree]
    before: Mapping[str, _Before]
    homes: Mapping[str, int]
    told: Mapping[tuple[str, int], _Delivery]
    versions: Mapping[int, Sequence[_Version]]
    forms: _Forms

    def judgement(self, one: Candidate) -> Judgement:
        rules, home = self.intake.rules, self.homes.get(one.key)
        names = rules.type.model.model_fields
        return judge_statement(
            self._statement(one),
            self._told(one.key, home),
            of=home,
            unions=frozenset(name for name in names if rules.survivorship.rule(name) == "union"),
            linked=frozenset(path.partition(".")[0].removesuffix("[]") for path in rules.type.refs),
        )

    def _statement(self, one: Candidate) -> Statement:
        said, same = decode(one.text), self.forms(one.text)
        before = self.before.get(one.key)
        if before is None:
            return Statement(said, same, one.changed_at, self.intake.now)
        earlier = self.forms(encode(before.document))
        return Statement(said, same, one.changed_at, self.intake.now, before.document, earlier, before.opinion)

    def _told(self, key: str, home: int | None) -> list[Told]:
        if home is None:
            return []
        listed = {one.number: self.forms(one.text) for one in self.versions.get(home, ())}
        found = {sink: self.told.get((sink, home)) for sink in self.sinks}
        floor = self._floor(key, home)
        return [Told(self.sinks[sink], listed, one.acked, floor) for sink, one in found.items() if one is not None]

    def _floor(self, key: str, home: int) -> int:
        """The version before the one that stood when the system last spoke: it has not been told an older one since."""
        before = self.before.get(key)
        if before is None or before.applied_at is None or before.opinion.of not in (None, home):
            return 0
        return max((one.number for one in self.versions[home] if one.changed_at <= before.applied_at), default=1) - 1

    def text(self, one: Candidate, done: Judgement) -> str | None:
        """The opinion as it is stored."""
        if one.key not in self.before and self.homes.get(one.key) is None:
            return None
        return opinions.written(done.opinion, decode(one.text), one.changed_at, self.intake.rules.survivorship.required)

    def findings(self, done: Mapping[str, Judgement]) -> list[Finding]:
        sink = next(iter(self.sinks))
        return [
            Finding(
                noticed.code,
                self.intake.entity,
                next((name for name, tree in self.sinks.items() if noticed.field in tree), sink),
                noticed.field,
                self.homes.get(key),
                {"key": key, "field": noticed.field, "told": _short(noticed.told), "said": _short(noticed.said)},
            )
            for key, one in done.items()
            for noticed in one.noticed
        ]


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else encode({"": value})[4:-1]
    return text if len(text) <= 80 else f"{text[:77]}..."


def tell_again(
    tx: Transaction,
    intake: Intake,
    said: Mapping[str, Candidate],
    doubtful: Mapping[str, frozenset[str]],
    changed: Mapping[int, int],
) -> set[str]:
    """Make due again what the system shows otherwise than the golden record; returns the sinks that have work now.

    `changed` are golden records with a new version, which goes out anyway.
    """
    homes = _homes(tx, intake, doubtful)
    standing = {key: number for key, number in homes.items() if number not in changed}
    if not standing:
        return set()
    sinks = written_to(intake)
    rows = tx.rows(sa.select(_r.id, _r.version, _r.doc).where(tx.among(_r.id, sorted(set(standing.values())))))
    golden = {row[0]: (row[1], row[2]) for row in rows}
    texts = {row[2] for row in rows} | {said[key].text for key in standing}
    forms = _Forms(tx, intake.rules.type, texts)
    settled = _told(tx, sinks, golden)
    due: dict[str, dict[int, int]] = defaultdict(dict)
    for key, number in standing.items():
        version, text = golden[number]
        for sink, tree in sinks.items():
            names = [name for name in doubtful[key] if name in tree]
            now, wanted = forms(said[key].text), forms(text)
            if _is_settled(settled.get((sink, number))) and any(_differ(now, wanted, name, tree) for name in names):
                due[sink][number] = version + 1
    return _make_due(tx, intake, due)


def _homes(tx: Transaction, intake: Intake, keys: Iterable[str]) -> dict[str, int]:
    listed = list(keys)
    if not listed:
        return {}
    mine = (_s.entity == intake.entity, _s.system == intake.system, tx.among(_s.key, listed))
    return {row[0]: row[1] for row in tx.rows(sa.select(_s.key, _s.record_id).where(*mine))}


def _is_settled(one: _Delivery | None) -> bool:
    """Whether nothing is on its way that would bring the target what it should have."""
    if one is None:
        return False
    return one.state in _IN_FLIGHT or (one.state == t.Due.DELIVERED and one.acked >= one.due)


def _differ(now: Document, wanted: Document, name: str, tree: Tree) -> bool:
    one, other = (part(document.get(name), tree[name]) for document in (now, wanted))
    return bool(one != other) and bool(one or other)


def _make_due(tx: Transaction, intake: Intake, due: Mapping[str, Mapping[int, int]]) -> set[str]:
    versions = {number: version for listed in due.values() for number, version in listed.items()}
    if not versions:
        return set()
    numbers = sorted(versions)
    names = ["record_id", "version", "doc", "changed_at", "cause", "journal_id"]
    old = sa.select(_r.id, _r.version, _r.doc, _r.changed_at, _r.cause, _r.journal_id).where(tx.among(_r.id, numbers))
    tx.execute(sa.insert(t.record_version).from_select(names, old))
    renewed = sa.update(t.record).where(tx.among(_r.id, numbers))
    tx.execute(renewed.values(version=_r.version + 1, changed_at=intake.now, cause=CAUSE))
    waiting = references.still_waiting(tx, numbers) if intake.rules.type.refs else set()
    for sink, listed in due.items():
        deliveries.make_due(tx, [sink], listed, waiting, intake.now, every_version=intake.rules.every_version)
    return set(due)
