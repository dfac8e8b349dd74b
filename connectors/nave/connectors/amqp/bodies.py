"""Messages to records: the body by the source's format, the envelope by the message, whole or not at all."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from io import BytesIO
from typing import Any

import msgspec

from nave.connectors.amqp.attributes import Attributes, checked, from_headers
from nave.connectors.amqp.options import AmqpSourceOptions
from nave.connectors.wording import short
from nave.core.errors import NaveError, PermanentError
from nave.core.protocols import Raw, Refused
from nave.formats import Format, JsonFormat, loads, read

_encode = msgspec.json.Encoder(decimal_format="number").encode
_STRUCTURED = "application/cloudevents+json"
_UNPACKED = ("", "identity", "utf-8", "utf8", "binary")
"""What `content_encoding` may say of a body that is not packed; some clients put the text's encoding there."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message as the broker delivered it."""

    tag: int
    body: bytes
    headers: Mapping[Any, Any] | None = None
    content_type: str | None = None
    content_encoding: str | None = None
    message_id: str | None = None
    correlation_id: str | None = None
    redelivered: bool = False


@dataclass(frozen=True, slots=True)
class Decoded:
    """What one message says; `event` is where its records came from."""

    tag: int
    records: list[Raw]
    refused: list[Refused]
    event: dict[str, Any]
    same: tuple[str, str, bytes] | None
    """Equal for messages that are the same one, told twice; None where a message does not say which one it is."""


def decoded(message: Message, options: AmqpSourceOptions) -> Decoded:
    """Never raises for what a message says: one that cannot be read is refused whole, with its bytes as text."""
    attributes: Attributes = {}
    try:
        attributes, content = _opened(message, options)
        records, refused = _rows(content, options.format)
    except NaveError as error:
        records, refused = [], [Refused((1, None), readable(message.body), error)]
    except Exception as error:  # whatever a reader did not foresee: the message is no less unreadable
        fault = PermanentError("NAVE-K278", reason=short(f"{type(error).__name__}: {error}", 200))
        records, refused = [], [Refused((1, None), readable(message.body), fault)]
    if refused:
        told = attributes.get("id") or message.message_id or ""
        refused = [Refused(one.place, one.raw, _named(one.error, options.queue, told)) for one in refused]
    return Decoded(message.tag, records, refused, _event(message, attributes), _same(message, attributes))


def readable(body: bytes) -> str:
    """The bytes as text; as base64, and saying so, where they are none."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text = "\0"
    return text if "\0" not in text else f"base64:{base64.b64encode(body).decode()}"


def _named(error: NaveError, queue: str, told: str) -> NaveError:
    return PermanentError("NAVE-K269", queue=short(queue), id=short(told) or "-", reason=str(error))


def _opened(message: Message, options: AmqpSourceOptions) -> tuple[Attributes, Any]:
    """The event's attributes, and its data: bytes, or a value where it stood in a JSON document."""
    if len(message.body) > options.max_body:
        raise PermanentError("NAVE-K270", size=len(message.body), limit=options.max_body)
    if (message.content_encoding or "").strip().lower() not in _UNPACKED:
        raise PermanentError("NAVE-K272", encoding=short(message.content_encoding))
    media = (message.content_type or "").partition(";")[0].strip().lower()
    if media != _STRUCTURED:
        return from_headers(message.headers), message.body
    event = loads(message.body)
    if type(event) is not dict:
        raise PermanentError("NAVE-K271", attribute="-", said=short(event))
    attributes = checked({name: value for name, value in event.items() if name not in ("data", "data_base64")})
    return attributes, _data(event)


def _data(event: Mapping[str, Any]) -> Any:
    if "data_base64" not in event:
        data = event.get("data")
        return data.encode() if isinstance(data, str) else data
    try:
        if "data" in event:
            raise ValueError("both")
        return base64.b64decode(event["data_base64"], validate=True)
    except (ValueError, TypeError, binascii.Error) as error:
        raise PermanentError("NAVE-K271", attribute="data_base64", said="-") from error


def _rows(content: Any, layout: Format) -> tuple[list[Raw], list[Refused]]:
    if isinstance(content, bytes) and not (isinstance(layout, JsonFormat) and not layout.record and content[:1] == b"{"):
        rows = [row.value for row in read(BytesIO(content), layout)]
        return [one for one in rows if not isinstance(one, Refused)], [one for one in rows if isinstance(one, Refused)]
    value = loads(content) if isinstance(content, bytes) else content
    if type(value) is not dict:
        raise PermanentError("NAVE-D138", found=short(value))
    if isinstance(layout, JsonFormat) and layout.record:
        return _rows(_encode(value), layout)
    return [value], []


def _event(message: Message, attributes: Attributes) -> dict[str, Any]:
    named = {"message-id": message.message_id, "correlation-id": message.correlation_id}
    told = {name: short(text, 255) for name, text in named.items() if text}
    again = {"redelivered": _times(message)} if message.redelivered else {}
    return {"unit": "event", **told, **again, **{f"ce-{name}": text for name, text in attributes.items()}}


def _times(message: Message) -> int:
    """How often the broker says that it delivered it before; quorum queues count, others only say that they did."""
    counted = (message.headers or {}).get("x-delivery-count")
    return counted if type(counted) is int and 0 < counted < 2**31 else 1


def _same(message: Message, attributes: Attributes) -> tuple[str, str, bytes] | None:
    number = attributes.get("id") or message.message_id
    if not number:
        return None
    return attributes.get("source", ""), number, blake2b(message.body, digest_size=16).digest()
