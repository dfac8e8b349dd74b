"""The three-way merge: what a system says, what it said before, and what it was told, make its own opinion.

| the field now                                                       | is               | its opinion of the field    |
|----------------------------------------------------------------------|------------------|-----------------------------|
| as it was                                                            | unchanged        | stays                       |
| as some version it may have been told since it last said something   | an echo          | stays, or none              |
| that, in other capitals, widths, spaces; cut, rounded, reordered     | a rewriting      | stays, or none; a finding   |
| something else, for the third time right after being told (or tenth) | a flip           | stays, or none; a finding   |
| anything else                                                        | its own change   | what it says                |

A pure function: everything it looks at is handed in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from hashlib import blake2b
from typing import Any, NamedTuple

from nave.core.entities import Document, encode
from nave.core.merge import is_blank, listed
from nave.core.opinions import Opinion, Tree, Turn, part
from nave.core.rewriting import FLIPS, ORDER, rewriting

MEMORY = 86_400.0
"""Seconds after which a turn is forgotten: a person changes his mind again, a loop comes back at once."""
SAME, ANY = 3, 10
"""Times that the same value, or any other than was told, may come right after telling."""


class Verdict(Enum):
    """What one field of a statement is."""

    UNCHANGED = "unchanged"
    ECHO = "echo"
    REWRITTEN = "rewritten"
    FLIPS = "flips"
    OWN = "own"


class Told(NamedTuple):
    """What one sink may have brought to the system."""

    written: Tree
    versions: Mapping[int, Document]
    """By version: those that it was told, and those that may be on their way; references as golden records."""
    acked: int
    """The newest that it has for certain."""
    floor: int = 0
    """The newest that it surely had seen when it last spoke, where its opinion does not say so of a field."""
    once: frozenset[str] = frozenset()
    """Fields that it was told when its record was made, and never since: it may go on showing what it was told then."""


@dataclass(frozen=True)
class Statement:
    """What one system says of one of its keys, beside what it said before.

    `same` and `before_same` are the same documents in the form in which they compare with what was told: typed, with
    references as golden records.
    """

    said: Document
    same: Document
    """The same, as it compares with what was told."""
    changed_at: float
    now: float
    before: Document | None = None
    before_same: Document = field(default_factory=dict)
    opinion: Opinion = field(default_factory=lambda: Opinion({}))
    """As it was."""
    put_away: frozenset[str] = frozenset()
    """What the hub itself changed there since it put the row away, for good: nobody's word."""


class Noticed(NamedTuple):
    """A finding about one field."""

    field: str
    code: str
    told: Any
    said: Any


@dataclass(frozen=True)
class Judgement:
    """What a statement comes to."""

    opinion: Opinion
    noticed: list[Noticed]
    doubtful: frozenset[str]
    """Fields in which the system may hold something else than the golden record, and should be told again if so."""


class _Told(NamedTuple):
    """What a field was told since the system last said something new of it."""

    values: Mapping[int, Any]
    acked: int
    seen: int
    tree: Any
    once: bool


