"""Connector `faulty`: `memory` with faults on demand, to see what the hub does about them."""

from __future__ import annotations

from nave.connectors.faulty.options import FaultyOptions, FaultySinkOptions, FaultySourceOptions
from nave.connectors.faulty.sink import FaultySink, probing
from nave.connectors.faulty.source import FaultySource
from nave.core.protocols import ConnectorSpec

SPEC = ConnectorSpec(
    name="faulty",
    summary="A system inside this process that fails, repeats, reorders, refuses or forgets to answer, as told",
    options=FaultyOptions,
    source_options=FaultySourceOptions,
    sink_options=FaultySinkOptions,
    source=FaultySource,
    sink=FaultySink,
    probe=probing,
)
