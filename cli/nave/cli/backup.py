"""`nave backup` copies an SQLite store while a hub works on it; `nave db restored` readies one that was put back."""

from __future__ import annotations

import getpass
from pathlib import Path

import sqlalchemy as sa

from nave.cli import exits
from nave.cli.failures import Stop
from nave.cli.hubs import opened_hub, read
from nave.cli.lock import held
from nave.cli.session import Session
from nave.core import audit
from nave.core.repair import Actor, note
from nave.core.restore import raise_versions
from nave.core.store.copying import copy_store
from nave.workers.sweep import free_all_leases


def backup(session: Session, *, file: Path) -> None:
    """Write a copy that can be put into the store's place."""
    config = read(session).partial
    scheme, _, path = config.store.partition("://")
    if not scheme.startswith("sqlite"):
        raise Stop(exits.USAGE, "NAVE-E222")
    if file.exists():
        raise Stop(exits.REFUSED, "NAVE-E223", file=file)
    database = sa.make_url(f"sqlite://{path}").database or ""
    size = copy_store(config.folder / database, file.absolute())
    data = {"hub": config.name, "file": str(file), "bytes": size}
    session.answer(data, [session.words("backup.done", hub=config.name, file=file, size=f"{size:,}")])


def restored(session: Session, *, actor: str | None) -> None:
    """To be called once, after a restore and before the first start."""
    with opened_hub(session) as (config, hub), held(hub.folder):
        blind = [name for name, flow in hub.sinks.items() if not flow.idempotent]
        with hub.store.write() as tx:
            count = raise_versions(tx, blind)
            end = audit.last(tx)
            who = Actor(actor or getpass.getuser(), hub.clock, hub.ids)
            note(tx, who, "store.restored", hub.name, {"records": count, "audit": end.place})
        if hub.heads is not None:
            hub.heads.restored(end.place, hub.clock())
        free_all_leases(hub)
    session.answer(
        {"hub": config.name, "records": count}, [session.words("db.restored", hub=config.name, count=f"{count:,}")]
    )
