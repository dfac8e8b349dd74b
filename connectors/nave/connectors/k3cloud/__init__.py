"""Connector `k3cloud`: bills and base data of Kingdee K/3 Cloud (云星空), both ways, over its WebAPI.

libcurl is loaded when something is opened.
"""

from __future__ import annotations

from nave.connectors.k3cloud.options import K3Options, K3SinkOptions, K3SourceOptions
from nave.core.protocols import ConnectorSpec, Extent, Setting, Sink, Source


def _source(connection: K3Options, options: K3SourceOptions, setting: Setting) -> Source:
    from nave.connectors.k3cloud.source import K3Source

    return K3Source(connection, options, setting)


def _sink(connection: K3Options, options: K3SinkOptions, setting: Setting) -> Sink:
    from nave.connectors.k3cloud.sink import K3Sink

    return K3Sink(connection, options, setting)


def _check(connection: K3Options, setting: Setting) -> None:
    from nave.connectors.k3cloud.wire import Wire

    with Wire(connection, setting) as wire:
        wire.enter()


def _extent(options: K3SourceOptions) -> Extent:
    return Extent.ALL if options.snapshot else Extent.PART


SPEC = ConnectorSpec(
    name="k3cloud",
    summary="Kingdee K/3 Cloud: bills and base data asked for with ExecuteBillQuery, and saved by number over its WebAPI",
    options=K3Options,
    source_options=K3SourceOptions,
    sink_options=K3SinkOptions,
    source=_source,
    sink=_sink,
    check=_check,
    extent=_extent,
    look=_source,
)
