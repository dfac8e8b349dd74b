"""Records to messages: body, headers and routing key, the same in every attempt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
import pika

from nave.connectors.amqp.options import AmqpSinkOptions
from nave.core.errors import PermanentError
from nave.core.protocols import Outbound, Setting

_SHORT = 255
"""Bytes in what AMQP calls a short string: a routing key, a message id."""


@dataclass(frozen=True, slots=True)
class Letter:
    """One message on its way out."""

    routing_key: str
    body: bytes
    properties: pika.BasicProperties


class Writer:
    """Makes the messages of one sink."""

    def __init__(self, options: AmqpSinkOptions, setting: Setting) -> None:
        self._options = options
        self._source = options.source or f"/nave/{setting.name}"
        self._encode = msgspec.json.Encoder(decimal_format="string" if options.numbers == "text" else "number").encode
        self._fixed_key = options.routing_key if "{" not in options.routing_key else None

    def letter(self, record: Outbound) -> Letter:
        """The message of a record; PermanentError where there can be none."""
        options = self._options
        attributes = self._attributes(record) if options.form != "plain" else {}
        try:
            content = {**attributes, "data": record.values} if options.form == "structured" else record.values
            body = self._encode(content)
        except (TypeError, ValueError, OverflowError, msgspec.MsgspecError) as error:
            raise PermanentError("NAVE-K276", reason=str(error)[:80]) from error
        key = self._routing_key(record)
        if len(body) > options.max_body:
            raise PermanentError("NAVE-K276", reason=f"{len(body)} B > {options.max_body} B")
        if len(key.encode()) > _SHORT or len(record.idempotency_key.encode()) > _SHORT:
            raise PermanentError("NAVE-K276", reason=f"routing key, message id > {_SHORT} B")
        return Letter(key, body, self._properties(record, attributes))

    def _routing_key(self, record: Outbound) -> str:
        if self._fixed_key is not None:
            return self._fixed_key
        fields = {"key": record.key, "version": record.version, "idempotency_key": record.idempotency_key}
        return self._options.routing_key.format_map(fields)

    def _attributes(self, record: Outbound) -> dict[str, Any]:
        return {
            "specversion": "1.0",
            "id": record.idempotency_key,
            "source": self._source,
            "type": self._options.type,
            "subject": record.key,
            "datacontenttype": "application/json",
            "naveversion": str(record.version),
        }

    def _properties(self, record: Outbound, attributes: dict[str, Any]) -> pika.BasicProperties:
        structured = self._options.form == "structured"
        inside = () if structured else (name for name in attributes if name != "datacontenttype")
        headers = {f"ce-{name}": attributes[name] for name in inside}
        return pika.BasicProperties(
            content_type="application/cloudevents+json" if structured else "application/json",
            delivery_mode=pika.DeliveryMode.Persistent.value,
            message_id=record.idempotency_key,
            correlation_id=record.key if len(record.key.encode()) <= _SHORT else None,
            headers=headers,
            type=self._options.type if not structured else None,
        )
