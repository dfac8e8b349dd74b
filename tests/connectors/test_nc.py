"""The nc connector against a stand-in of NC's exchange platform: each document is booked once, whatever gets lost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pycurl
import pytest
from aiohttp import web
from pydantic import ValidationError

from nave.connectors.contracts import ErrorsCase, ErrorsContract, SinkCase, SinkContract
from nave.connectors.exchange import translating
from nave.connectors.nc import SPEC
from nave.connectors.nc.options import NcOptions, NcSinkOptions
from nave.core.errors import ConfigError, LoginError, RetryableError
from nave.core.protocols import Outbound, Outcome, Receipt, Setting, Sink
from tests.connectors.web import Service, service
from tests.peers.nc import NcStandIn, nc_stand_in
from tests.servers import free_port

SETTING = Setting("nc.receivables", Path())


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NcStandIn]:
    with nc_stand_in(tmp_path_factory.mktemp("nc")) as running:
        yield running


@pytest.fixture
def nc(server: NcStandIn) -> NcStandIn:
    server.clear()
    return server


def document(customer: str = "C1", money: str = "1.00", text: str = "x", kind: str = "F0") -> str:
    return (
        f'<ufinterface billtype="{kind}" isexchange="Y" replace="N" sender="NAVE"><bill id="old"><billhead>'
        f"<customer>{customer}</customer><money>{money}</money><scomment>{text}</scomment></billhead></bill></ufinterface>"
    )


def record(key: str, version: int = 1, text: str = "x", remote: str | None = None, **more: str) -> Outbound:
    return Outbound(key, version, {"document": document(text=text, **more)}, remote)


def sink(url: str, *, connection: dict[str, Any] | None = None, **options: Any) -> Sink:
    assert SPEC.sink is not None
    there = {"url": url, "account": "A01", "groupcode": "G1", "timeout": "30s", **(connection or {})}
    made = NcSinkOptions.model_validate({"settle": "0s", **options})
    return SPEC.sink(NcOptions.model_validate(there), made, SETTING)


def write(url: str, records: Sequence[Outbound], **options: Any) -> Sequence[Receipt]:
    with sink(url, **options) as opened:
        return opened.write(records)


def comments(nc: NcStandIn) -> dict[str, str]:
    """Key -> the comment of the bill."""
    bills = nc.bills()
    return {
        name.rpartition("-")[2]: body.partition("<scomment>")[2].partition("<")[0] for name, (_, _, body) in bills.items()
    }


def said(code: str, name: str, whole: str = "Y") -> str:
    """A receipt about one bill."""
    inner = f"<bdocid>{name}</bdocid><resultcode>{code}</resultcode>"
    return f'<ufinterface successful="{whole}"><sendresult>{inner}</sendresult></ufinterface>'


class TestSink(SinkContract):
    @pytest.fixture
    def case(self, nc: NcStandIn) -> SinkCase:
        return SinkCase(
            open=lambda: sink(nc.url),
            held=lambda: comments(nc),
            effects=lambda: sum(1 + changes for _, changes, _ in nc.bills().values()),
            record=record,
            keeps_newest=False,
        )


class TestSinkOfManyBills(SinkContract):
    @pytest.fixture
    def case(self, nc: NcStandIn) -> SinkCase:
        return SinkCase(
            open=lambda: sink(nc.url, bills=10),
            held=lambda: comments(nc),
            effects=lambda: sum(1 + changes for _, changes, _ in nc.bills().values()),
            record=record,
            keeps_newest=False,
        )


class TestErrors(ErrorsContract):
    @pytest.fixture
    def case(self) -> ErrorsCase:
        numbers = [n for name in dir(pycurl) if name.startswith("E_") and isinstance(n := getattr(pycurl, name), int) and n]
        return ErrorsCase(lambda: translating("http://nc"), [pycurl.error(n, "why") for n in numbers])


def test_a_bill_goes_under_an_id_of_its_own_with_the_parameters_in_the_address(nc: NcStandIn) -> None:
    connection = {"operator": "1001A1100000000USER1", "receiver": "0101", "sender": "HUB7"}

    (receipt,) = write(nc.url, [record("01JD5K7WQX2VH")], connection=connection)

    ((query, head, ids),) = nc.posts()
    assert query == {"account": "A01", "groupcode": "G1", "receiver": "0101", "operator": "1001A1100000000USER1"}
    assert (head["replace"], head["sender"], head["billtype"]) == ("N", "HUB7", "F0")
    assert ids == ["NAVE-F0-01JD5K7WQX2VH"]
    assert (receipt.outcome, receipt.remote_key) == (Outcome.ACCEPTED, nc.bills()[ids[0]][0])


@pytest.mark.parametrize("fault", ["dropped", "cut", "short", "page", "lost"])
@pytest.mark.parametrize("bills", [1, 5])
def test_a_lost_receipt_is_settled_by_a_repeat_that_nc_refuses(nc: NcStandIn, fault: str, bills: int) -> None:
    records = [record(f"k{n}") for n in range(5)]
    nc.fail(fault)

    with sink(nc.url, bills=bills) as opened:
        try:
            first = [one.outcome for one in opened.write(records)]
        except RetryableError:
            first = [Outcome.RETRY] * 5
        second = opened.write(records)

    assert first[0] is Outcome.RETRY
    assert all(one.outcome in (Outcome.ACCEPTED, Outcome.DUPLICATE) for one in second)
    assert all(one.remote_key for one in second)
    assert [changes for _, changes, _ in nc.bills().values()] == [0] * 5


def test_a_post_that_nc_is_late_with_counts_as_lost_and_holds_back_the_rest(nc: NcStandIn) -> None:
    nc.fail("late", seconds=3)
    records = [record("k0"), record("k1")]

    with sink(nc.url, connection={"timeout": "1s"}, settle="7s") as opened:
        receipts = opened.write(records)

    assert [(one.outcome, one.tried) for one in receipts] == [(Outcome.RETRY, True), (Outcome.RETRY, False)]
    assert isinstance(receipts[0].error, RetryableError)
    assert (receipts[0].error.code, receipts[0].error.after) == ("NAVE-S051", 7)
    assert list(nc.bills()) == ["NAVE-F0-k0"]

    assert [one.outcome for one in write(nc.url, records)] == [Outcome.DUPLICATE, Outcome.ACCEPTED]


def test_what_nc_has_is_changed_with_replace(nc: NcStandIn) -> None:
    (first,) = write(nc.url, [record("k1")])

    (second,) = write(nc.url, [record("k1", 2, "new", first.remote_key)])

    assert (second.outcome, second.remote_key) == (Outcome.ACCEPTED, first.remote_key)
    assert [head["replace"] for _, head, _ in nc.posts()] == ["N", "Y"]
    assert comments(nc) == {"k1": "new"}


def test_a_later_version_whose_first_receipt_was_lost_reaches_the_document_that_is_there(nc: NcStandIn) -> None:
    nc.fail("dropped")
    write(nc.url, [record("k1"), record("k2")])

    (receipt,) = write(nc.url, [record("k1", 2, "new")])

    assert receipt.outcome is Outcome.ACCEPTED
    assert comments(nc)["k1"] == "new"
    assert nc.bills()["NAVE-F0-k1"][1] == 1


def test_the_same_id_with_other_content_that_nc_no_longer_changes_is_said_apart(nc: NcStandIn) -> None:
    write(nc.url, [record("k1")])
    nc.approve("NAVE-F0-k1")

    (receipt,) = write(nc.url, [record("k1", 2, "new")])

    assert receipt.outcome is Outcome.REJECTED
    assert receipt.error is not None
    assert receipt.error.code == "NAVE-K397"
    assert "单据已审核" in receipt.error.text("zh")
    assert comments(nc) == {"k1": "x"}


@pytest.mark.parametrize("bills", [1, 100])
def test_one_failing_bill_among_a_hundred_leaves_the_others_booked_once(nc: NcStandIn, bills: int) -> None:
    records = [record(f"k{n}", money="13.00" if n == 40 else "1.00") for n in range(100)]

    receipts = write(nc.url, records, bills=bills)

    failed = [(n, one.outcome, one.error.code if one.error else "") for n, one in enumerate(receipts) if one.error]
    assert failed == [(40, Outcome.REJECTED, "NAVE-K393")]
    assert "NullPointerException" in receipts[40].raw
    assert len(nc.bills()) == 99
    assert all(changes == 0 for _, changes, _ in nc.bills().values())
    assert {one.remote_key for n, one in enumerate(receipts) if n != 40} == {key for key, _, _ in nc.bills().values()}


def test_the_content_of_a_bill_that_was_rolled_back_is_not_believed(nc: NcStandIn) -> None:
    with sink(nc.url, bills=3) as opened:
        receipts = opened.write([record("k0"), record("k1", money="13.00"), record("k2")])

    held = {name: key for name, (key, _, _) in nc.bills().items()}
    assert [one.remote_key for one in receipts] == [held["NAVE-F0-k0"], None, held["NAVE-F0-k2"]]
    assert [len(ids) for _, _, ids in nc.posts()] == [3, 1, 1]


def test_a_code_that_an_archive_does_not_know_is_told_with_archive_and_code(nc: NcStandIn) -> None:
    nc.know("customer", "C1")

    refused, taken = write(nc.url, [record("k1", customer="C9"), record("k2")])

    assert (refused.outcome, taken.outcome) == (Outcome.REJECTED, Outcome.ACCEPTED)
    assert refused.error is not None
    assert refused.error.code == "NAVE-K394"
    assert (refused.error.params["archive"], refused.error.params["value"]) == ("客户", "C9")

    nc.know("customer", "C9")
    assert write(nc.url, [record("k1", customer="C9")])[0].outcome is Outcome.ACCEPTED


@pytest.mark.parametrize("encoding", ["utf-8", "gbk", "gb2312", "gb18030"])
def test_every_character_arrives_in_every_encoding(nc: NcStandIn, encoding: str) -> None:
    write(nc.url, [record("k1", text="镕喆㛃𠮷 &amp; €")], connection={"encoding": encoding})

    assert comments(nc) == {"k1": "镕喆㛃𠮷 &amp; €"}


def test_what_the_site_says_of_words_and_codes_goes_before_what_nave_knows(nc: NcStandIn) -> None:
    texts = [{"says": "NullPointer", "means": "retry"}]

    (receipt,) = write(nc.url, [record("k1", money="13.00"), record("k2")], texts=texts)[:1]

    assert (receipt.outcome, receipt.error.code if receipt.error else "") == (Outcome.RETRY, "NAVE-K399")
    assert write(nc.url, [record("k1", money="13.00")], codes={"-32000": "duplicate"})[0].outcome is Outcome.DUPLICATE


def test_a_server_that_is_not_set_up_stops_the_flow_at_the_first_document(nc: NcStandIn) -> None:
    with pytest.raises(ConfigError) as caught:
        write(nc.url, [record(f"k{n}") for n in range(20)], connection={"groupcode": "G9"})

    assert caught.value.code == "NAVE-K396"
    assert "不正确的用户类型" in caught.value.text()
    assert len(nc.posts()) == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<x/>",
        "<ufinterface billtype='F0'/>",
        "<ufinterface><bill/></ufinterface>",
        "<ufinterface billtype='F0'><bill/><bill/></ufinterface>",
        "<ufinterface billtype='F0'><bill>",
        "<!DOCTYPE a [<!ENTITY b 'c'>]><ufinterface billtype='F0'><bill>&b;</bill></ufinterface>",
        "<ufinterface billtype='发票'><bill/></ufinterface>",
        f"<ufinterface billtype='{'F' * 50}'><bill/></ufinterface>",
    ],
)
def test_what_is_no_document_is_refused_before_anything_is_sent(nc: NcStandIn, text: str) -> None:
    wrong, right = write(nc.url, [Outbound("k1", 1, {"document": text}), record("k2")])

    assert (wrong.outcome, right.outcome) == (Outcome.REJECTED, Outcome.ACCEPTED)
    assert wrong.error is not None
    assert wrong.error.code == "NAVE-K390"
    assert len(nc.posts()) == 1


def test_a_record_that_became_part_of_another_stays_as_it_is(nc: NcStandIn) -> None:
    (receipt,) = write(nc.url, [Outbound("k1", 2, {}, "pk", retired=True)])

    assert (receipt.outcome, receipt.tried, nc.posts()) == (Outcome.DUPLICATE, False, [])


def test_a_receipt_about_another_bill_settles_nothing() -> None:
    assert answered(200, said("1", "NAVE-F0-k2")) == (Outcome.RETRY, "NAVE-K392")


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, "", (Outcome.RETRY, "NAVE-K392")),
        (200, '<ufinterface successful="Y"/>', (Outcome.RETRY, "NAVE-K392")),
        (200, said("1", "NAVE-F0-k1", whole="N"), (Outcome.RETRY, "NAVE-K392")),
        (200, said("-31004", ""), (Outcome.RETRY, "NAVE-K395")),
        (500, "java.lang.OutOfMemoryError", (Outcome.RETRY, "NAVE-K391")),
        (413, "", (Outcome.REJECTED, "NAVE-K391")),
    ],
)
def test_what_other_answers_mean(status: int, body: str, expected: tuple[Outcome, str]) -> None:
    assert answered(status, body) == expected


@contextmanager
def answering(status: int, body: str) -> Iterator[Service]:
    """A server that says the same to everybody."""

    async def behave(_request: web.Request, _content: bytes) -> web.StreamResponse:
        return web.Response(status=status, body=body.encode(), content_type="text/xml")

    with service(free_port()) as running:
        running.behaviour = behave
        yield running


def answered(status: int, body: str) -> tuple[Outcome, str]:
    """What the first of two bills comes to."""
    with answering(status, body) as running:
        receipt = write(running.url, [record("k1"), record("k2")])[0]
    assert receipt.error is not None
    return receipt.outcome, receipt.error.code


@pytest.mark.parametrize(
    ("status", "kind"), [(401, LoginError), (404, ConfigError), (302, ConfigError), (503, RetryableError)]
)
def test_a_server_that_turns_all_away_is_asked_once(status: int, kind: type[Exception]) -> None:
    with answering(status, "") as running:
        with pytest.raises(kind):
            write(running.url, [record(f"k{n}") for n in range(20)])

        assert len(running.requests) == 1


def test_check_reaches_the_servlet_and_posts_nothing(nc: NcStandIn) -> None:
    assert SPEC.check is not None

    SPEC.check(NcOptions.model_validate({"url": nc.url}), SETTING)

    assert nc.posts() == []
    with pytest.raises(ConfigError):
        SPEC.check(NcOptions.model_validate({"url": nc.url, "path": "/other"}), SETTING)
    with pytest.raises(RetryableError):
        SPEC.check(NcOptions.model_validate({"url": f"http://127.0.0.1:{free_port()}"}), SETTING)


@pytest.mark.parametrize(
    "options", [{"prefix": "发票"}, {"bills": 0}, {"texts": [{"says": "**", "means": "retry"}]}, {"x": 1}]
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        NcSinkOptions.model_validate(options)
