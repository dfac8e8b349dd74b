"""The u8 connector against a server that answers as U8's EAI is documented to: 0 is success, a lost answer is a person's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from lxml import etree

from nave.connectors.nc import U8
from nave.connectors.nc.options import U8Options, U8SinkOptions
from nave.core.protocols import Outbound, Outcome, Receipt, Setting
from tests.connectors.web import Service, service
from tests.servers import free_port

_DOCUMENT = (
    '<ufinterface sender="001" receiver="u8" roottag="customer" docid="x" proc="add"><customer>{}</customer></ufinterface>'
)


@contextmanager
def answering(*items: str, status: int = 200) -> Iterator[Service]:
    """A server that says this of every document."""
    body = f'<?xml version="1.0" encoding="gb2312"?><ufinterface roottag="customerreturn">{"".join(items)}</ufinterface>'

    async def behave(_request: web.Request, _content: bytes) -> web.StreamResponse:
        return web.Response(status=status, body=body.encode("gbk"), content_type="text/xml")

    with service(free_port()) as running:
        running.behaviour = behave
        yield running


def write(running: Service, version: int = 1, remote: str | None = None, **options: Any) -> Receipt:
    assert U8.sink is not None
    connection = U8Options.model_validate({"url": running.url, "encoding": "gb2312"})
    record = Outbound("k1", version, {"document": _DOCUMENT.format("<name>盈硕 镕</name>")}, remote)
    made = U8SinkOptions.model_validate({"settle": "0s", **options})
    with U8.sink(connection, made, Setting("u8.customers", Path())) as sink:
        (receipt,) = sink.write([record])
    return receipt


def sent(running: Service) -> list[dict[str, str]]:
    return [dict(etree.fromstring(body).attrib) for _, _, _, body in running.requests]


def item(succeed: str, text: str = "ok", key: str = "U7") -> str:
    return f'<item key="000118" u8key="{key}" succeed="{succeed}" dsc="{text}"/>'


def test_zero_is_success_and_a_known_document_is_edited() -> None:
    with answering(item("0")) as running:
        first = write(running)
        second = write(running, 2, first.remote_key)

        assert (first.outcome, first.remote_key, second.outcome) == (Outcome.ACCEPTED, "U7", Outcome.ACCEPTED)
        assert [(one["proc"], one["docid"]) for one in sent(running)] == [
            ("add", "NAVE-customer-k1"),
            ("edit", "NAVE-customer-k1"),
        ]
        assert running.requests[0][1] == "/u8eai/import.asp"
        assert "盈硕 &#38229;".encode("gb2312") in running.requests[0][3]  # 镕 is not in GB2312


def test_one_is_no_success_here() -> None:
    with answering(item("1", "客户分类编码错误")) as running:
        receipt = write(running)

    assert receipt.outcome is Outcome.REJECTED
    assert receipt.error is not None
    assert (receipt.error.code, "客户分类编码错误" in receipt.error.text()) == ("NAVE-K393", True)


def test_of_several_rows_the_bad_one_counts() -> None:
    with answering(item("0"), item("-1", "科目[1002]不存在")) as running:
        receipt = write(running)

    assert receipt.outcome is Outcome.REJECTED
    assert receipt.error is not None
    assert receipt.error.code == "NAVE-K394"
    assert (receipt.error.params["archive"], receipt.error.params["value"]) == ("科目", "1002")


@pytest.mark.parametrize(("options", "outcome"), [({}, Outcome.UNKNOWN), ({"idempotent": True}, Outcome.RETRY)])
def test_a_lost_answer_is_a_persons_unless_u8_takes_no_repeats(options: dict[str, Any], outcome: Outcome) -> None:
    with answering(status=500) as running:
        assert write(running, **options).outcome is outcome


def test_what_is_there_already_counts_as_delivered_only_where_that_is_said() -> None:
    with answering(item("-1", "该客户编码已存在")) as running:
        careful = write(running)
        sure = write(running, idempotent=True)

    assert (careful.outcome, sure.outcome) == (Outcome.REJECTED, Outcome.DUPLICATE)


def test_an_answer_without_items_tells_nothing() -> None:
    with answering() as running:
        receipt = write(running)

    assert receipt.outcome is Outcome.UNKNOWN
    assert receipt.error is not None
    assert receipt.error.code == "NAVE-K392"
