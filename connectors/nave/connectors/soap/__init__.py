"""Connector `soap`: calls the operations of a web service; zeep and libcurl are loaded when something is opened."""

from __future__ import annotations

from contextlib import AbstractContextManager

from nave.connectors.soap.options import SoapOptions, SoapSinkOptions, SoapSourceOptions
from nave.core.protocols import ConnectorSpec, Probe, Setting, Sink, Source


def _source(connection: SoapOptions, options: SoapSourceOptions, setting: Setting) -> Source:
    from nave.connectors.soap.source import SoapSource

    return SoapSource(connection, options, setting)


def _sink(connection: SoapOptions, options: SoapSinkOptions, setting: Setting) -> Sink:
    from nave.connectors.soap.sink import SoapSink

    return SoapSink(connection, options, setting)


def _probe(connection: SoapOptions, options: SoapSinkOptions, setting: Setting) -> AbstractContextManager[Probe]:
    from nave.connectors.soap.probe import probing

    return probing(connection, options, setting)


def _check(connection: SoapOptions, setting: Setting) -> None:
    from nave.connectors.soap.service import Service

    with Service(connection, setting) as service:
        service.reach()


SPEC = ConnectorSpec(
    name="soap",
    summary="Web services in SOAP: a pinned WSDL, typed arguments or one text with XML or JSON inside",
    options=SoapOptions,
    source_options=SoapSourceOptions,
    sink_options=SoapSinkOptions,
    source=_source,
    sink=_sink,
    probe=_probe,
    check=_check,
    look=_source,
)
