"""Connector `beside`: the application that a hub lives in, which publishes and takes changes in its own transactions.

Nothing is reached by this connector. What the application does with its sources and sinks is in `nave.beside`; here they
only have names, options and a place in the hub's files, so that mappings and rules apply to them as to all others.
"""

from __future__ import annotations

from nave.connectors.beside.options import BesideOptions, BesideSinkOptions, BesideSourceOptions
from nave.connectors.beside.sink import BesideSink
from nave.connectors.beside.source import BesideSource
from nave.core.protocols import ConnectorSpec

SPEC = ConnectorSpec(
    name="beside",
    summary="The application that the hub lives in: records published, and changes taken, in its own transactions",
    options=BesideOptions,
    source_options=BesideSourceOptions,
    sink_options=BesideSinkOptions,
    source=BesideSource,
    sink=BesideSink,
    follows=True,
)
