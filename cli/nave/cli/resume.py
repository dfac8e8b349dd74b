"""`nave sink resume` and `nave source resume`: somebody has looked at a login that was refused, and it may be tried once."""

from __future__ import annotations

import getpass

from nave.cli import exits
from nave.cli.hubs import known, opened_hub
from nave.cli.session import Session
from nave.core import stops
from nave.core.repair import Actor, note
from nave.workers.flows import Hub


def resume_sink(session: Session, *, name: str, actor: str | None) -> int:
    """Let a sink try again; nothing happens where it was not stopped."""
    with opened_hub(session) as (_, hub):
        return _resume(session, hub, known(name, hub.sinks, "NAVE-K255"), actor)


def resume_source(session: Session, *, name: str, actor: str | None) -> int:
    """Let a source try again; nothing happens where it was not stopped."""
    with opened_hub(session) as (_, hub):
        return _resume(session, hub, known(name, hub.sources, "NAVE-E202"), actor)


def _resume(session: Session, hub: Hub, name: str, actor: str | None) -> int:
    with hub.store.write() as tx:
        was = next(iter(stops.stopped(tx, [name])), None)
        if was is not None:
            stops.let_try(tx, name)
            note(tx, Actor(actor or getpass.getuser(), hub.clock, hub.ids), "resume", name, {"code": was.code})
    data = {"name": name, "resumed": was is not None, "code": was.code if was else None}
    session.answer(data, [session.words("resume.done" if was else "resume.nothing", name=name)])
    return exits.FINE
