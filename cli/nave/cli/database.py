"""`nave db upgrade`: brings the tables of the hub's store to the version that this Nave needs."""

from __future__ import annotations

from nave.cli.hubs import opened_store
from nave.cli.session import Session
from nave.core.store.migrate import HEAD


def upgrade(session: Session) -> None:
    """Opening a store upgrades it; this does only that."""
    with opened_store(session) as (config, _):
        session.answer({"hub": config.name, "version": HEAD}, [session.words("db.current", hub=config.name, version=HEAD)])
