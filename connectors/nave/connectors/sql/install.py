"""Makes and removes what change capture needs in a database: shown first, then run in one transaction where there is one."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType

from sqlalchemy import Engine

from nave.connectors.sql.engine import engine
from nave.connectors.sql.errors import translating
from nave.connectors.sql.logtable import captured, owned
from nave.connectors.sql.options import SqlOptions
from nave.connectors.sql.select import plain
from nave.connectors.sql.triggers import install, patience, remove, trigger_names
from nave.core.protocols import Setting


class Installing:
    """One database whose tables are to be watched, or no longer."""

    def __init__(self, connection: SqlOptions, setting: Setting) -> None:
        self._connection = connection
        self._setting = setting
        self._engine: Engine | None = None

    def __enter__(self) -> Installing:
        self._engine = engine(self._connection, self._setting)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    def statements(self, table: str, key: Sequence[str], *, gone: bool) -> Sequence[str]:
        """What has to be run for one table; nothing where it is so already. Half an installation is taken away first."""
        assert self._engine is not None
        with translating(self._setting.name), self._engine.connect() as connection:
            one = captured(connection, table, key, self._setting.name)
            there, log = owned(connection, one)
        whole = log and there == trigger_names(one.dialect.name, one.log)
        wanted = [] if whole and not gone else remove(one, triggers=there, table=log)
        wanted += [] if whole or gone else install(one)
        listed = [*patience(one.dialect.name), *wanted] if wanted else []
        return [plain(statement, one.dialect) for statement in listed]

    def run(self, statements: Sequence[str]) -> None:
        """All of them, or none where the database can take its definitions back."""
        assert self._engine is not None
        with translating(self._setting.name), self._engine.connect() as connection:
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("begin immediate")
            doubled = plain("%%", connection.dialect) == "%"
            for statement in statements:
                connection.exec_driver_sql(statement.replace("%", "%%") if doubled else statement)
            connection.commit()
