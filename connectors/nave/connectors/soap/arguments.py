"""What an operation is called with: the record as typed values or as one text, and what the configuration adds."""

from __future__ import annotations

import io
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from nave.connectors.soap.options import Payload, SoapSinkOptions
from nave.core.protocols import Outbound
from nave.formats import XmlFormat, write


def sent(record: Outbound, options: SoapSinkOptions) -> dict[str, Any]:
    """The arguments for a record; a PermanentError for one that the payload's format cannot hold."""
    said: dict[str, Any] = filled(options.arguments, record)
    if options.payload is not None:
        said[options.payload.argument] = _text(record.values, options.payload)
    elif options.into is not None:
        said[options.into] = typed(record.values)
    else:
        said = {**typed(record.values), **said}
    return said


def filled(arguments: Mapping[str, str], record: Outbound) -> dict[str, str]:
    """Texts with the record's key and version in them."""
    return {
        name: text.format(
            key=record.key,
            version=record.version,
            remote_key=record.remote_key or record.key,
            idempotency_key=record.idempotency_key,
        )
        for name, text in arguments.items()
    }


def typed(values: Mapping[str, Any]) -> dict[str, Any]:
    """As zeep takes it: what is not there is left out, so that an optional element does not come empty."""
    return {name: _typed(value) for name, value in values.items() if value is not None}


def _typed(value: Any) -> Any:
    if isinstance(value, Mapping):
        return typed(value)
    if isinstance(value, list | tuple):
        return [_typed(one) for one in value]
    return format(value, "f") if isinstance(value, Decimal) else value


def _text(values: Mapping[str, Any], payload: Payload) -> str:
    if payload.type == "json":
        return msgspec.json.Encoder(decimal_format="number").encode(values).decode()
    stream = io.BytesIO()
    write([values], stream, XmlFormat(record=payload.record))
    return stream.getvalue().decode()
