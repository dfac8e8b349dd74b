"""Connectors `epcis` and `lines`: events that others capture in the hub, and scanners that say one code in a line.

What listens and what decodes is loaded when something is opened.
"""

from __future__ import annotations

from nave.connectors.autoid.options import EpcisOptions, EpcisSourceOptions, LinesOptions, LinesSourceOptions
from nave.core.protocols import ConnectorSpec, Setting, Source


def _lines(connection: LinesOptions, options: LinesSourceOptions, setting: Setting) -> Source:
    from nave.connectors.autoid.source import LinesSource

    return LinesSource(connection, options, setting)


def _check(connection: LinesOptions, setting: Setting) -> None:
    from nave.connectors.autoid.source import check

    check(connection, setting)


EPCIS = ConnectorSpec(
    name="epcis",
    summary="EPCIS 2.0: events in that others capture at /epcis/capture, in JSON-LD or XML",
    options=EpcisOptions,
    source_options=EpcisSourceOptions,
    pushed=True,
)

SPEC = ConnectorSpec(
    name="lines",
    summary="Scanners and readers on TCP: one code in a line, acknowledged when it is safe",
    options=LinesOptions,
    source_options=LinesSourceOptions,
    source=_lines,
    check=_check,
    follows=True,
)
