"""What a steward looks at: pairs of source records that may be the same thing, and two of them side by side."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from nave.core import decisions, pairs, views
from nave.core.clock import id_text, moment
from nave.core.decisions import Decision
from nave.core.entities import Document, decode, encode
from nave.core.errors import PermanentError
from nave.core.identity import Name, Pair
from nave.core.intake import EntityRules
from nave.core.store import Transaction
from nave.core.store import schema as t
from nave.core.views import Golden

if TYPE_CHECKING:
    from nave.core.matching import Step


class Told(NamedTuple):
    """One source record as it was last said."""

    name: Name
    document: Document
    changed_at: float
    version: str
    record_id: int


class Line(NamedTuple):
    """One field of two records."""

    field: str
    left: Any
    right: Any

    @property
    def differs(self) -> bool:
        return bool(self.left != self.right)


@dataclass(frozen=True)
class Comparison:
    """Two source records side by side, where they belong, and what is known of the two as one."""

    entity: str
    a: Told
    b: Told
    lines: tuple[Line, ...]
    score: float | None
    """None where the entity is not scored."""
    steps: tuple[Step, ...]
    shared: tuple[str, ...]
    """The exact rules that link the two."""
    goldens: tuple[Golden, Golden]
    decisions: tuple[Decision, ...]
    """All that stands about the two, the newest first."""

    @property
    def together(self) -> bool:
        """Whether the two belong to one golden record."""
        return self.a.record_id == self.b.record_id

    @property
    def mark(self) -> str:
        """Changes with what either says, with where they belong, and with every decision about the two."""
        seen = [[[*one.name], one.version, one.document, one.record_id] for one in (self.a, self.b)]
        clusters = [[one.version, [[key.system, key.key] for key in one.keys]] for one in self.goldens]
        said = [one.id for one in self.decisions]
        return blake2b(encode({"seen": seen, "clusters": clusters, "said": said}).encode(), digest_size=16).hexdigest()


def told(tx: Transaction, entity: str, names: Iterable[Name]) -> dict[Name, Told]:
    """Those of the source records that are there."""
    wanted = set(names)
    s = t.source_record.c
    columns = sa.select(s.system, s.key, s.doc, s.changed_at, s.version, s.record_id)
    mine = (s.entity == entity, tx.among(s.system, sorted({one[0] for one in wanted})))
    rows = tx.rows(columns.where(*mine, tx.among(s.key, sorted({one[1] for one in wanted}))))
    found = [Told((row[0], row[1]), decode(row[2]), *row[3:]) for row in rows]
    return {one.name: one for one in found if one.name in wanted}


def compare(tx: Transaction, rules: EntityRules, a: Name, b: Name) -> Comparison | None:
    """The two side by side, the lesser name first; None where one of them is not there."""
    first, second = sorted((a, b))
    entity = rules.type.name
    there = told(tx, entity, (first, second))
    if first == second or len(there) < 2:
        return None
    left, right = there[first], there[second]
    score, steps = _scored(rules, left.document, right.document)
    goldens = {one.id: one for one in views.goldens(tx, entity, {left.record_id, right.record_id})}
    names = [*rules.type.model.model_fields]
    said = {*left.document, *right.document}
    ordered = sorted(said, key=lambda name: (names.index(name) if name in names else len(names), name))
    return Comparison(
        entity,
        left,
        right,
        tuple(Line(name, left.document.get(name), right.document.get(name)) for name in ordered),
        score,
        steps,
        _shared(rules, left.document, right.document),
        (goldens[left.record_id], goldens[right.record_id]),
        tuple(decisions.between(tx, entity, (first, second))),
    )


def _scored(rules: EntityRules, left: Document, right: Document) -> tuple[float | None, tuple[Step, ...]]:
    scored = rules.identity.scored
    if scored is None:
        return None, ()
    steps = scored.scorer.waterfall(left, right)
    return steps[-1].probability, steps


def _shared(rules: EntityRules, left: Document, right: Document) -> tuple[str, ...]:
    common = {*rules.identity.values(left)} & {*rules.identity.values(right)}
    return tuple(dict.fromkeys(rule for rule, _ in sorted(common)))


def in_short(document: Mapping[str, Any], fields: Sequence[str]) -> dict[str, Any]:
    """The first few fields that say something and are one value."""
    said = [name for name in fields if isinstance(document.get(name), str | int | float)]
    return {name: document[name] for name in said[:4]}


class Waiting(NamedTuple):
    """One pair that waits for a person."""

    entity: str
    a: Told
    b: Told
    score: float
    why: str
    """score, apart, system or size: why it is not linked."""
    link: float
    """The score from which pairs are linked."""
    since: float
    """When the later of the two last changed."""


class Shelf(NamedTuple):
    """Some of what waits, and where to go on."""

    pairs: list[Waiting]
    cursor: str | None


def pair_id(entity: str, a: Name, b: Name) -> str:
    """The pair as one word for addresses."""
    text = "\x1f".join((entity, *min(a, b), *max(a, b)))
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


def pair_of(text: str) -> tuple[str, Name, Name] | None:
    """The pair behind such a word; None where it is none."""
    try:
        parts = urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode().split("\x1f")
    except ValueError:
        return None
    return (parts[0], (parts[1], parts[2]), (parts[3], parts[4])) if len(parts) == 5 else None


def waiting_data(one: Waiting, hidden: frozenset[str]) -> dict[str, Any]:
    """For programs."""
    return {
        "id": pair_id(one.entity, one.a.name, one.b.name),
        "entity": one.entity,
        "score": one.score,
        "why": one.why,
        "since": _instant(one.since),
        "a": _told_data(one.a, hidden),
        "b": _told_data(one.b, hidden),
    }


def comparison_data(found: Comparison, hidden: frozenset[str]) -> dict[str, Any]:
    """For programs."""
    return {
        "id": pair_id(found.entity, found.a.name, found.b.name),
        "entity": found.entity,
        "a": _told_data(found.a, hidden),
        "b": _told_data(found.b, hidden),
        "fields": [
            {
                "field": line.field,
                "a": _masked(line.field, line.left, hidden),
                "b": _masked(line.field, line.right, hidden),
                "differs": line.differs,
            }
            for line in found.lines
        ],
        "together": found.together,
        "score": found.score,
        "waterfall": [_step_data(step, hidden) for step in found.steps],
        "linked_by": list(found.shared),
        "records": [
            {"id": id_text(one.id), "keys": [{"system": key.system, "key": key.key} for key in one.keys]}
            for one in {one.id: one for one in found.goldens}.values()
        ],
        "decisions": [
            {"verdict": one.verdict, "actor": one.actor, "reason": one.reason, "at": _instant(one.at)}
            for one in found.decisions
        ],
    }


def _told_data(one: Told, hidden: frozenset[str]) -> dict[str, Any]:
    document = {name: _masked(name, value, hidden) for name, value in one.document.items()}
    return {"system": one.name[0], "key": one.name[1], "record": id_text(one.record_id), "document": document}


def _step_data(step: Step, hidden: frozenset[str]) -> dict[str, Any]:
    told = step._asdict()
    return told | {side: _masked(step.field, told[side] or None, hidden) for side in ("left", "right")}


def _masked(field: str, value: Any, hidden: frozenset[str]) -> Any:
    return "***" if field in hidden and value is not None else value


def _instant(seconds: float) -> str:
    return moment(seconds).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def waiting(tx: Transaction, rules: EntityRules, limit: int, after: str | None) -> Shelf:
    """Pairs that may be the same and are neither linked nor decided, the likeliest first; none where nothing is scored.

    `after` is the cursor of an earlier answer; a PermanentError where it is none.
    """
    scored, entity = rules.identity.scored, rules.type.name
    if scored is None or limit <= 0:
        return Shelf([], None)
    found = pairs.open_pairs(tx, entity, rules.identity, limit + 1, _place(after) if after else None)
    names = {name for one in found[:limit] for name in (one.a, one.b)}
    there = told(tx, entity, names)
    listed = [
        Waiting(
            entity,
            there[one.a],
            there[one.b],
            one.score,
            one.why,
            scored.link,
            max(there[one.a].changed_at, there[one.b].changed_at),
        )
        for one in found[:limit]
    ]
    return Shelf(listed, _cursor(found[limit - 1].pair) if len(found) > limit else None)


def _cursor(pair: Pair) -> str:
    text = json.dumps([pair.score, *pair.a, *pair.b], ensure_ascii=False, separators=(",", ":"))
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _place(cursor: str) -> Pair:
    try:
        score, *names = json.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        a, key_a, b, key_b = map(str, names)
        return Pair(float(score), (a, key_a), (b, key_b))
    except (ValueError, TypeError) as error:
        raise PermanentError("NAVE-E109", reason=f"cursor={cursor[:80]}") from error
