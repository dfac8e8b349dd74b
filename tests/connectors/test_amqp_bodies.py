"""What a message says: its body by the source's format, its event by any spelling of the headers, and nothing more."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

import pytest

from nave.connectors.amqp.bodies import Decoded, Message, decoded
from nave.connectors.amqp.options import AmqpOptions, AmqpSourceOptions

EVENT = {"specversion": "1.0", "id": "7", "source": "/mes", "type": "order.changed.v1"}


def told(body: bytes, headers: Mapping[str, Any] | None = None, format_: Any = None, **more: Any) -> Decoded:
    layout = {} if format_ is None else {"format": format_}
    made = AmqpSourceOptions.model_validate({"queue": "q", "max_body": "10KB", **layout})
    return decoded(Message(1, body, headers, **more), made)


@pytest.mark.parametrize(
    ("format_", "body", "records"),
    [
        (None, b'{"ID": "1"}', [{"ID": "1"}]),
        (None, b' [{"ID": "1"}, {"ID": "2"}]', [{"ID": "1"}, {"ID": "2"}]),
        ({"type": "json", "record": "rows"}, b'{"rows": [{"ID": "1"}]}', [{"ID": "1"}]),
        ({"type": "csv"}, "ID,名称\n1,甲\n2,乙\n".encode("gb18030"), [{"ID": "1", "名称": "甲"}, {"ID": "2", "名称": "乙"}]),
        ({"type": "xml", "record": "Row"}, b"<A><Row><ID>1</ID></Row></A>", [{"ID": "1"}]),
    ],
)
def test_a_body_is_read_by_the_format_of_its_source(format_: Any, body: bytes, records: list[Any]) -> None:
    found = told(body, format_=format_, content_type="text/anything")

    assert (found.records, found.refused) == (records, [])


@pytest.mark.parametrize("prefix", ["ce-", "cloudEvents_", "cloudEvents:"])
def test_an_event_is_known_by_each_spelling_of_its_headers(prefix: str) -> None:
    headers = {f"{prefix}{name}": text for name, text in EVENT.items()}

    found = told(b'{"ID": "1"}', headers)

    assert found.event == {"unit": "event", **{f"ce-{name}": text for name, text in EVENT.items()}}
    assert found.same == told(b'{"ID": "1"}', {f"ce-{name}": text for name, text in EVENT.items()}).same


@pytest.mark.parametrize("data", [{"data": {"ID": "1"}}, {"data_base64": base64.b64encode(b'{"ID": "1"}').decode()}])
def test_a_structured_event_is_opened(data: dict[str, Any]) -> None:
    body = json.dumps({**EVENT, **data}).encode()

    found = told(body, content_type="application/cloudevents+json; charset=utf-8")

    assert found.records == [{"ID": "1"}]
    assert found.event["ce-id"] == "7"


INTERNAL = ["source", "table", "queue", "unit", "events", "position", "entity", "sink", "url", "exchange", "routing_key"]


@pytest.mark.parametrize("shape", [str.lower, str.upper, str.title, str.swapcase, lambda text: f"Nave-{text}"])
@pytest.mark.parametrize("name", INTERNAL)
def test_no_header_of_any_case_steers_anything(name: str, shape: Any) -> None:
    plain = told(b'{"ID": "1"}')

    found = told(b'{"ID": "1"}', {shape(name): "elsewhere"})

    assert found == plain


@pytest.mark.parametrize("shape", [str.lower, str.upper, str.title, str.swapcase, lambda text: text[0] + text[1:].upper()])
def test_attributes_of_any_case_are_the_same_and_stand_apart_from_the_record(shape: Any) -> None:
    headers = {shape(f"ce-{name}"): text for name, text in {**EVENT, "queue": "elsewhere"}.items()}

    found = told(b'{"ID": "1"}', headers)

    assert found.records == [{"ID": "1"}]
    assert set(found.event) == {"unit", "ce-queue", *(f"ce-{name}" for name in EVENT)}


@pytest.mark.parametrize(
    ("headers", "attribute"),
    [
        ({"ce-id": "7"}, "specversion"),
        ({**{f"ce-{name}": text for name, text in EVENT.items()}, "CE-ID": "8"}, "id"),
        ({**{f"ce-{name}": text for name, text in EVENT.items()}, "ce-a_b": "8"}, "a_b"),
        ({**{f"ce-{name}": text for name, text in EVENT.items()}, "ce-id": "8" * 1001}, "id"),
        ({**{f"ce-{name}": text for name, text in EVENT.items()}, "ce-list": [1]}, "list"),
        ({**{f"ce-{name}": text for name, text in EVENT.items()}, "ce-specversion": "0.3"}, "specversion"),
    ],
)
def test_headers_that_are_no_event_refuse_the_message(headers: dict[str, Any], attribute: str) -> None:
    found = told(b'{"ID": "1"}', headers)

    assert not found.records
    assert f"attribute {attribute} says" in found.refused[0].error.text()


@pytest.mark.parametrize(
    ("body", "more", "code", "raw"),
    [
        (b"{half", {}, "NAVE-D130", "{half"),
        (b"\xff\x00", {}, "NAVE-D", "base64:/wA="),
        (b"[1]", {}, "NAVE-D138", "1"),
        (b"", {}, "NAVE-D", ""),
        (b'{"ID": "1"}', {"content_encoding": "gzip"}, "NAVE-K272", '{"ID": "1"}'),
        (b"{" + b" " * 10_000 + b"}", {}, "NAVE-K270", "{" + " " * 10_000 + "}"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_bytes(body: bytes, more: dict[str, str], code: str, raw: str) -> None:
    found = told(body, message_id="m1", **more)

    (refused,) = found.refused
    assert (found.records, refused.raw) == ([], raw)
    assert refused.error.code == "NAVE-K269"
    assert code in refused.error.text()
    assert "m1" in refused.error.text("zh")


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "amqp://me:secret@mq/x"},
        {"url": "http://mq/x"},
        {"url": "amqp://mq/x", "user": None, "password": None},
        {"url": "amqp://mq/x", "ca": "ca.pem"},
        {"url": "amqp://mq/x", "others": ["amqps://mq2/x"]},
        {"url": "amqp://mq:x/"},
        {"url": "amqp://mq/x?heartbeat=0"},
    ],
)
def test_options_that_cannot_work_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        AmqpOptions.model_validate({"user": "me", "password": "secret", **wrong})
