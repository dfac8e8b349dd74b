"""`nave review merge`, `separate`, `undo` and `approve`: what a steward decides, carried out at once and told in full."""

from __future__ import annotations

import getpass

import click

from nave.cli import exits
from nave.cli.failures import Stop
from nave.cli.hubs import opened_hub
from nave.cli.impacts import impact_lines
from nave.cli.naming import the_records
from nave.cli.outward import desk
from nave.cli.session import Session
from nave.cli.unmerge import tell_done
from nave.config import HubConfig
from nave.core.clock import id_number, id_text
from nave.core.errors import NaveError
from nave.core.impact import impact_data
from nave.core.store import Transaction
from nave.core.unmerging import Done, Plan, approving, carry_out, foresee, merging, separating, undoing
from nave.workers.flows import Hub

_PLANS = {"merge": merging, "separate": separating}


def merge(session: Session, *, one: str, other: str, reason: str, dry_run: bool, actor: str | None) -> int:
    """The two are the same from now on."""
    return _decide(session, "merge", (one, other), reason, actor, dry_run=dry_run)


def separate(session: Session, *, one: str, other: str, reason: str, dry_run: bool, actor: str | None) -> int:
    """The two are not the same from now on."""
    return _decide(session, "separate", (one, other), reason, actor, dry_run=dry_run)


def _decide(session: Session, action: str, texts: tuple[str, str], reason: str, actor: str | None, *, dry_run: bool) -> int:
    with opened_hub(session) as (config, hub):
        with hub.store.write() as tx:
            entity, (a, b) = the_records(tx, config, texts)
            if a == b:
                raise Stop(exits.USAGE, "NAVE-E102", name=texts[0][:80], names=":".join(a))
            plan = _PLANS[action](entity, a, b, actor or getpass.getuser(), reason.strip())
            done = None if dry_run else carry_out(tx, desk(config, hub), plan)
            if done is None:
                return _foretold(session, config, hub, tx, plan)
        _announce(hub, done)
    return _told(session, config, done)


def undo(session: Session, *, number: str, dry_run: bool, actor: str | None) -> int:
    """Take back what was decided under this id."""
    with opened_hub(session) as (config, hub):
        with hub.store.write() as tx:
            plan = undoing(tx, _number(number, "NAVE-E104"), actor or getpass.getuser())
            done = None if dry_run else carry_out(tx, desk(config, hub), plan)
            if done is None:
                return _foretold(session, config, hub, tx, plan)
        _announce(hub, done)
    return _told(session, config, done)


def approve(session: Session, *, number: str, actor: str | None) -> int:
    """Let go what a decision kept back; 5 if the same person asks who decided."""
    with opened_hub(session) as (config, hub):
        with hub.store.write() as tx:
            try:
                kept, sinks = approving(tx, desk(config, hub), _number(number, "NAVE-E106"), actor or getpass.getuser())
            except NaveError as error:
                refused = error.code == "NAVE-E105"
                raise Stop(exits.REFUSED if refused else exits.PROBLEM, error.code, field=None, **error.params) from error
        hub.hints.announce(sinks)
    data = {
        "approved": number,
        "records": [{"entity": one.entity, "id": id_text(one.record_id), "day": one.day} for one in kept],
    }
    session.answer(data, [session.words.counted("review.approved", len(kept))], rows="records")
    return exits.FINE


def _foretold(session: Session, config: HubConfig, hub: Hub, tx: Transaction, plan: Plan) -> int:
    seen = foresee(tx, desk(config, hub), plan)
    hidden = config.entities[plan.entity].sensitive
    data = {"done": False, "impact": impact_data(seen, hidden, done=False)}
    session.answer(data, impact_lines(seen, session.page, hidden, done=False))
    if session.human:
        session.note()
        session.remark("impact.dry_run")
    return exits.FINE


def _announce(hub: Hub, done: Done) -> None:
    hub.hints.announce(["apply", *done.sinks])


def _told(session: Session, config: HubConfig, done: Done) -> int:
    if session.human:
        hidden = config.entities[done.impact.entity].sensitive
        for line in impact_lines(done.impact, session.page, hidden, done=True):
            click.echo(line)
        click.echo()
    tell_done(session, config, done)
    return exits.PARTLY if done.impact.unmet else exits.FINE


def _number(text: str, code: str) -> int:
    number = id_number(text)
    if number is None:
        raise Stop(exits.PROBLEM, code, id=text[:80])
    return number
