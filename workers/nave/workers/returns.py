"""Binds where a source's receipts and rejects go: its own folder, and whoever is told through a connection."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from nave.config import HubConfig, SourceConfig
from nave.config.receipts import BESIDE
from nave.config.shapes import AddressConfig
from nave.core.protocols import Setting
from nave.workers.flows import Address, Form, OutboundMapping, Returns
from nave.workers.stopping import mark_of


def returns_of(
    config: HubConfig, source: SourceConfig, arguments: tuple[Any, Any, Setting], mapping: OutboundMapping | None
) -> Returns | None:
    """Where what became of a source's lines is told; None where nobody asked for it."""
    connection, options, setting = arguments
    receipt, spec = source.receipt, source.connection.spec
    rows = spec.report(connection, options, setting) if spec.report else None
    if receipt is None and source.rejects is None and rows is None:
        return None
    file = receipt.file if receipt else None
    return Returns(
        zone=config.systems[source.system].time_zone,
        layout=getattr(options, "format", None),
        shelf=partial(spec.shelf, connection, options, setting) if spec.shelf else None,
        archive=getattr(options, "archive", "archive"),
        receipt="" if file == BESIDE else file,
        receipt_format=receipt.format if receipt else "json",
        rejects=source.rejects.folder if source.rejects else None,
        rows=rows,
        addresses={kind: _address(kind, one, setting, mapping) for kind, one in source.addresses.items()},
    )


def _address(kind: str, told: AddressConfig, setting: Setting, mapping: OutboundMapping | None) -> Address:
    connection, options = told.connection.options, told.options
    sink = told.connection.spec.sink
    assert sink is not None
    own = replace(setting, name=f"{setting.name}.{kind}", weigh=None)
    form = Form(mapping, told.each == "line", told.when == "complete") if told.mapping and mapping else None
    return Address(partial(sink, connection, options, own), kind == "table", mark_of(connection, options), form)
