"""Connector `memory`: a system inside this process, for tests, examples and dry runs."""

from __future__ import annotations

from nave.connectors.memory.options import MemoryOptions, MemorySinkOptions, MemorySourceOptions
from nave.connectors.memory.sink import MemorySink, probing
from nave.connectors.memory.source import MemorySource
from nave.core.protocols import ConnectorSpec

SPEC = ConnectorSpec(
    name="memory",
    summary="A system inside this process: records from a list, records into a table that tests can look at",
    options=MemoryOptions,
    source_options=MemorySourceOptions,
    sink_options=MemorySinkOptions,
    source=MemorySource,
    sink=MemorySink,
    probe=probing,
)
