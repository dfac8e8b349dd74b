"""Echoes: tells what a system means from what it only repeats, where Nave writes to the system that it hears from.

Two calls for those who take batches in: `judge` before anybody is identified, `tell_again` when all is written. A system
that nothing is delivered to pays nothing for either.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import sqlalchemy as sa

from nave.core import creates, deliveries, findings, opinions, references
from nave.core.comparing import Forms, Version, versions_of
from nave.core.entities import Document, decode, encode
from nave.core.findings import Finding
from nave.core.intake import Candidate, Doubt, Intake, Known
from nave.core.opinions import Opinion, Tree, part
from nave.core.store import Transaction
from nave.core.store import schema as t
from nave.core.threeway import Judgement, Statement, Told, judge_statement

CAUSE = "again"
"""Of a version that differs from the one before in nothing: the system showed something else, and is told again."""
_d, _s, _r, _j = t.delivery.c, t.source_record.c, t.record.c, t.journal.c
_IN_FLIGHT = (int(t.Due.LEASED), int(t.Due.UNKNOWN))


@dataclass(frozen=True)
class Judged:
    """A batch with what counts of it, and where its system may hold something else than it should."""

    said: Mapping[str, Candidate]
    doubtful: Mapping[str, frozenset[str]]
    """By key, fields that are to be compared with the golden record once that is written."""
    copies: Mapping[str, int] = field(default_factory=dict)
    """By key, the golden record that a new record was made from."""
    doubts: Mapping[str, Doubt] = field(default_factory=dict)
    """By key, what may have been made from one, and waits until that is known; it is not among what is said."""


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
    ours = creates.recognise(tx, intake, sinks, [one for key, one in said.items() if key not in before])
    homes |= ours.homes
    said = {key: one for key, one in said.items() if key not in ours.doubts}
    told = _told(tx, sinks, set(homes.values()))
    versions = versions_of(tx, sinks, {number for _, number in told})
    forms = Forms(tx, intake.rules.type, _documents(said, before, versions))
    judging = _Judging(intake, sinks, before, homes, told, versions, forms, _put_away(tx, intake, said))
    done = {key: judging.judgement(one) for key, one in said.items()}
    findings.report(tx, judging.findings(done), now=intake.now, ids=intake.ids)
    return Judged(
        {key: one._replace(opinion=judging.text(one, done[key])) for key, one in said.items()},
        {key: one.doubtful for key, one in done.items() if one.doubtful},
        ours.homes,
        ours.doubts,
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


def _put_away(tx: Transaction, intake: Intake, keys: Iterable[str]) -> dict[str, frozenset[str]]:
    """By key, what the hub changed of the row: it was put away when its record became part of another."""
    found: dict[str, frozenset[str]] = {}
    for sink, names in intake.rules.puts_away.items():
        merged = (_d.sink == sink, tx.among(_d.remote_key, sorted(keys)), _r.merged_into.is_not(None))
        joined = sa.select(_d.remote_key).join_from(t.delivery, t.record, _r.id == _d.record_id)
        found |= dict.fromkeys((row[0] for row in tx.rows(joined.where(*merged))), names)
    return found


def _documents(
    said: Mapping[str, Candidate], before: Mapping[str, _Before], versions: Mapping[int, Sequence[Version]]
) -> set[str]:
    texts = {one.text for listed in versions.values() for one in listed}
    return texts | {one.text for one in said.values()} | {encode(one.document) for one in before.values()}


@dataclass
class _Judging:
    """All that the statements of one batch are judged by."""

    intake: Intake
    sinks: Mapping[str, Tree]
    before: Mapping[str, _Before]
    homes: Mapping[str, int]
    told: Mapping[tuple[str, int], _Delivery]
    versions: Mapping[int, Sequence[Version]]
    forms: Forms
    put_away: Mapping[str, frozenset[str]]

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
        before, put_away = self.before.get(one.key), self.put_away.get(one.key, frozenset())
        if before is None:
            return Statement(said, same, one.changed_at, self.intake.now, put_away=put_away)
        earlier = self.forms(encode(before.document))
        return Statement(said, same, one.changed_at, self.intake.now, before.document, earlier, before.opinion, put_away)

    def _told(self, key: str, home: int | None) -> list[Told]:
        if home is None:
            return []
        listed = {one.number: self.forms(one.text) for one in self.versions.get(home, ())}
        found = {sink: self.told.get((sink, home)) for sink in self.sinks}
        floor = self._floor(key, home)
        once = self.intake.rules.once
        return [
            Told(self.sinks[sink], listed, one.acked, floor, once.get(sink, frozenset()))
            for sink, one in found.items()
            if one is not None
        ]

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
    forms = Forms(tx, intake.rules.type, texts)
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
