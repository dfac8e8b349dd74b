"""Connector `amqp`: RabbitMQ queues read and exchanges written to; its client is loaded when something is opened."""

from __future__ import annotations

from nave.connectors.amqp.options import AmqpOptions, AmqpSinkOptions, AmqpSourceOptions
from nave.core.protocols import ConnectorSpec, Setting, Sink, Source


def _source(connection: AmqpOptions, options: AmqpSourceOptions, setting: Setting) -> Source:
    from nave.connectors.amqp.source import AmqpSource

    return AmqpSource(connection, options, setting)


def _look(connection: AmqpOptions, options: AmqpSourceOptions, setting: Setting) -> Source:
    from nave.connectors.amqp.glance import Glance

    return Glance(connection, options, setting)


def _sink(connection: AmqpOptions, options: AmqpSinkOptions, setting: Setting) -> Sink:
    from nave.connectors.amqp.sink import AmqpSink

    return AmqpSink(connection, options, setting)


def _check(connection: AmqpOptions, setting: Setting) -> None:
    from nave.connectors.amqp.link import check

    check(connection, setting)


SPEC = ConnectorSpec(
    name="amqp",
    summary="RabbitMQ: a queue read as messages arrive, acknowledged after the commit; messages out with confirms",
    options=AmqpOptions,
    source_options=AmqpSourceOptions,
    sink_options=AmqpSinkOptions,
    source=_source,
    sink=_sink,
    check=_check,
    follows=True,
    look=_look,
)
