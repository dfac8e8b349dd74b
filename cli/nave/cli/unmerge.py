"""`nave unmerge`: take source records out of a golden record, after showing all that this changes."""

from __future__ import annotations

import getpass
from collections.abc import Sequence

import click

from nave.cli import exits
from nave.cli.failures import Stop
from nave.cli.hubs import opened_hub
from nave.cli.impacts import impact_lines
from nave.cli.naming import shown, the_record
from nave.cli.outward import desk
from nave.cli.records import split
from nave.cli.session import Session
from nave.config import HubConfig
from nave.core.clock import id_text
from nave.core.identity import Name
from nave.core.impact import Impact, impact_data
from nave.core.store import Transaction
from nave.core.unmerging import Done, Plan, carry_out, foresee, unmerging
from nave.core.views import Golden, find
from nave.workers.flows import Hub


def unmerge(
    session: Session,
    *,
    what: str,
    names: Sequence[str],
    reason: str,
    dry_run: bool,
    yes: bool,
    actor: str | None,
) -> int:
    """Show what would happen, ask, and do it; 5 where nobody agreed."""
    with opened_hub(session) as (config, hub):
        board = desk(config, hub)
        with hub.store.write() as tx:
            plan = _plan(tx, config, what, names, actor or getpass.getuser(), reason)
            seen = foresee(tx, board, plan)
        if not agreed(session, config, seen, "unmerge", dry_run=dry_run, yes=yes):
            return exits.FINE if dry_run else exits.REFUSED
        done = as_foreseen(hub, config, plan, seen)
    tell_done(session, config, done)
    return exits.PARTLY if done.impact.unmet else exits.FINE


def _plan(tx: Transaction, config: HubConfig, what: str, names: Sequence[str], actor: str, reason: str) -> Plan:
    entity, key = split(what, config.entities)
    leave = list(dict.fromkeys(the_record(tx, entity, name) for name in names))
    golden = _golden(tx, entity, key, leave)
    inside = _inside(golden)
    stay = [name for name in inside if name not in leave]
    if not stay or any(name not in inside for name in leave):
        listed = ", ".join(map(shown, inside))
        raise Stop(exits.USAGE, "NAVE-E102", name=what[:80], names=listed)
    return unmerging(entity, stay, leave, actor, reason)


def _golden(tx: Transaction, entity: str, key: str, leave: Sequence[Name]) -> Golden:
    """The golden record that is meant: by its id, by a key, or by SYSTEM:KEY."""
    records = find(tx, entity, key)
    if not records:
        name = the_record(tx, entity, key)
        records = [one for one in find(tx, entity, name[1]) if name in _inside(one)]
    if len(records) > 1:
        # A key that several golden records have: the one is meant that holds what shall leave it.
        records = [one for one in records if {*leave} <= {*_inside(one)}] or records
    if len(records) > 1:
        listed = ", ".join(f"{one.entity}/{id_text(one.id)}" for one in records)
        raise Stop(exits.USAGE, "NAVE-E210", count=len(records), ids=listed)
    return records[0]


def _inside(golden: Golden) -> list[Name]:
    return [(one.system, one.key) for one in golden.keys]


def agreed(session: Session, config: HubConfig, seen: Impact, verb: str, *, dry_run: bool, yes: bool) -> bool:
    """Show what would happen, and ask whether it shall; only `--yes` goes on where nobody can be asked."""
    hidden = config.entities[seen.entity].sensitive
    if session.human:
        for line in impact_lines(seen, session.page, hidden, done=False):
            click.echo(line)
        click.echo()
    if yes and not dry_run:
        return True
    if not session.human:
        session.answer({"done": False, "impact": impact_data(seen, hidden, done=False)}, ())
        return False
    if dry_run:
        session.remark("impact.dry_run")
        return False
    if not session.prompting:
        raise Stop(exits.REFUSED, "NAVE-E212")
    if not click.confirm(session.words(f"impact.ask.{verb}"), err=True):
        raise Stop(exits.REFUSED, "NAVE-E212")
    return True


def as_foreseen(hub: Hub, config: HubConfig, plan: Plan, seen: Impact) -> Done:
    """Carry the plan out, if it still does what was shown; a Stop where it would do something else by now."""
    with hub.store.write() as tx:
        done = carry_out(tx, desk(config, hub), plan)
        if done.impact.mark != seen.mark:
            raise Stop(exits.REFUSED, "NAVE-E103")
    hub.hints.announce(["apply", *done.sinks])
    return done


def tell_done(session: Session, config: HubConfig, done: Done) -> None:
    """What was done, and how it is undone."""
    hidden = config.entities[done.impact.entity].sensitive
    number = id_text(done.action)
    lines = [session.words("impact.done", id=number)]
    if done.impact.kept:
        lines.append(session.words.counted("impact.kept_done", len(done.impact.kept), id=number))
    session.answer({"done": True, "action": number, "impact": impact_data(done.impact, hidden, done=True)}, lines)
