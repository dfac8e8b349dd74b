"""Connector `tryton`: rows of Tryton's models, both ways, over its REST or JSON-RPC interface.

libcurl is loaded when something is opened.
"""

from __future__ import annotations

from contextlib import AbstractContextManager

from nave.connectors.tryton.options import TrytonOptions, TrytonSinkOptions, TrytonSourceOptions
from nave.core.protocols import ConnectorSpec, Extent, Probe, Setting, Sink, Source

_LOOK = 20
"""Rows that a look asks for at once."""


def _source(connection: TrytonOptions, options: TrytonSourceOptions, setting: Setting) -> Source:
    from nave.connectors.tryton.source import TrytonSource

    return TrytonSource(connection, options, setting)


def _look(connection: TrytonOptions, options: TrytonSourceOptions, setting: Setting) -> Source:
    """What is read changes nothing in Tryton; so a look is a short read from the beginning."""
    return _source(connection, options.model_copy(update={"batch": min(options.batch, _LOOK), "snapshot": True}), setting)


def _sink(connection: TrytonOptions, options: TrytonSinkOptions, setting: Setting) -> Sink:
    from nave.connectors.tryton.sink import TrytonSink

    return TrytonSink(connection, options, setting)


def _probe(connection: TrytonOptions, options: TrytonSinkOptions, setting: Setting) -> AbstractContextManager[Probe]:
    from nave.connectors.tryton.probe import probing

    return probing(connection, options, setting)


def _check(connection: TrytonOptions, setting: Setting) -> None:
    from nave.connectors.tryton.peer import Peer

    with Peer(connection, setting) as peer:
        peer.fields("res.user", ["id"])


def _extent(options: TrytonSourceOptions) -> Extent:
    return Extent.ALL if options.snapshot else Extent.PART


def _once(options: TrytonSinkOptions) -> frozenset[str]:
    return frozenset({options.key}) if options.key_once else frozenset()


def _puts_away(options: TrytonSinkOptions) -> frozenset[str]:
    return frozenset({"active"}) if options.retired == "deactivate" else frozenset()


SPEC = ConnectorSpec(
    name="tryton",
    summary="Tryton 8: rows of its models with their children, by moment of change or whole; written by a key of our own",
    options=TrytonOptions,
    source_options=TrytonSourceOptions,
    sink_options=TrytonSinkOptions,
    source=_source,
    sink=_sink,
    probe=_probe,
    check=_check,
    extent=_extent,
    once=_once,
    puts_away=_puts_away,
    look=_look,
)
