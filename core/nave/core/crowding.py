"""Crowded blocking keys: by which rule of scored identity records are not compared any more, and what is lost by that.

A single crowded key is nothing that a person can mend; a rule whose keys have grown too large for the store is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from nave.core import contributions, sharing
from nave.core.entities import decode
from nave.core.findings import BY_ITSELF, Finding
from nave.core.identity import BLOCK, IdentityRules, Name
from nave.core.store import Transaction
from nave.core.store import schema as t

CROWDED_BLOCKS = "NAVE-S981"
_AGAIN = 2
"""Told of anew when there are so many times as many."""
_KEYS, _HOLDERS, _EXAMPLES = 50, 20, 3
"""Keys that are looked at closely, records of each of them, and keys that are named."""
_NOBODY = 20
"""What more records than this share tells of nobody who he is."""
_f, _c, _i = t.finding.c, t.crowded.c, t.identity_key.c


def crowded_blocks(tx: Transaction, identities: Mapping[str, IdentityRules]) -> list[Finding]:
    """A finding for each blocking rule with keys that more records share than `block_limit`, by entity.

    Without `params` where there is nothing new to tell: the finding is open, or a person has settled it, and there are not
    twice as many keys.
    """
    scored = {entity: rules for entity, rules in identities.items() if rules.scored is not None}
    counted = [(entity, rule, number) for entity, rules in scored.items() for rule, number in _counts(tx, entity, rules)]
    told = _told(tx) if counted else {}
    found = []
    for entity, rule, number in counted:
        before = told.get((entity, rule))
        if before is None or before.settled_by == BY_ITSELF or number >= _AGAIN * _number(before):
            found.append(Finding(CROWDED_BLOCKS, entity, entity, rule, params=_told_of(tx, entity, rule, number, scored)))
        elif before.state == t.Finding.OPEN:
            found.append(Finding(CROWDED_BLOCKS, entity, entity, rule))
    return found


def _prefix(rule: str) -> str:
    return f"{BLOCK}{rule}="


def _of(rule: str) -> sa.ColumnElement[bool]:
    prefix = _prefix(rule)
    return sa.func.substr(_c.value, 1, len(prefix)) == prefix


def _counts(tx: Transaction, entity: str, rules: IdentityRules) -> Iterator[tuple[str, int]]:
    """The blocking rules of an entity that have crowded keys, with how many."""
    if rules.scored is None:
        return
    names = ["&".join(block.keys) for block in rules.scored.scorer.model.blocks]
    sums = [sa.func.sum(sa.case((_of(name), 1), else_=0)) for name in names]
    if sums:
        (row,) = tx.rows(sa.select(*sums).where(_c.entity == entity, _c.rule == BLOCK))
        yield from ((name, int(number)) for name, number in zip(names, row, strict=True) if number)


def _told(tx: Transaction) -> dict[tuple[str, str], Any]:
    """By entity and rule, the newest finding."""
    rows = tx.rows(sa.select(t.finding).where(_f.code == CROWDED_BLOCKS).order_by(_f.first_at, _f.id))
    return {(row.flow, row.field): row for row in rows}


def _number(finding: Any) -> int:
    return int(decode(finding.params)["values"].replace(",", ""))


def _told_of(tx: Transaction, entity: str, rule: str, number: int, scored: Mapping[str, IdentityRules]) -> Mapping[str, Any]:
    rules = scored[entity]
    listed = sa.select(_c.value).where(_c.entity == entity, _c.rule == BLOCK, _of(rule)).order_by(_c.since, _c.value)
    values = [row[0] for row in tx.rows(listed.limit(_KEYS))]
    names = _holders(tx, entity, values)
    return {
        "entity": entity,
        "rule": rule,
        "values": f"{number:,}",
        "limit": f"{rules.block_limit:,}",
        "looked": f"{len(names):,}",
        "alone": f"{_alone(tx, entity, rules, names):,}",
        "examples": ", ".join(_examples(tx, entity, rule, values, rules.block_limit)),
    }


def _holders(tx: Transaction, entity: str, values: Sequence[str]) -> list[Name]:
    """Some of the records that have each of these keys."""
    its = sa.select(_i.system, _i.key).where(_i.entity == entity, _i.rule == BLOCK)
    rows = [row for value in values for row in tx.rows(its.where(_i.value == value).limit(_HOLDERS))]
    return list(dict.fromkeys((row[0], row[1]) for row in rows))


def _alone(tx: Transaction, entity: str, rules: IdentityRules, names: Sequence[Name]) -> int:
    """How many of the records have no blocking key that still compares them with anybody."""
    keys = [set(rules.blocks(one.contribution.identifies)) for one in contributions.named(tx, entity, names)]
    usable = sharing.usable(tx, entity, {key for each in keys for key in each})
    return sum(usable.isdisjoint(each) for each in keys)


def _examples(tx: Transaction, entity: str, rule: str, values: Sequence[str], limit: int) -> Iterator[str]:
    """The most crowded of the keys; without their texts where they could be somebody's."""
    count = sa.func.count()
    mine = (_i.entity == entity, _i.rule == BLOCK, tx.among(_i.value, values))
    most = sa.select(_i.value, count).where(*mine).group_by(_i.value).order_by(count.desc(), _i.value)
    rows = tx.rows(most.limit(_EXAMPLES))
    for value, records in rows:
        text = value.removeprefix(_prefix(rule)).replace("\x1f", " + ")
        yield f"{text if limit >= _NOBODY else '***'} ({records:,})"
