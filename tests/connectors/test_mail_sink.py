"""Batches out by a real SMTP server, as they arrive in real mailboxes."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Callable, Sequence
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from python_calamine import CalamineWorkbook

from nave.connectors.contracts import SinkCase, SinkContract
from nave.connectors.mail.options import MailOptions, MailSinkOptions
from nave.connectors.mail.sink import MailSink
from nave.core.errors import ConfigError, RetryableError
from nave.core.protocols import Outbound, Outcome, Receipt, Setting
from tests.connectors.dropping import Killed, go_on, killing_at
from tests.connectors.mail_peer import Hub, Mailbox, sending
from tests.servers.smtp import Exim

pytestmark = pytest.mark.service
pytest_plugins = ["tests.connectors.mail_fixtures"]


class Office:
    """A sink, and whoever gets its mails."""

    def __init__(self, server: Exim, box: Mailbox, folder: Path) -> None:
        self.server, self.box, self.folder = server, box, folder
        self.options: dict[str, Any] = {}
        self.connection: dict[str, Any] = {}
        self.sent = 0

    def sink(self, step: Callable[[str], None] = go_on) -> MailSink:
        options = {
            "sender": "nave@example.test",
            "recipients": [f"{self.box.name}@example.test"],
            "subject": "客户 {date}: {count}",
            "name": "customers_{date}_{id}.csv",
            "format": {"type": "csv"},
            **self.options,
        }
        connection = MailOptions.model_validate({**sending(self.server), **self.connection})
        return MailSink(connection, MailSinkOptions.model_validate(options), Setting("erp.customers", self.folder), step)

    def write(self, *records: Outbound, step: Callable[[str], None] = go_on) -> Sequence[Receipt]:
        with self.sink(step) as sink:
            return sink.write(records)

    def mails(self) -> list[EmailMessage]:
        """All that have arrived; what the server has taken is delivered within moments."""
        deadline = time.monotonic() + 60
        while (log := self.server.log()).count(" <= ") > log.count(" Completed") and time.monotonic() < deadline:
            time.sleep(0.02)
        return self.box.messages()

    def rows(self) -> list[dict[str, str]]:
        """All rows of all mails, in the order of their arrival."""
        texts = [next(mail.iter_attachments()).get_content() for mail in self.mails()]
        return [row for text in texts for row in csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))]


@pytest.fixture
def office(smtp_server: Exim, mailbox: Mailbox, tmp_path: Path) -> Office:
    return Office(smtp_server, mailbox, tmp_path)


def record(key: str, version: int = 1, text: str = "x") -> Outbound:
    return Outbound(key, version, {"code": key, "name": text})


class TestSink(SinkContract):
    @pytest.fixture
    def case(self, office: Office) -> SinkCase:
        return SinkCase(
            open=office.sink,
            held=lambda: {row["code"]: row["name"] for row in office.rows()},
            effects=lambda: len(office.rows()),
            record=record,
        )


def test_a_batch_is_one_mail_with_a_table_that_people_can_open(office: Office) -> None:
    office.options = {"text": "您好\nsee attachment"}

    receipts = office.write(record("a", text="张三"), record("b", text="=1+1"))

    (mail,) = office.mails()
    table = next(mail.iter_attachments())
    assert [receipt.outcome for receipt in receipts] == [Outcome.ACCEPTED] * 2
    assert mail["message-id"] in receipts[0].raw
    assert mail["subject"].startswith("客户 20")
    assert mail["subject"].endswith(": 2")
    assert mail.get_body().get_content().splitlines() == ["您好", "see attachment"]  # type: ignore[union-attr]
    assert table.get_content_type() == "text/csv"
    assert table.get_filename().startswith("customers_20")  # type: ignore[union-attr]
    assert table.get_content().splitlines() == ["\ufeffcode,name", "a,张三", "b,'=1+1"]


def test_a_workbook_holds_no_formula(office: Office) -> None:
    office.options = {"name": "客户_{id}.xlsx", "format": {"type": "xlsx"}}

    office.write(record("a", text="=cmd|' /C calc'!A0"))

    table = next(office.mails()[0].iter_attachments())
    assert table.get_filename().startswith("客户_")  # type: ignore[union-attr]
    book = CalamineWorkbook.from_filelike(io.BytesIO(table.get_content()))
    assert book.get_sheet_by_index(0).to_python() == [["code", "name"], ["a", "=cmd|' /C calc'!A0"]]


def test_what_one_hub_sends_another_reads(office: Office, tmp_path: Path) -> None:
    office.write(*(record(f"k{n}", text=f"名{n}") for n in range(25)))
    office.mails()

    hub = Hub(office.box, tmp_path / "other").run()

    assert hub.landed == [{"code": f"k{n}", "name": f"名{n}"} for n in range(25)]


def test_a_batch_that_is_cut_another_way_sends_only_what_is_new(office: Office) -> None:
    office.write(record("a"), record("b"))

    receipts = office.write(record("b"), record("c"), record("a", 2), Outbound("d", 1, {}, retired=True))

    assert [one.outcome.value for one in receipts] == ["duplicate", "accepted", "accepted", "duplicate"]
    assert [row["code"] for row in office.rows()] == ["a", "b", "c", "a"]


def test_killed_at_any_step_each_record_is_mailed_once_or_again_under_the_same_id(office: Office) -> None:
    for number in range(10):
        office.folder = office.folder / str(number)
        office.folder.mkdir()
        office.box.clear()
        try:
            office.write(record("a"), record("b"), step=killing_at(number))
            finished = True
        except Killed:
            finished = False
            office.write(record("b"), record("c"), record("a"))

        ids = [mail["message-id"] for mail in office.mails()]
        codes = dict(zip(ids, _codes(office), strict=True))
        assert sorted("".join(codes.values())) == (["a", "b"] if finished else ["a", "b", "c"]), number
        assert len(ids) - len(set(ids)) <= 1
        if finished:
            return
    pytest.fail("the steps never ended")


def _codes(office: Office) -> list[str]:
    tables = [next(mail.iter_attachments()).get_content().removeprefix("\ufeff") for mail in office.mails()]
    return ["".join(row["code"] for row in csv.DictReader(io.StringIO(table))) for table in tables]


def test_records_that_the_format_cannot_hold_are_refused_and_their_neighbours_sent(office: Office) -> None:
    office.options = {"columns": ["code", "name"]}

    receipts = office.write(record("a"), Outbound("b", 1, {"code": "b", "more": 1}), record("c"))

    assert [one.outcome.value for one in receipts] == ["accepted", "rejected", "accepted"]
    assert [row["code"] for row in office.rows()] == ["a", "c"]


@pytest.mark.parametrize(
    ("recipient", "kind", "code"),
    [("nobody@example.test", ConfigError, "NAVE-K341"), ("later@example.test", RetryableError, "NAVE-K342")],
)
def test_a_mail_goes_to_all_or_to_none(office: Office, recipient: str, kind: type[Exception], code: str) -> None:
    office.options = {"recipients": [f"{office.box.name}@example.test", recipient]}

    with pytest.raises(kind) as caught:
        office.write(record("a"))

    assert getattr(caught.value, "code", "") == code
    assert office.mails() == []
    office.options = {}
    assert office.write(record("a"))[0].outcome is Outcome.ACCEPTED


def test_a_mail_that_the_server_refuses_is_refused_and_can_be_sent_anew(office: Office) -> None:
    office.options = {"subject": "spam"}
    (refused,) = office.write(record("a"))
    office.options = {"subject": "ham"}

    (sent,) = office.write(record("a"))

    assert (refused.outcome, refused.error and refused.error.code) == (Outcome.REJECTED, "NAVE-K340")
    assert sent.outcome is Outcome.ACCEPTED


def test_a_mail_that_is_too_large_is_never_offered(office: Office) -> None:
    office.connection = {"largest": "1KB"}

    (receipt,) = office.write(record("a", text="x" * 2000))

    assert receipt.error is not None
    assert receipt.error.code == "NAVE-K335"


def test_a_relay_without_encryption_takes_no_password_and_is_used_only_where_that_is_said(office: Office) -> None:
    plain = {"smtp": f"smtp://127.0.0.1:{office.server.plain}", "user": None, "password": None}
    office.connection = plain
    with pytest.raises(ConfigError) as caught:
        office.write(record("a"))

    office.connection = {**plain, "encryption": "none"}
    (receipt,) = office.write(record("a"))

    assert caught.value.code == "NAVE-K332"
    assert receipt.outcome is Outcome.ACCEPTED
    assert len(office.mails()) == 1


def test_smtps_works_as_well(office: Office) -> None:
    office.connection = {"smtp": f"smtps://127.0.0.1:{office.server.smtps}"}

    assert office.write(record("a"))[0].outcome is Outcome.ACCEPTED
