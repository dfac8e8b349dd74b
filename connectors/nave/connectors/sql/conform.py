"""What the conformance kit is told of `sql`: tables of its own on a real PostgreSQL server, reached through the proxy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import URL, Engine, create_engine, make_url

from nave.connectors.conformance import LISTED, At, SinkWay, SourceWay, StreamConformance, World
from nave.connectors.sql import SPEC

_PREFIX = "nave_conform_"
_COLUMNS = "code varchar(40), name varchar(80), version bigint, state int default 0, id varchar(80)"


class _Database:
    """One database; it is asked past the proxy."""

    def __init__(self, url: URL, engine: Engine) -> None:
        self.host, self.port = str(url.host), url.port or 5432
        self._url, self._engine = url, engine

    @property
    def ways(self) -> Sequence[SinkWay | SourceWay]:
        """An upsert, an interface table, and a read by watermark."""
        return (
            SinkWay(
                "table",
                {"en": "Sink, a table (`key`, `version`)", "zh": "去向：数据表（`key`、`version`）"},
                self._connection,
                lambda at: {"table": _PREFIX + at.name, "key": "code", "version": "version"},
            ),
            SinkWay(
                "interface",
                {"en": "Sink, an interface table (`interface`)", "zh": "去向：接口表（`interface`）"},
                self._connection,
                lambda at: {
                    "table": _PREFIX + at.name,
                    "interface": {"id": "id", "status": "state", "confirm": False},
                },
            ),
            SourceWay(
                "since",
                {"en": "Source, by watermark (`since`)", "zh": "来源：按水位读取（`since`）"},
                self._connection,
                lambda at: {
                    "query": f"select code, name, version from {_PREFIX}{at.name} where version > :since order by version",
                    "since": {"column": "version", "start": 0},
                    "batch": 2,
                },
                begins=0,
            ),
        )

    def _connection(self, at: At) -> Mapping[str, Any]:
        url = self._url.set(host=at.host, port=at.port).render_as_string(hide_password=False)
        return {"url": url, "connect": f"{at.seconds}s", "answer": f"{at.seconds}s", "pool": 1}

    def begin(self, name: str) -> None:
        """No unique index but the interface table's: what comes twice is to be seen."""
        unique = ", unique (id)" if name.startswith("interface") else ""
        with self._engine.begin() as connection:
            connection.exec_driver_sql(f"drop table if exists {_PREFIX}{name}")
            connection.exec_driver_sql(f"create table {_PREFIX}{name} ({_COLUMNS}{unique})")
            if name.startswith("since"):
                rows = [(one["code"], one["name"], number) for number, one in enumerate(LISTED, start=1)]
                connection.exec_driver_sql(f"insert into {_PREFIX}{name} (code, name, version) values (%s, %s, %s)", rows)

    def effects(self, name: str) -> Mapping[str, int]:
        """Rows by code."""
        with self._engine.connect() as connection:
            found = connection.exec_driver_sql(f"select code, count(*) from {_PREFIX}{name} group by code")
            return {str(code): int(count) for code, count in found}

    def end(self, name: str) -> None:
        """Wait no longer than a moment for a transaction of a connection that was cut."""
        with self._engine.begin() as connection:
            connection.exec_driver_sql("set local lock_timeout = '10s'")
            connection.exec_driver_sql(f"drop table if exists {_PREFIX}{name}")


@contextmanager
def _world(config: Mapping[str, Any]) -> Iterator[World]:
    url = make_url(str(config["url"])).set(drivername="postgresql+psycopg")
    engine = create_engine(url, hide_parameters=True)
    try:
        yield _Database(url, engine)
    finally:
        engine.dispose()


CONFORMANCE = StreamConformance(SPEC, _world, {"url": "postgresql://user:password@host/base"}, limit=12.0)
