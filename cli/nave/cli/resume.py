"""`nave sink resume` and `nave source resume`: somebody has looked at a login that was refused, and it may be tried once."""

from __future__ import annotations

import getpass
from collections.abc import Sequence

from nave.cli import exits
from nave.cli.hubs import known, opened_hub
from nave.cli.session import Session
from nave.core import stops
from nave.core.receipts import ADDRESSES
from nave.core.repair import Actor, note
from nave.workers.flows import Hub


def resume_sink(session: Session, *, name: str, actor: str | None) -> int:
    """Let a sink try again; nothing happens where it was not stopped."""
    with opened_hub(session) as (_, hub):
        name = known(name, hub.sinks, "NAVE-K255")
        return _resume(session, hub, name, [name], actor)


def resume_source(session: Session, *, name: str, actor: str | None) -> int:
    """Let a source try again, and whoever its receipts are told to; nothing happens where nothing was stopped."""
    with opened_hub(session) as (_, hub):
        name = known(name, hub.sources, "NAVE-E202")
        return _resume(session, hub, name, [name, *(f"{name}.{kind}" for kind in ADDRESSES)], actor)


def _resume(session: Session, hub: Hub, name: str, flows: Sequence[str], actor: str | None) -> int:
    with hub.store.write() as tx:
        found = stops.stopped(tx, flows)
        for one in found:
            stops.let_try(tx, one.flow)
            note(tx, Actor(actor or getpass.getuser(), hub.clock, hub.ids), "resume", one.flow, {"code": one.code})
    was = found[0] if found else None
    data = {"name": name, "resumed": was is not None, "code": was.code if was else None}
    session.answer(data, [session.words("resume.done" if was else "resume.nothing", name=name)])
    return exits.FINE