@dataclass
class _Judge:
    """Judges the fields of one statement."""

    it: Statement
    told: Sequence[Told]
    unions: frozenset[str]
    linked: frozenset[str]
    """Fields that hold references."""
    values: Document = field(default_factory=dict)
    times: dict[str, float] = field(default_factory=dict)
    seen: dict[str, int] = field(default_factory=dict)
    turns: dict[str, Sequence[Turn]] = field(default_factory=dict)
    noticed: list[Noticed] = field(default_factory=list)
    doubtful: set[str] = field(default_factory=set)

    def run(self, of: int | None) -> Judgement:
        for name in sorted({*self.it.said, *(self.it.before or ())}):
            self._field(name)
        opinion = Opinion(self.values, self.times, of, self.seen, self.turns)
        return Judgement(opinion, self.noticed, frozenset(self.doubtful))

    def _field(self, name: str) -> None:
        if name in self.it.put_away:
            self._keep(name)
            return
        told = self._since(name)
        verdict, code = self._verdict(name, told)
        verdict, code = self._counted(name, told, verdict, code)
        if code and told:
            self.noticed.append(Noticed(name, code, told.values.get(told.acked), self.it.same.get(name)))
        if verdict is Verdict.OWN:
            self._own(name, told)
        else:
            self._keep(name)
        self._mark(name, told, verdict)

    def _since(self, name: str) -> _Told | None:
        """What it was told of the field since; None where that is nothing."""
        one = next((one for one in self.told if name in one.written), None)
        if one is None:
            return None
        tree, seen = one.written[name], self.it.opinion.seen.get(name, one.floor)
        newer = {number: document for number, document in one.versions.items() if number > seen}
        values = {number: part(_said(document, name), tree) for number, document in newer.items()}
        return _Told(values, one.acked, seen, tree, name in one.once) if values else None

    def _verdict(self, name: str, told: _Told | None) -> tuple[Verdict, str | None]:
        it = self.it
        now, before = _said(it.same, name), _said(it.before_same, name)
        if it.before is not None and now == before:
            return Verdict.UNCHANGED, None
        if told is None or (it.before is not None and part(now, told.tree) == part(before, told.tree)):
            return Verdict.OWN, None
        if part(now, told.tree) in told.values.values():
            return Verdict.ECHO, None
        if now is None or all(value == part(before, told.tree) for value in told.values.values()):
            return Verdict.OWN, None
        return self._rewritten(name, told)

    def _rewritten(self, name: str, told: _Told) -> tuple[Verdict, str | None]:
        said = part(_said(self.it.same, name), told.tree)
        values = () if name in self.linked else [told.values[number] for number in sorted(told.values, reverse=True)]
        code = next((code for value in values if (code := rewriting(value, said))), None)
        if code == ORDER and name in self.unions:
            return Verdict.REWRITTEN, None  # in which order a union's items stand is nobody's word: ours changes as well
        return (Verdict.REWRITTEN, code) if code else (Verdict.OWN, None)

    def _counted(self, name: str, told: _Told | None, verdict: Verdict, code: str | None) -> tuple[Verdict, str | None]:
        """The verdict, once it is clear that this does not go on for ever."""
        if told is None or told.once or told.acked not in told.values or verdict is Verdict.REWRITTEN:
            return verdict, code
        now = part(_said(self.it.same, name), told.tree)
        if now == told.values[told.acked]:
            return verdict, code
        turns = [one for one in self.it.opinion.turns.get(name, ()) if self.it.now - one.at < MEMORY]
        turns = [*turns, Turn(_mark_of(now), self.it.now)][-ANY:]
        self.turns[name] = tuple(turns)
        if len(turns) >= ANY or sum(one.value == turns[-1].value for one in turns) >= SAME:
            return Verdict.FLIPS, FLIPS
        return verdict, code

    def _keep(self, name: str) -> None:
        before = self.it.opinion
        if name in before.values:
            self.values[name] = before.values[name]
            self.times[name] = before.times.get(name, self.it.changed_at)

    def _own(self, name: str, told: _Told | None) -> None:
        said = self.it.said.get(name)
        if name in self.unions and told is not None:
            said = self._own_items(name, told)
        if name in self.it.said and not (said == [] and self.it.said[name] != []):
            self.values[name] = said
            self.times[name] = self.it.changed_at

    def _own_items(self, name: str, told: _Told) -> list[Any]:
        """Of the items of a union, those that it had before and has still, and those that nobody told it of."""
        others = [item for value in told.values.values() for item in listed(value)]
        had = listed(self.it.opinion.values.get(name))
        return [item for item in listed(self.it.said.get(name)) if item in had or not _is_of(part(item, told.tree), others)]

    def _mark(self, name: str, told: _Told | None, verdict: Verdict) -> None:
        """What it has seen by now, and whether it should be told again."""
        if told is not None:
            self.seen[name] = self._seen(name, told, verdict)
        elif name in self.it.opinion.seen:
            self.seen[name] = self.it.opinion.seen[name]
        heard = told is not None and told.acked in told.values
        if any(name in one.once for one in self.told):
            return  # nothing that it shows of such a field is mended by telling it again
        own = verdict is Verdict.OWN and any(name in one.written for one in self.told)
        if own or verdict is Verdict.ECHO or (verdict is Verdict.UNCHANGED and heard):
            self.doubtful.add(name)

    def _seen(self, name: str, told: _Told, verdict: Verdict) -> int:
        if verdict is Verdict.UNCHANGED:
            return told.seen
        return self._shown(name, told) if verdict is Verdict.ECHO else max(told.acked, told.seen)

    def _shown(self, name: str, told: _Told) -> int:
        """The version that an echo shows: the newest that it has for certain, else the oldest that may be on its way."""
        now = part(_said(self.it.same, name), told.tree)
        showing = [number for number, value in told.values.items() if value == now]
        certain = [number for number in showing if number <= told.acked]
        return max(certain) if certain else min(showing, default=told.acked)


def _said(document: Document, name: str) -> Any:
    """What a document says of a field; what is blank is not said."""
    value = document.get(name)
    return None if is_blank(value) else value


def _is_of(item: Any, others: Sequence[Any]) -> bool:
    return any(item == other or rewriting(other, item) for other in others)


def _mark_of(value: Any) -> str:
    return blake2b(encode({"value": value}).encode(), digest_size=6).hexdigest()


def judge_statement(
    statement: Statement,
    told: Sequence[Told],
    *,
    of: int | None,
    unions: frozenset[str] = frozenset(),
    linked: frozenset[str] = frozenset(),
) -> Judgement:
    """What a system means by a statement; `of` is the golden record that it was told of, the one it belongs to."""
    if statement.opinion.of != of:
        statement = replace(statement, opinion=Opinion(statement.opinion.values, statement.opinion.times))
    return _Judge(statement, told, unions, linked).run(of)
