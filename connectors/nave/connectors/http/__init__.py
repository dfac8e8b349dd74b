"""Connectors `http` and `rest`: events pushed in through the hub's door, or lists asked for; JSON sent out by both.

libcurl is loaded when something is opened.
"""

from __future__ import annotations

from contextlib import AbstractContextManager

from nave.connectors.http.options import HttpOptions, HttpSinkOptions, HttpSourceOptions
from nave.connectors.http.pull_options import PullOptions
from nave.core.protocols import ConnectorSpec, Probe, Setting, Sink, Source


def _sink(connection: HttpOptions, options: HttpSinkOptions, setting: Setting) -> Sink:
    from nave.connectors.http.sink import HttpSink

    return HttpSink(connection, options, setting)


def _source(connection: HttpOptions, options: PullOptions, setting: Setting) -> Source:
    from nave.connectors.http.source import RestSource

    return RestSource(connection, options, setting)


def _probe(connection: HttpOptions, options: HttpSinkOptions, setting: Setting) -> AbstractContextManager[Probe]:
    from nave.connectors.http.probe import probing

    return probing(connection, options, setting)


def _check(connection: HttpOptions, setting: Setting) -> None:
    from nave.connectors.http.sink import check

    check(connection, setting)


SPEC = ConnectorSpec(
    name="http",
    summary="Web services: events in as CloudEvents or plain JSON, JSON out with an idempotency key",
    options=HttpOptions,
    source_options=HttpSourceOptions,
    sink_options=HttpSinkOptions,
    sink=_sink,
    probe=_probe,
    check=_check,
    pushed=True,
)

REST = ConnectorSpec(
    name="rest",
    summary="Web services that are asked: lists read page by page, JSON out with an idempotency key",
    options=HttpOptions,
    source_options=PullOptions,
    sink_options=HttpSinkOptions,
    source=_source,
    sink=_sink,
    probe=_probe,
    check=_check,
    look=_source,
)
