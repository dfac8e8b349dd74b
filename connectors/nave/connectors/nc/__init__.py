"""Connectors `nc`, `ncc` and `u8`: documents to Yonyou NC's exchange platform, NC Cloud's OpenAPI and U8's EAI.

libcurl, lxml and cryptography are loaded when something is opened.
"""

from __future__ import annotations

from dataclasses import replace

from nave.connectors.nc.options import (
    NccOptions,
    NccSinkOptions,
    NcFilesOptions,
    NcOptions,
    NcSinkOptions,
    U8Options,
    U8SinkOptions,
)
from nave.core.protocols import ConnectorSpec, Setting, Sink


def _nc_sink(connection: NcOptions, options: NcSinkOptions, setting: Setting) -> Sink:
    from nave.connectors.nc.dialects import NC
    from nave.connectors.nc.service import way
    from nave.connectors.nc.sink import BillSink

    return BillSink(NC, connection, options, way(connection, setting))


def _files_sink(connection: NcFilesOptions, options: NcSinkOptions, setting: Setting) -> Sink:
    from nave.connectors.nc.dialects import NC
    from nave.connectors.nc.folders import Folders, versioned
    from nave.connectors.nc.sink import BillSink

    return BillSink(replace(NC, compose=versioned), connection, options, Folders(connection, setting), proven=True)


def _files_check(connection: NcFilesOptions, setting: Setting) -> None:
    from nave.connectors.nc.folders import check

    check(connection, setting)


def _u8_sink(connection: U8Options, options: U8SinkOptions, setting: Setting) -> Sink:
    from nave.connectors.nc.dialects import U8 as DIALECT
    from nave.connectors.nc.sink import BillSink
    from nave.connectors.nc.wire import servlet

    return BillSink(DIALECT, connection, options, servlet(connection, setting))


def _ncc_sink(connection: NccOptions, options: NccSinkOptions, setting: Setting) -> Sink:
    from nave.connectors.nc.ncc import NccSink

    return NccSink(connection, options, setting)


def _ncc_check(connection: NccOptions, setting: Setting) -> None:
    from nave.connectors.nc.ncc import check

    check(connection, setting)


def _check(connection: NcOptions | U8Options, setting: Setting) -> None:
    from nave.connectors.nc.sink import check

    check(connection, setting)


SPEC = ConnectorSpec(
    name="nc",
    summary="Yonyou NC 5x, 6x and NCC: documents to the exchange platform over HTTP, each booked once",
    options=NcOptions,
    sink_options=NcSinkOptions,
    sink=_nc_sink,
    check=_check,
)

FILES = ConnectorSpec(
    name="ncfiles",
    summary="Yonyou NC 5x, 6x and NCC: documents into a folder that the exchange platform imports, receipts out of another",
    options=NcFilesOptions,
    sink_options=NcSinkOptions,
    sink=_files_sink,
    check=_files_check,
)

U8 = ConnectorSpec(
    name="u8",
    summary="Yonyou U8: documents to its EAI over HTTP",
    options=U8Options,
    sink_options=U8SinkOptions,
    sink=_u8_sink,
    check=_check,
)

NCC = ConnectorSpec(
    name="ncc",
    summary="Yonyou NC Cloud: calls of its OpenAPI, with token and signatures",
    options=NccOptions,
    sink_options=NccSinkOptions,
    sink=_ncc_sink,
    check=_ncc_check,
)
