"""Which source records look alike: pairs that share a blocking key and score enough for a person to see.

Which pairs are kept is a function of the documents, the model and the index: a pair is there when both records share a
key that is not crowded and score at least `review`. Those that score `link` or more are links.

Taking a document apart costs several times as much as comparing it, and a record is compared far more often than it
changes. So what comparing needs of each record is kept beside it; a form that another model made is made anew. And most
that share a key are not alike: their sketches, in the index, rule them out unread.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from itertools import combinations
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from nave.core import contributions, sharing
from nave.core.entities import Document
from nave.core.identity import BLOCK, IdentityRules, Name, Pair, Value
from nave.core.sharing import Entries, Held, Shift
from nave.core.store import Query, Transaction
from nave.core.store import schema as t

if TYPE_CHECKING:
    from nave.core.matching import Packed, Prepared, Scored

_Both = tuple[Name, Name]
"""Two names, the lesser first."""
_m = t.match_pair.c
_COLUMNS = ("entity", "system_a", "key_a", "system_b", "key_b", "score")


class Rescored(NamedTuple):
    """What became of the pairs."""

    links: Collection[Pair] = ()
    """New ones that are alike enough to link."""
    disturbed: frozenset[Name] = frozenset()
    """Records that gained or lost a link though nothing new was said of them."""


def rescore(
    tx: Transaction,
    entity: str,
    rules: IdentityRules,
    said: Mapping[Name, Document],
    entries: Entries,
    stale: Collection[Name],
    change: Shift,
    prepared: Mapping[Name, Prepared] | None = None,
) -> Rescored:
    """Bring the pairs up to date after `said` came and the index changed; `stale` are stored records that changed or
    went. `prepared` are the documents of `said`, where somebody has prepared them already."""
    scored = rules.scored
    if scored is None:
        return Rescored()
    _forget(tx, entity, stale, [name for name in stale if name not in said])
    ready = prepared if prepared is not None else rules.prepared(said)
    _keep_forms(tx, entity, scored, ready)
    disturbed = _outgrown(tx, entity, rules, change, scored.link)
    again = _brought_together(change)
    found = _scores(tx, entity, scored, ready, _neighbours(scored, ready, entries, change) | again)
    tx.upsert(t.match_pair, _COLUMNS, [(entity, *one.a, *one.b, one.score) for one in found])
    links = [one for one in found if one.score >= scored.link]
    disturbed |= {name for one in links if (one.a, one.b) in again for name in (one.a, one.b)}
    return Rescored(links, frozenset(disturbed))


def _neighbours(scored: Scored, ready: Mapping[Name, Prepared], entries: Entries, change: Shift) -> set[_Both]:
    """Every pair of a record of the batch with another that shares a key, and whose sketch does not rule it out."""
    found: set[_Both] = set()
    for name, entry in entries.items():
        others: Held = {}
        for value in entry.blocks():
            others.update(change.holders.get(value, {}))
        others.pop(name, None)
        if others:
            may: Callable[[Any], bool] = scored.scorer.hopeful(ready[name], entry.sketch or b"", scored.review)
            found.update([_both(name, other) for other, sketch in others.items() if may(sketch)])
    return found


def _both(one: Name, other: Name) -> _Both:
    return (one, other) if one < other else (other, one)


def _brought_together(change: Shift) -> set[_Both]:
    """Every pair that shares a key which was crowded until now."""
    blocks = [value for value in change.thinned if value[0] == BLOCK]
    return {both for value in blocks for both in combinations(sorted(change.holders.get(value, ())), 2)}


def _scores(
    tx: Transaction, entity: str, scored: Scored, said: Mapping[Name, Prepared], wanted: Collection[_Both]
) -> list[Pair]:
    missing = {name for both in wanted for name in both if name not in said}
    ready: dict[Name, Prepared | Packed] = {**said, **_stored_forms(tx, entity, scored, missing)}
    score = scored.scorer.score
    pairs = [Pair(score(ready[a], ready[b], scored.review), a, b) for a, b in wanted if a in ready and b in ready]
    return [one for one in pairs if one.score >= scored.review]


_f = t.match_form.c
_FORMS = Query(
    lambda among: sa.select(_f.key, _f.form).where(
        _f.entity == sa.bindparam("entity"), _f.system == sa.bindparam("system"), among(_f.key, "keys")
    )
)


def _stored_forms(tx: Transaction, entity: str, scored: Scored, names: Collection[Name]) -> dict[Name, Prepared | Packed]:
    """Stored records as comparing needs them; what there is no form of by this model is made, and kept."""
    unpack = scored.scorer.forms.unpack
    found: dict[Name, Prepared | Packed] = {}
    for system, keys in _by_system(names).items():
        for key, form in tx.run(_FORMS, entity=entity, system=system, keys=keys):
            prepared = unpack(form)
            if prepared is not None:
                found[system, key] = prepared
    without = [name for name in names if name not in found]
    if without:
        stored = contributions.named(tx, entity, without)
        made = {one.name: scored.scorer.prepare(one.contribution.identifies) for one in stored}
        _keep_forms(tx, entity, scored, made)
        found |= made
    return found


def _keep_forms(tx: Transaction, entity: str, scored: Scored, ready: Mapping[Name, Prepared]) -> None:
    pack = scored.scorer.forms.pack
    rows: list[tuple[Any, ...]] = [(entity, *name, pack(one)) for name, one in ready.items()]
    tx.upsert(t.match_form, ("entity", "system", "key", "form"), rows)


def _by_system(names: Iterable[Name]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for system, key in names:
        found[system].append(key)
    return found


def _forget(tx: Transaction, entity: str, stale: Iterable[Name], gone: Iterable[Name]) -> None:
    """The pairs of the stale are not theirs any more; of those that went, the forms neither."""
    rows = [{"entity": entity, "s": system, "k": key} for system, key in stale]
    if rows:
        tx.run_many(_FORGET, rows)
        tx.run_many(_FORGET_BACK, rows)
    without = [{"entity": entity, "s": system, "k": key} for system, key in gone]
    if without:
        tx.run_many(_FORGET_FORM, without)


def _deleting(table: sa.Table, system: sa.Column[Any], key: sa.Column[Any]) -> Query:
    mine = (table.c.entity == sa.bindparam("entity"), system == sa.bindparam("s"), key == sa.bindparam("k"))
    return Query(lambda _: sa.delete(table).where(*mine))


_FORGET = _deleting(t.match_pair, _m.system_a, _m.key_a)
_FORGET_BACK = _deleting(t.match_pair, _m.system_b, _m.key_b)
_FORGET_FORM = _deleting(t.match_form, _f.system, _f.key)


def _outgrown(tx: Transaction, entity: str, rules: IdentityRules, change: Shift, link: float) -> set[Name]:
    """Drop the pairs that shared nothing but keys that are crowded now; the records that lost a link by it."""
    held = [change.before[value].keys() for value in change.filled if value[0] == BLOCK and value in change.before]
    names = {name for listed in held for name in listed}
    pairs = [one for one in touching(tx, entity, names, 0.0) if any(one.a in some and one.b in some for some in held)]
    shared = _shared_keys(tx, entity, rules, pairs)
    usable = sharing.usable(tx, entity, {value for listed in shared for value in listed})
    lost = [one for one, listed in zip(pairs, shared, strict=True) if not listed & usable]
    _drop(tx, entity, lost)
    return {name for one in lost if one.score >= link for name in (one.a, one.b)}


def _shared_keys(tx: Transaction, entity: str, rules: IdentityRules, pairs: Iterable[Pair]) -> list[set[Value]]:
    listed = list(pairs)
    stored = contributions.named(tx, entity, {name for one in listed for name in (one.a, one.b)})
    blocks = {one.name: set(rules.blocks(one.contribution.identifies)) for one in stored}
    return [blocks[one.a] & blocks[one.b] for one in listed]


def _drop(tx: Transaction, entity: str, pairs: Iterable[Pair]) -> None:
    rows = [{"entity": entity, "sa": one.a[0], "ka": one.a[1], "sb": one.b[0], "kb": one.b[1]} for one in pairs]
    if rows:
        tx.run_many(_DROP, rows)


_DROP = Query(
    lambda _: sa.delete(t.match_pair).where(
        _m.entity == sa.bindparam("entity"),
        _m.system_a == sa.bindparam("sa"),
        _m.key_a == sa.bindparam("ka"),
        _m.system_b == sa.bindparam("sb"),
        _m.key_b == sa.bindparam("kb"),
    )
)


def _reading(system: sa.Column[str], key: sa.Column[str]) -> Query:
    return Query(
        lambda among: sa.select(_m.score, _m.system_a, _m.key_a, _m.system_b, _m.key_b).where(
            _m.entity == sa.bindparam("entity"),
            system == sa.bindparam("system"),
            among(key, "keys"),
            _m.score >= sa.bindparam("least", type_=sa.Float),
        )
    )


_TOUCHING = (_reading(_m.system_a, _m.key_a), _reading(_m.system_b, _m.key_b))


def touching(tx: Transaction, entity: str, names: Iterable[Name], least: float) -> set[Pair]:
    """The pairs in which one of these records is, and that score no less than `least`."""
    return set(_pairs_of(tx, entity, names, least))


def _pairs_of(tx: Transaction, entity: str, names: Iterable[Name], least: float) -> Iterator[Pair]:
    for system, keys in _by_system(names).items():
        for query in _TOUCHING:
            for score, system_a, key_a, system_b, key_b in tx.run(
                query, entity=entity, system=system, keys=keys, least=least
            ):
                yield Pair(score, (system_a, key_a), (system_b, key_b))
