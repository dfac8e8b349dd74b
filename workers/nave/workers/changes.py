"""Rules of the folder that are not those the store was made by: noticed at the start, planned, applied to all there is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog

from nave.core import planning
from nave.core.deliveries import Claimed, as_claimed
from nave.core.entities import encode
from nave.core.errors import ConfigError, NaveError
from nave.core.intake import digest
from nave.core.outbound import Ready, look_out
from nave.core.planning import Kept
from nave.core.rehearsing import Difference, Progress, rehearse, scratch
from nave.core.store import Transaction
from nave.core.store import schema as t
from nave.workers.flows import Hub, Retold, SinkFlow
from nave.workers.retelling import same_rule

_log = structlog.get_logger()
DIFFERENT, HALF_APPLIED = "NAVE-E130", "NAVE-E136"
_AT_ONCE = 1000
_EXAMPLES = 3


@dataclass(frozen=True)
class Changes:
    """What of the folder's rules is not what the store was made by."""

    entities: tuple[str, ...] = ()
    sinks: tuple[str, ...] = ()
    identities: tuple[str, ...] = ()
    """Those of the entities that decide otherwise who is the same."""
    half: tuple[str, ...] = ()
    """Those whose change has begun."""
    strange: tuple[str, ...] = ()
    """Those of them whose rules are by now neither the ones it was to lead to nor the ones it came from."""

    @property
    def any(self) -> bool:
        return bool(self.entities or self.sinks)


def changes(tx: Transaction, hub: Hub) -> Changes:
    """Compare the folder with what the store remembers; what it has never heard of is no change."""
    kept = planning.kept(tx)
    known = {name: kept[planning.entity_rule(name)] for name in hub.entities if planning.entity_rule(name) in kept}
    differing = [name for name, one in known.items() if _differs(one, planning.rules_text(hub.entities[name]))]
    entities = tuple(name for name in differing if known[name].applying or planning.any_record(tx, name))
    return Changes(
        entities,
        tuple(name for name, flow in hub.sinks.items() if _told_otherwise(kept.get(_sink_rule(name)), flow)),
        tuple(name for name in entities if _identity_differs(known[name], hub, name)),
        tuple(name for name in entities if known[name].applying),
        tuple(name for name in entities if _strange(known[name], planning.rules_text(hub.entities[name]))),
    )


def _strange(one: Kept, text: str) -> bool:
    return one.applying is not None and text not in (one.text, one.applying["to"])


def _differs(one: Kept, text: str) -> bool:
    return one.applying is not None or one.text != text


def _identity_differs(one: Kept, hub: Hub, name: str) -> bool:
    return planning.identity_differs(one.text, planning.rules_text(hub.entities[name]))


def _told_otherwise(one: Kept | None, flow: SinkFlow) -> bool:
    if one is None or not flow.rule:
        return False
    return one.applying is not None or not same_rule(one.text, flow.rule)


def _sink_rule(name: str) -> str:
    return f"sink:{name}"


def settle_rules(hub: Hub) -> None:
    """At the start: remember rules that the store does not know yet, and refuse to mix two indexes of identity.

    Another survivorship, or another way to tell a target, is said and lets the hub go on: a record takes part in it when it
    next changes, the rest by `nave apply`.
    """
    with hub.store.write() as tx:
        tx.serialise("introduce")
        found = changes(tx, hub)
        if found.half:
            raise ConfigError(HALF_APPLIED, names=", ".join(found.half))
        if found.identities:
            raise ConfigError(DIFFERENT, names=", ".join(found.identities))
        kept = planning.kept(tx)
        wanted = {planning.entity_rule(name): planning.rules_text(rules) for name, rules in hub.entities.items()}
        wanted |= {_sink_rule(name): flow.rule for name, flow in hub.sinks.items() if flow.rule}
        different = {*map(planning.entity_rule, found.entities), *map(_sink_rule, found.sinks)}
        for name, text in wanted.items():
            if name not in different and (name not in kept or kept[name].text != text):
                planning.keep(tx, name, text, hub.clock())
        planning.forget_all_but(tx, wanted)
    if found.any:
        _log.warning("rules.differ", entities=found.entities, sinks=found.sinks, hint="nave plan")


@dataclass
class SinkDifference:
    """What another way of telling a target would send."""

    sink: str
    looked_at: int = 0
    deliveries: int = 0
    exact: bool = True
    """False where the old way cannot be made again: then all that was delivered counts."""
    examples: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Plan:
    """What the change of the folder's rules would do, and to what."""

    store: str
    rules: Mapping[str, str]
    """The rules that are to be applied, as hashes, by name."""
    entities: Sequence[Difference]
    sinks: Sequence[SinkDifference]


def plan(hub: Hub, progress: Progress) -> Plan:
    """Work out on a copy what `apply_rules` would do; the store of the hub is only read."""
    with hub.store.read() as tx:
        found, state = changes(tx, hub), planning.state(tx)
    entities: list[Difference] = []
    if found.entities:
        remade = set(found.identities) - set(found.half)
        with scratch(hub.store, progress, found.entities, remade) as copy:
            entities = [rehearse(copy, hub.entities, name, hub.clock(), hub.ids, progress) for name in found.entities]
    sinks = [_sink_difference(hub, hub.sinks[name], progress) for name in found.sinks]
    return Plan(state, fingerprints(hub, found), entities, sinks)


