"""Decides anew who is who around some stored source records: after a decision, a pin, a changed rule."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from nave.core.clock import Ids
from nave.core.golden import bring_about
from nave.core.identity import Name
from nave.core.intake import Change, EntityRules, Intake
from nave.core.store import Transaction


def resolve(
    tx: Transaction,
    rules: EntityRules,
    names: Iterable[Name],
    *,
    cause: str,
    now: float,
    ids: Ids,
    entities: Mapping[str, EntityRules] = MappingProxyType({}),
) -> set[str]:
    """Re-decide and merge again all that links to these source records, from what is stored; returns the sinks with work.

    Names that are not there are passed over. Versions that come of it have `cause`. Records of `entities` that name what
    became of another are told again.
    """
    tx.serialise(f"entity:{rules.type.name}")
    return bring_about(tx, Intake(rules, "", "", now, ids, cause, entities), Change(again=frozenset(names)))
