"""Brings the tables of a store to the version this code knows, through Alembic, which is only loaded when needed.

Two versions of the code may work on one store: the newer one only adds (expand) and leaves the older revision in the
table `compatible`; a later migration takes away what nobody uses any more (contract) and strikes it out there.
"""

from __future__ import annotations

import sqlalchemy as sa

from nave.core.errors import ConfigError
from nave.core.store import bulk
from nave.core.store import schema as t

HEAD = "0001"


def upgrade(connection: sa.Connection) -> None:
    """Create or upgrade the tables; nothing happens when they are current, or newer and fit.

    ConfigError where newer code made tables that this code cannot work with.
    """
    there = current(connection)
    fits = there == HEAD or _fits(connection)
    connection.rollback()
    if fits:
        return
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", "nave.core.store:migrations")
    config.attributes["connection"] = connection
    if there not in {None, *(one.revision for one in ScriptDirectory.from_config(config).walk_revisions())}:
        connection.detach()  # nobody gets this store, so nobody else will close it
        raise ConfigError("NAVE-E012", revision=there, known=HEAD)
    with connection.begin():
        bulk.dialect(connection).serialise(connection, "upgrade")
        command.upgrade(config, "head")


def _fits(connection: sa.Connection) -> bool:
    """Whether the store says that code of our revision may work on it."""
    if not sa.inspect(connection).has_table(t.compatible.name):
        return False
    ours = sa.select(t.compatible.c.revision).where(t.compatible.c.revision == HEAD)
    return connection.execute(ours).first() is not None


def current(connection: sa.Connection) -> str | None:
    """The version of the tables that are there, or None."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
