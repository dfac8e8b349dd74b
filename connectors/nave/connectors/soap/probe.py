"""Asks the target whether it has a record at its version: an unknown outcome is settled before anything is sent again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from nave.connectors.soap import options as o
from nave.connectors.soap.answers import fault_of
from nave.connectors.soap.arguments import filled
from nave.connectors.soap.plain import opened, text_at
from nave.connectors.soap.service import Operation, Service
from nave.connectors.wording import short
from nave.core.errors import ConfigError, RetryableError, UnknownOutcome
from nave.core.protocols import Outbound, Outcome, Probe, Receipt, Setting


@contextmanager
def probing(connection: o.SoapOptions, options: o.SoapSinkOptions, setting: Setting) -> Iterator[Probe]:
    """A probe that keeps its connection; a ConfigError where the sink has no `probe`."""
    wanted = options.probe
    if wanted is None:
        raise ConfigError("NAVE-K230", name=setting.name)
    with Service(connection, setting) as service:
        operation = service.operation(wanted.operation)

        def probe(record: Outbound) -> Receipt | None:
            try:
                return _ask(operation, wanted, options, record, connection.url)
            except UnknownOutcome as error:
                params: dict[str, Any] = dict(error.params)
                raise RetryableError(error.code, **params) from error  # asking again does no harm

        yield probe


def _ask(operation: Operation, wanted: o.Probe, options: o.SoapSinkOptions, record: Outbound, url: str) -> Receipt | None:
    told = operation(filled(wanted.arguments, record))
    if told.faulted:
        if any(code in wanted.missing for code in told.codes):
            return None
        raise fault_of(told)
    values = opened(told.values, wanted.answer, url)
    key = text_at(values, wanted.found)
    if key is None:
        return None
    if wanted.version_path is not None:
        held = text_at(values, wanted.version_path) or ""
        if not (held.isascii() and held.isdecimal()):
            raise ConfigError("NAVE-K231", path=wanted.version_path, said=short(held or "-"))
        if int(held[:30]) < record.version:
            return None
    return Receipt(
        Outcome.DUPLICATE, (text_at(values, options.key_path) if options.key_path else None) or record.remote_key or key
    )
