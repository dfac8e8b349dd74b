"""Connector `sql`: tables and queries of a database, through SQLAlchemy, which is imported when something is opened."""

from __future__ import annotations

from nave.connectors.sql.options import SqlOptions, SqlSinkOptions, SqlSourceOptions
from nave.core.protocols import ConnectorSpec, Extent, Setting, Sink, Source


def _source(connection: SqlOptions, options: SqlSourceOptions, setting: Setting) -> Source:
    from nave.connectors.sql.source import SqlSource

    return SqlSource(connection, options, setting)


def _sink(connection: SqlOptions, options: SqlSinkOptions, setting: Setting) -> Sink:
    if options.call is not None:
        from nave.connectors.sql.procedure import ProcedureSink

        return ProcedureSink(connection, options, setting)
    if options.interface is not None:
        from nave.connectors.sql.outbox import InterfaceSink

        return InterfaceSink(connection, options, setting)
    from nave.connectors.sql.sink import SqlSink

    return SqlSink(connection, options, setting)


def _extent(options: SqlSourceOptions) -> Extent:
    return Extent.ALL if options.since is None and options.interface is None else Extent.PART


def _check(connection: SqlOptions, setting: Setting) -> None:
    from nave.connectors.sql.engine import check

    check(connection, setting)


SPEC = ConnectorSpec(
    name="sql",
    summary="A database: rows by query, watermark or interface table, with children; upserts, interface tables, procedures",
    options=SqlOptions,
    source_options=SqlSourceOptions,
    sink_options=SqlSinkOptions,
    source=_source,
    sink=_sink,
    check=_check,
    extent=_extent,
)
