"""Connector `sql`: tables and queries of a database, through SQLAlchemy, which is imported when something is opened."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from nave.connectors.sql.options import SqlOptions, SqlSinkOptions, SqlSourceOptions
from nave.core.protocols import Capturing, ConnectorSpec, Extent, Reporting, Setting, Sink, Source


def _source(connection: SqlOptions, options: SqlSourceOptions, setting: Setting) -> Source:
    from nave.connectors.sql.source import SqlSource

    return SqlSource(connection, options, setting)


def _look(connection: SqlOptions, options: SqlSourceOptions, setting: Setting) -> Source:
    """An interface table and one with triggers are read as any other: no row is taken, no log is cut."""
    return _source(connection, options.model_copy(update={"interface": None, "capture": None}), setting)


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
    every = options.since is None and options.interface is None and options.capture is None
    return Extent.ALL if every else Extent.PART


def _check(connection: SqlOptions, setting: Setting) -> None:
    from nave.connectors.sql.engine import check

    check(connection, setting)


def _capture(connection: SqlOptions, setting: Setting) -> AbstractContextManager[Capturing]:
    from nave.connectors.sql.install import Installing

    return Installing(connection, setting)


def _report(
    connection: SqlOptions, options: SqlSourceOptions, setting: Setting
) -> Callable[[], AbstractContextManager[Reporting]] | None:
    if options.interface is None or options.interface.report == "landed":
        return None

    def opened() -> AbstractContextManager[Reporting]:
        from nave.connectors.sql.report import reporting

        return reporting(connection, options, setting)

    return opened


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
    capture=_capture,
    look=_look,
    report=_report,
)
