"""Recognises, in what a system shows for the first time, the records that Nave itself made there.

| it is known by                                                          | where                                          |
|-------------------------------------------------------------------------|------------------------------------------------|
| the key that the target gave back                                       | the target answers with one                    |
| the golden id, as its key                                               | the target was told to use that                |
| our code, as its key and in it                                          | a rule of identity is that code alone          |
| what was sent, field by field                                           | a create whose outcome nobody knows yet        |

What is like such a create and not the same waits until the outcome is known: a dead letter that replays itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from nave.core import decisions, repair, sharing, unknowns
from nave.core.clock import Clock, Ids, id_number, id_text
from nave.core.comparing import Forms, Version, versions_of
from nave.core.entities import Document, decode
from nave.core.identity import Name
from nave.core.intake import Candidate, Doubt, Intake
from nave.core.merge import is_blank, match_text
from nave.core.opinions import Tree, part
from nave.core.repair import Actor
from nave.core.store import Transaction
from nave.core.store import schema as t

CREATED = "nave"
"""Who decides that a record which Nave made in a target is the golden record that it was made from."""
WAITS = "NAVE-S985"
"""The code of the letter of a record that may be what Nave made."""
_MOST = 2_000
"""Creates of unknown outcome that are looked at, the newest first."""
_START = 4
"""Letters that two names have in common if one of them is the other cut off."""
_d, _r, _s, _l = t.delivery.c, t.record.c, t.source_record.c, t.dead_letter.c
_THERE = sa.or_(_d.present != 0, _d.state.in_([int(t.Due.LEASED), int(t.Due.UNKNOWN)]))
_OPEN: sa.ColumnElement[bool] = sa.literal_column(t.UNSETTLED_CREATE)
"""Written as the index of them is, so that it is used."""
_UNREAD: sa.ColumnElement[bool] = sa.literal_column("dead_letter.state = 0")


class Recognised(NamedTuple):
    """What of the new records of a batch is ours."""

    homes: Mapping[str, int] = {}
    """By key, the golden record that it was made from."""
    doubts: Mapping[str, Doubt] = {}
    """By key, what may be ours, and waits."""


class Create(NamedTuple):
    """A delivery that may have made a record of which the hub knows no key yet."""

    sink: str
    record_id: int


def recognise(tx: Transaction, intake: Intake, sinks: Mapping[str, Tree], fresh: Sequence[Candidate]) -> Recognised:
    """Find out which new records of a system are Nave's own work there; that they are is decided, and in the books.

    An outcome that was unknown is settled by what is found.
    """
    why: dict[str, str] = {}
    homes: dict[str, int] = {}
    for reason, ways in _WAYS.items():
        rest = [one for one in fresh if one.key not in homes]
        found = ways(tx, intake, sinks, rest) if rest else {}
        why |= dict.fromkeys(found, reason)
        homes |= found
    same, doubts = _sent(tx, intake, sinks, [one for one in fresh if one.key not in homes])
    for key, create in same.items():
        _settle(tx, intake, create, key)
        why[key] = "what was sent"
        homes[key] = create.record_id
    _join(tx, intake, homes, why)
    return Recognised(homes, doubts)


def _by_remote_key(
    tx: Transaction, _intake: Intake, sinks: Mapping[str, Tree], fresh: Sequence[Candidate]
) -> dict[str, int]:
    there = (tx.among(_d.sink, list(sinks)), tx.among(_d.remote_key, [one.key for one in fresh]), _d.present != 0)
    rows = tx.rows(sa.select(_d.remote_key, _r.id).select_from(_delivered()).where(*there, _r.merged_into.is_(None)))
    return {row[0]: row[1] for row in rows}


def _by_golden_id(tx: Transaction, intake: Intake, sinks: Mapping[str, Tree], fresh: Sequence[Candidate]) -> dict[str, int]:
    numbers = {number: one.key for one in fresh if (number := id_number(one.key)) is not None}
    if not numbers:
        return {}
    there = (tx.among(_d.sink, list(sinks)), tx.among(_d.record_id, list(numbers)), _THERE)
    alive = (_r.entity == intake.entity, _r.merged_into.is_(None))
    return {numbers[row[0]]: row[0] for row in tx.rows(sa.select(_r.id).select_from(_delivered()).where(*there, *alive))}


def _by_code(tx: Transaction, intake: Intake, sinks: Mapping[str, Tree], fresh: Sequence[Candidate]) -> dict[str, int]:
    """Only of records that the system has no other of, and whose key there nobody has told."""
    rules = intake.rules.identity
    if not _CODES & {*rules.exact}:
        return {}
    coded = {one.key: one for one in fresh if one.key in _codes(one.document)}
    holding: dict[int, set[str]] = defaultdict(set)
    values = {value: key for key, one in coded.items() for value in rules.values(one.document) if (value[0],) in _CODES}
    for value, held in sharing.holders(tx, intake.entity, sharing.usable(tx, intake.entity, values)).items():
        for number in held.values():
            if isinstance(number, int):
                holding[number].add(values[value])
    return _keyed_by_code(tx, intake, sinks, holding) if holding else {}


_CODES = frozenset({("code",), ("number",)})
"""Rules of identity by the key that people call a record by."""


def _keyed_by_code(
    tx: Transaction, intake: Intake, sinks: Mapping[str, Tree], holding: Mapping[int, Collection[str]]
) -> dict[str, int]:
    numbers = sorted(holding)
    there = (tx.among(_d.sink, list(sinks)), tx.among(_d.record_id, numbers), _d.remote_key.is_(None), _THERE)
    rows = tx.rows(sa.select(_r.id, _r.doc).select_from(_delivered()).where(*there, _r.merged_into.is_(None)))
    known = sa.select(_s.record_id).where(_s.system == intake.system, tx.among(_s.record_id, numbers))
    taken = {row[0] for row in tx.rows(known)}
    told = {number: _codes(decode(text)) for number, text in rows if number not in taken}
    return {key: number for number, codes in told.items() for key in sorted(holding[number]) if key in codes}


def _codes(document: Mapping[str, Any]) -> tuple[Any, ...]:
    return document.get("code"), document.get("number")


def _delivered() -> sa.FromClause:
    return sa.join(t.delivery, t.record, _r.id == _d.record_id)


_WAYS = {"remote key": _by_remote_key, "golden id": _by_golden_id, "code": _by_code}


def _join(tx: Transaction, intake: Intake, found: Mapping[str, int], why: Mapping[str, str]) -> None:
    """Decide that they are the same: what a rule finds in a copy is not its own word, and is lost at its first edit."""
    if not found:
        return
    rows = tx.rows(sa.select(_s.record_id, _s.system, _s.key).where(tx.among(_s.record_id, list(found.values()))))
    anchors: dict[int, Name] = {}
    for number, system, key in sorted(rows, reverse=True):
        anchors[number] = (system, key)
    by: dict[str, Any] = {"actor": CREATED, "now": intake.now, "ids": intake.ids}
    for key, number in found.items():
        if number in anchors:
            name = (intake.system, key)
            decisions.decide(tx, intake.entity, "same", name, anchors[number], reason=why[key], **by)


def _sent(
    tx: Transaction, intake: Intake, sinks: Mapping[str, Tree], fresh: Sequence[Candidate]
) -> tuple[dict[str, Create], dict[str, Doubt]]:
    """What is the same as a create of unknown outcome sent, and what is only like it."""
    creates = _creates(tx, sinks) if fresh else []
    if not creates:
        return {}, {}
    sent = _Sent(tx, intake, sinks, creates)
    like = {one.key: found for one in fresh if (found := sent.like(one))}
    same = sent.same({one.key: one for one in fresh if one.key in like}, like)
    doubts = {key: found[0] for key, found in like.items() if key not in same}
    doubts |= {key: one for key, one in _waiting(tx, intake, [one.key for one in fresh], creates).items() if key not in same}
    return same, {key: Doubt(*one) for key, one in doubts.items()}


def _creates(tx: Transaction, sinks: Iterable[str]) -> list[Create]:
    mine = (tx.among(_d.sink, list(sinks)), _OPEN, _r.merged_into.is_(None))
    listed = sa.select(_d.sink, _d.record_id).select_from(_delivered()).where(*mine)
    return [Create._make(row) for row in tx.rows(listed.order_by(_d.changed_at.desc(), _d.sink, _d.record_id).limit(_MOST))]


class _Sent:
    """What creates of unknown outcome may have brought to a system, to compare new records with."""

    def __init__(self, tx: Transaction, intake: Intake, sinks: Mapping[str, Tree], creates: Sequence[Create]) -> None:
        self._tx, self._intake, self._sinks = tx, intake, sinks
        self._versions = versions_of(tx, sinks, {one.record_id for one in creates})
        self._by_mark: dict[tuple[str, str], list[tuple[Create, Document]]] = defaultdict(list)
        for create in creates:
            for version in self._versions[create.record_id]:
                document = decode(version.text)
                for name, text in self._marks(sinks[create.sink], document):
                    self._by_mark[name, text[:_START]].append((create, document))

    def _marks(self, tree: Tree, document: Document) -> Iterator[tuple[str, str]]:
        """What a record is called: the texts that it cannot be without, or all, where it can be without any."""
        names = [name for name in tree if name in self._intake.rules.survivorship.required] or list(tree)
        for name in names:
            value = document.get(name)
            if isinstance(value, str) and value.strip():
                yield name, match_text(value)

    def like(self, one: Candidate) -> list[Create]:
        """The creates that may have made this record; none where a rule of identity says so anyway."""
        said = decode(one.text)
        found = {}
        for tree in self._sinks.values():
            for name, text in self._marks(tree, said):
                for create, document in self._by_mark.get((name, text[:_START]), ()):
                    if create not in found and self._alike(tree, said, document):
                        found[create] = self._linked(one, document)
        return sorted(create for create, linked in found.items() if not linked or self._equal(one, create))

    def _alike(self, tree: Tree, said: Document, sent: Document) -> bool:
        marks = dict(self._marks(tree, said))
        pairs = [(text, marks[name]) for name, text in self._marks(tree, sent) if name in marks]
        return bool(pairs) and all(one.startswith(other) or other.startswith(one) for one, other in pairs)

    def _linked(self, one: Candidate, sent: Document) -> bool:
        values = self._intake.rules.identity.values
        return bool({*values(one.document)} & {*values(sent)})

    def _equal(self, one: Candidate, create: Create) -> bool:
        """Whether all that the system says of what it was written is what was sent."""
        tree, versions = self._sinks[create.sink], self._versions[create.record_id]
        forms = Forms(self._tx, self._intake.rules.type, {one.text, *(version.text for version in versions)})
        names = [name for name in decode(one.text) if name in tree]
        return any(_says_the_same(forms, one, version, tree, names) for version in versions)

    def same(self, fresh: Mapping[str, Candidate], like: Mapping[str, Sequence[Create]]) -> dict[str, Create]:
        """By key, the one create that sent just this, where it is the only record that says so."""
        equal = {key: [one for one in found if self._equal(fresh[key], one)] for key, found in like.items()}
        claimed: dict[int, int] = defaultdict(int)
        for found in equal.values():
            for number in {one.record_id for one in found}:
                claimed[number] += 1
        alone = {key: found for key, found in equal.items() if len({one.record_id for one in found}) == 1}
        return {key: found[0] for key, found in alone.items() if claimed[found[0].record_id] == 1}


def _says_the_same(forms: Forms, one: Candidate, version: Version, tree: Tree, names: Sequence[str]) -> bool:
    pairs = [(_said(forms(one.text), name, tree), _said(forms(version.text), name, tree)) for name in names]
    return any(now is not None for now, _ in pairs) and all(now == sent for now, sent in pairs)


def _said(document: Document, name: str, tree: Tree) -> Any:
    value = part(document.get(name), tree[name])
    return None if is_blank(value) else value


def _waiting(tx: Transaction, intake: Intake, keys: Sequence[str], creates: Sequence[Create]) -> dict[str, Create]:
    """Keys of which something waits already: what is said of them since waits behind it."""
    open_ones = set(creates)
    mine = (_UNREAD, _l.entity == intake.entity, _l.code == WAITS, tx.among(_l.key, keys))
    rows = tx.rows(sa.select(_l.key, _l.params).where(*mine, _l.flow.startswith(f"{intake.system}.", autoescape=True)))
    return {row[0]: one for row in rows if (one := _waits_for(row[1])) in open_ones}


def _waits_for(params: str) -> Create:
    told = decode(params)
    return Create(told["sink"], id_number(told["record"]) or 0)


def _settle(tx: Transaction, intake: Intake, create: Create, key: str) -> None:
    """The target has it, under this key: an outcome that nobody knew is known."""
    name = f"{create.sink}/{id_text(create.record_id)}"
    one = unknowns.find(tx, name, [create.sink] if intake.rules.every_version else ())
    if one is not None:
        unknowns.done(tx, one, Actor(CREATED, lambda: intake.now, intake.ids), key)
        return
    mine = (_d.sink == create.sink, _d.record_id == create.record_id, _d.remote_key.is_(None))
    tx.execute(sa.update(t.delivery).where(*mine).values(remote_key=key))


def settle_seen(
    tx: Transaction, sink: str, record_ids: Sequence[int], clock: Clock, ids: Ids, *, every_version: bool
) -> None:
    """Of these creates the answer is lost: where what they made was recognised before that, they are done."""
    if not record_ids:
        return  # as nearly always: building the statement costs more than marking the batch
    seen = (_d.state == t.Due.UNKNOWN, _d.acked_version == 0, _d.remote_key.is_not(None))
    mine = (_d.sink == sink, tx.among(_d.record_id, record_ids), *seen)
    for (number,) in tx.rows(sa.select(_d.record_id).where(*mine).order_by(_d.record_id)):
        one = unknowns.find(tx, f"{sink}/{id_text(number)}", [sink] if every_version else ())
        if one is not None:
            unknowns.done(tx, one, Actor(CREATED, clock, ids), one.remote_key)


def release(tx: Transaction, actor: Actor) -> bool:
    """Let go on what waited for an outcome that is known by now; whether anything did."""
    letters = tx.rows(sa.select(t.dead_letter).where(_UNREAD, _l.code == WAITS).order_by(_l.id).limit(_MOST))
    if not letters:
        return False
    awaited = {letter.id: _waits_for(letter.params) for letter in letters}
    mine = (tx.among(_d.record_id, {one.record_id for one in awaited.values()}), _OPEN)
    still = {Create._make(row) for row in tx.rows(sa.select(_d.sink, _d.record_id).where(*mine))}
    free = [letter for letter in letters if awaited[letter.id] not in still]
    _name(tx, {(awaited[letter.id], letter.key) for letter in free})
    for letter in free:
        repair.replay(tx, letter, actor)
    return bool(free)


def _name(tx: Transaction, waited: Collection[tuple[Create, str]]) -> None:
    """Where a create has been carried out, nobody told its key, and one record alone waited for it: that is its key."""
    keys: dict[Create, set[str]] = defaultdict(set)
    for create, key in waited:
        keys[create].add(key)
    there = (_d.present != 0, _d.remote_key.is_(None), _d.state.in_([int(t.Due.DELIVERED), int(t.Due.DISCARDED)]))
    for create, (key, *others) in sorted((create, sorted(found)) for create, found in keys.items()):
        if not others:
            mine = (_d.sink == create.sink, _d.record_id == create.record_id)
            tx.execute(sa.update(t.delivery).where(*mine, *there).values(remote_key=key))
