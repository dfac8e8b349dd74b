"""Brings the tables of a store to the version this code knows, through Alembic, which is only loaded when needed."""

from __future__ import annotations

import sqlalchemy as sa

from nave.core.store import bulk

HEAD = "0001"


def upgrade(connection: sa.Connection) -> None:
    """Create or upgrade the tables; nothing happens when they are current."""
    if current(connection) == HEAD:
        connection.rollback()
        return
    connection.rollback()
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "nave.core.store:migrations")
    config.attributes["connection"] = connection
    with connection.begin():
        bulk.dialect(connection).serialise(connection, "upgrade")
        command.upgrade(config, "head")


def current(connection: sa.Connection) -> str | None:
    """The version of the tables that are there, or None."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
