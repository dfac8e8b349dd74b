"""Bodies in XML, packed bodies, and attributes in headers: what they may be, and how little a hostile one costs."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from typing import Any

import pytest

from nave.api.door import DoorSource, door
from nave.api.serving import serving
from tests.api.hub import EVENT, JSON, Hub
from tests.servers import free_port

ORDERS = "shop.orders"
MOST = 200_000
XML = "application/xml"
BINARY = {f"ce_{name}": value for name, value in EVENT.items()}


@pytest.fixture(scope="module")
def running() -> Iterator[Hub]:
    hub = Hub()
    sources = {
        ORDERS: DoorSource(ORDERS, "customer", max_body=MOST, xml="Order"),
        "shop.json": DoorSource("shop.json", "customer", max_body=MOST),
    }
    with serving(door(sources, hub.land, dict), "127.0.0.1", free_port()) as hub.port:
        yield hub


@pytest.fixture
def hub(running: Hub) -> Hub:
    running.landed.clear()
    return running


def landed(hub: Hub, body: Any, **options: Any) -> list[Any]:
    status, answer, _ = hub.send(body, **{"source": ORDERS, "kind": XML, **options})
    assert status == 202, answer
    ((_, records, _),) = hub.landed
    assert answer["accepted"] == len(records)
    return records


def refused(hub: Hub, body: Any, **options: Any) -> tuple[int, str]:
    status, problem, headers = hub.send(body, **{"source": ORDERS, "kind": XML, **options})
    assert headers["content-type"] == "application/problem+json"
    assert hub.landed == []
    assert "{" not in problem["detail"]
    return status, problem["code"]


@pytest.mark.parametrize("kind", ["application/xml", "text/xml; charset=utf-8", "Application/XML"])
def test_one_element_is_one_record(hub: Hub, kind: str) -> None:
    assert landed(hub, "<Order><No>1</No><Name>上海</Name></Order>".encode(), kind=kind) == [{"No": "1", "Name": "上海"}]


def test_a_list_of_elements_is_landed_in_one_commit(hub: Hub) -> None:
    body = b'<Orders xmlns="urn:x"><Order><No>1</No></Order><Order id="7"><No>2</No></Order></Orders>'

    assert landed(hub, body) == [{"No": "1"}, {"@id": "7", "No": "2"}]


@pytest.mark.parametrize(
    ("kind", "declaration"),
    [
        ("text/xml; charset=gbk", ""),
        ('text/xml; charset="GB2312"', ""),
        ("text/xml", '<?xml version="1.0" encoding="gb2312"?>'),
        ("text/xml; charset=gb18030", '<?xml version="1.0" encoding="utf-8"?>'),
    ],
)
def test_gbk_is_read_as_the_content_type_or_the_declaration_says(hub: Hub, kind: str, declaration: str) -> None:
    body = (declaration + "<Order><Name>朱镕基大街</Name></Order>").encode("gbk")

    assert landed(hub, body, kind=kind) == [{"Name": "朱镕基大街"}]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "NAVE-A029"),
        (b"<Order><No>1</Order>", 400, "NAVE-A029"),
        (b"<Orders><Order><No>1</No></Order>", 400, "NAVE-A029"),
        (b'{"No": 1}', 400, "NAVE-A029"),
        (b'<!DOCTYPE x [<!ENTITY a "b">]><Order>&a;</Order>', 400, "NAVE-A029"),
        (b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><Order/>', 400, "NAVE-A029"),
        (b"<Order>&nothing;</Order>", 400, "NAVE-A029"),
        (b"<Order>" + b"<a>" * 70 + b"</a>" * 70 + b"</Order>", 400, "NAVE-A029"),
        (b"<Orders/>", 422, "NAVE-A030"),
        (b"<orders><order/></orders>", 422, "NAVE-A030"),
        (b"<Orders>" + b"<Order/>" * 1001 + b"</Orders>", 413, "NAVE-A016"),
    ],
)
def test_xml_that_cannot_be_taken_is_refused_whole(hub: Hub, body: bytes, status: int, code: str) -> None:
    assert refused(hub, body) == (status, code)


def test_a_source_without_a_record_element_takes_no_xml_and_says_so(hub: Hub) -> None:
    status, problem, headers = hub.send(b"text", source="shop.json", kind="text/plain")
    assert (status, "xml" in headers["accept-post"], "xml" in problem["help"]) == (415, False, False)

    assert refused(hub, b"<Order/>", source="shop.json") == (415, "NAVE-A028")
    assert refused(hub, b"<Order/>", kind="text/xml; charset=x-nonsense") == (415, "NAVE-A004")


def test_an_event_in_binary_mode_may_hold_xml_and_is_one_record(hub: Hub) -> None:
    assert landed(hub, b"<Order><No>1</No></Order>", **BINARY) == [{"No": "1"}]
    assert hub.landed[0][2]["ce-id"] == "e1"
    hub.landed.clear()

    assert refused(hub, b"<Orders><Order/><Order/></Orders>", **BINARY) == (422, "NAVE-A012")


@pytest.mark.parametrize(
    "part", [{"data": "<Order><No>1</No></Order>"}, {"data_base64": "PE9yZGVyPjxObz4xPC9Obz48L09yZGVyPg=="}]
)
def test_a_structured_event_may_hold_xml(hub: Hub, part: dict[str, str]) -> None:
    event = {**EVENT, "datacontenttype": "application/xml", **part}

    assert landed(hub, event, kind="application/cloudevents+json") == [{"No": "1"}]


def packed(body: bytes) -> bytes:
    return gzip.compress(body)


@pytest.mark.parametrize("coding", ["gzip", "GZip", "x-gzip"])
def test_a_packed_body_is_unpacked(hub: Hub, coding: str) -> None:
    assert landed(hub, packed(b'{"ID": "1"}'), kind=JSON, Content_Encoding=coding) == [{"ID": "1"}]


def test_a_body_in_several_members_is_one_body_and_identity_is_none(hub: Hub) -> None:
    assert landed(hub, packed(b'{"ID": ') + packed(b'"1"}'), kind=JSON, Content_Encoding="gzip") == [{"ID": "1"}]
    hub.landed.clear()
    assert landed(hub, b"<Order><No>1</No></Order>", Content_Encoding="identity") == [{"No": "1"}]


def test_a_large_packed_body_is_taken_up_to_the_limit(hub: Hub) -> None:
    body = json.dumps([{"ID": str(number), "TEXT": "x" * 150} for number in range(1000)]).encode()
    assert 2**17 < len(body) <= MOST

    assert len(landed(hub, packed(body), kind=JSON, Content_Encoding="gzip")) == 1000


@pytest.mark.parametrize(
    ("body", "coding", "status", "code"),
    [
        (packed(b'{"ID": "1"}')[:-4], "gzip", 400, "NAVE-A027"),
        (packed(b'{"ID": "1"}')[:12], "gzip", 400, "NAVE-A027"),
        (packed(b'{"ID": "1"}') + b"more", "gzip", 400, "NAVE-A027"),
        (b'{"ID": "1"}', "gzip", 400, "NAVE-A027"),
        (zlib.compress(b'{"ID": "1"}'), "gzip", 400, "NAVE-A027"),
        (packed(b"") * 1001, "gzip", 400, "NAVE-A027"),
        (b"", "gzip", 400, "NAVE-A011"),
        (b'{"ID": "1"}', "br", 415, "NAVE-A026"),
        (zlib.compress(b'{"ID": "1"}'), "deflate", 415, "NAVE-A026"),
        (packed(packed(b'{"ID": "1"}')), "gzip, gzip", 415, "NAVE-A026"),
        (packed(b" " * (MOST + 1)), "gzip", 413, "NAVE-A003"),
        (packed(b"\0" * 100 * 2**20), "gzip", 413, "NAVE-A003"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_what_is_no_whole_gzip_or_grows_beyond_the_limit_is_refused(
    hub: Hub, body: bytes, coding: str, status: int, code: str
) -> None:
    assert refused(hub, body, kind=JSON, Content_Encoding=coding) == (status, code)


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("%E4%B8%8A%E6%B5%B7", "上海"),
        ("%e4%b8%8a", "上"),
        ("100%25", "100%"),
        ("%2541", "%41"),
        ('"a \\"b\\" %E4%B8%8A"', 'a "b" 上'),
        ("a+b", "a+b"),
        ("%", "%"),
    ],
)
def test_attributes_in_headers_are_decoded_once(hub: Hub, sent: str, read: str) -> None:
    landed(hub, {"ID": "1"}, kind=JSON, **{**BINARY, "ce_subject": sent})

    assert hub.landed[0][2]["ce-subject"] == read


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ("上海".encode(), "NAVE-A031"),
        ("上海".encode("gbk"), "NAVE-A031"),
        ("%C9%CF%BA%A3", "NAVE-A031"),
        ("%ED%A0%80", "NAVE-A031"),
        ("a%0D%0Ab", "NAVE-A014"),
        ("a%00", "NAVE-A014"),
        ("%7F", "NAVE-A014"),
        ('""', "NAVE-A014"),
    ],
)
def test_what_is_no_text_in_a_header_is_refused_gbk_too(hub: Hub, sent: Any, code: str) -> None:
    assert refused(hub, {"ID": "1"}, kind=JSON, **{**BINARY, "ce_subject": sent}) == (422, code)


@pytest.mark.parametrize("name", ["sourcename", "SOURCE_NAME", "entity", "sink", "unit", "file"])
def test_attributes_choose_nothing(hub: Hub, name: str) -> None:
    event = {**EVENT, "source": "/erp", "data": {"ID": "1"}, name.lower().replace("_", ""): "erp.orders"}

    landed(hub, event, kind="application/cloudevents+json")

    source, records, origin = hub.landed[0]
    assert (source, records, origin["unit"]) == (ORDERS, [{"ID": "1"}], "event")
