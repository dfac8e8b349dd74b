"""The same tests on every database that the connector `sql` is proved against."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from nave.connectors.sql.engine import engine
from nave.connectors.sql.options import SqlOptions
from nave.core.protocols import Setting

SETTING = Setting("erp.customers", Path())


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def every_database(request: pytest.FixtureRequest, tmp_path: Path) -> SqlOptions:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return SqlOptions.model_validate({"url": f"sqlite:///{tmp_path / 'erp.db'}", "busy": "50ms"})
    return SqlOptions(url=request.getfixturevalue({"postgresql": "postgres_url", "mariadb": "mariadb_url"}[request.param]))


def run(options: SqlOptions, *statements: str, rows: Sequence[tuple[Any, ...]] = ()) -> list[Any]:
    """What the last of the statements gives; with `rows`, a ? stands for a value."""
    opened = engine(options, SETTING)
    mark = "?" if opened.dialect.name == "sqlite" else "%s"
    with opened.begin() as connection:
        for statement in statements:
            text = statement.replace("?", mark) if rows else statement
            result = connection.exec_driver_sql(text, list(rows) if rows else None)
        found = [tuple(row) for row in result] if result.returns_rows else []
    opened.dispose()
    return found