def fingerprints(hub: Hub, found: Changes) -> dict[str, str]:
    """What tells whether the folder still says what was planned."""
    texts = {planning.entity_rule(name): planning.rules_text(hub.entities[name]) for name in found.entities}
    texts |= {_sink_rule(name): hub.sinks[name].rule for name in found.sinks}
    return {name: digest(text).hex() for name, text in texts.items()}


def _sink_difference(hub: Hub, flow: SinkFlow, progress: Progress) -> SinkDifference:
    with hub.store.read() as tx:
        ways = _ways(planning.kept(tx)[_sink_rule(flow.name)], flow)
    found = SinkDifference(flow.name, exact=None not in ways)
    for tx, page in _told(hub, flow):
        for one, old, new in _compared(tx, flow, ways, page):
            found.deliveries += 1
            if len(found.examples) < _EXAMPLES and found.exact:
                found.examples.append({"record": one.record_id, "before": old, "after": new})
        found.looked_at += len(page)
        progress(flow.name, len(page))
    return found


def _others(kept: Kept, rule: str) -> list[str]:
    """Changes that were begun and given up for this one: in their way some records may have been told."""
    begun = kept.applying
    if begun is None:
        return []
    listed = begun.get("others", []) + ([] if begun["to"] == rule else [begun["to"]])
    return [text for text in dict.fromkeys(listed) if text not in (rule, kept.text)]


def _ways(kept: Kept, flow: SinkFlow) -> list[Retold | None]:
    """All ways in which records may have been told so far; None for one that cannot be made again."""
    return [flow.retell(text) for text in (kept.text, *_others(kept, flow.rule))]


def _told(hub: Hub, flow: SinkFlow, after: int = 0) -> Iterator[tuple[Transaction, list[Claimed]]]:
    while True:
        with hub.store.read() as tx:
            page = _settled(tx, flow.name, after)
            if not page:
                return
            yield tx, page
        after = page[-1].record_id


def _settled(tx: Transaction, sink: str, after: int) -> list[Claimed]:
    """Deliveries that are done with: whatever else is due goes out in the new way by itself."""
    d = t.delivery.c
    mine = (d.sink == sink, d.record_id > after, d.state.in_([t.Due.DELIVERED, t.Due.SKIPPED]))
    return as_claimed(tx, *mine, limit=_AT_ONCE)


_Shown = Any


def _compared(
    tx: Transaction, flow: SinkFlow, ways: Sequence[Retold | None], page: Sequence[Claimed]
) -> Iterator[tuple[Ready, _Shown, _Shown]]:
    """Those of the records that the target would be told otherwise than in one of these ways, with how it was, or may have
    been, and would be."""
    rules = flow.rules
    outlook = look_out(tx, rules.type, page, every_version=False, placeholders=rules.placeholders)
    ready = [one for one in outlook.ready if not one.retired]
    new = _shown(Retold(flow.mapping, flow.when), ready)
    old = [_shown(before, ready) if before is not None else [...] * len(ready) for before in ways]
    for one, now, *told in zip(ready, new, *old, strict=True):
        was = next((each for each in told if each != now), now)
        if was != now:
            yield one, was, now


def _shown(how: Retold, ready: Sequence[Ready]) -> list[_Shown]:
    """What a target is told of each; None where it is not told at all."""
    wanted = [_wanted(how.when, one) for one in ready]
    made = iter(how.mapping.run([one.document for one, flag in zip(ready, wanted, strict=True) if flag]))
    return [_plain(next(made)) if flag else None for flag in wanted]


def _wanted(when: Callable[[Any], bool] | None, one: Ready) -> bool:
    try:
        return when is None or when(one.document)
    except NaveError:
        return True  # it would be a dead letter, which is another way too


def _plain(made: Any) -> str:
    return made.code if isinstance(made, NaveError) else encode(made)


def apply_rules(hub: Hub, progress: Progress) -> Changes:
    """Make the store as the folder's rules say, step by step; called again after a crash, it goes on where it was."""
    with hub.store.read() as tx:
        found = changes(tx, hub)
    for name in found.entities:
        while not (step := _advance(hub, name)).finished:
            progress(step.phase, step.done)
    for name in found.sinks:
        while done := _renew_some(hub, hub.sinks[name]):
            progress(name, done)
    hub.hints.announce(hub.sinks)
    return found


def _advance(hub: Hub, name: str) -> planning.Step:
    return planning.advance(hub.store, hub.entities[name], hub.clock(), hub.ids, entities=hub.entities)


def _renew_some(hub: Hub, flow: SinkFlow) -> int:
    """Make due again what some records of one sink come to in the new way; 0 when all of them are done."""
    name = _sink_rule(flow.name)
    with hub.store.write() as tx:
        kept = planning.kept(tx)[name]
        begun = kept.applying if kept.applying and kept.applying["to"] == flow.rule else {}
        at: dict[str, Any] = {"to": flow.rule, "after": 0, "others": _others(kept, flow.rule), **begun}
        page = _settled(tx, flow.name, at["after"])
        if not page:
            planning.keep(tx, name, flow.rule, hub.clock())
            return 0
        different = _compared(tx, flow, _ways(kept, flow), page)
        planning.renew(tx, flow.name, [one.record_id for one, _, _ in different], hub.clock())
        planning.keep(tx, name, kept.text, hub.clock(), at | {"after": page[-1].record_id})
    return len(page)
