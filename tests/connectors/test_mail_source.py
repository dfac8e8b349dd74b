"""Attachments from a real IMAP server: each lands once, and its message is put away only behind the commit."""

from __future__ import annotations

import imaplib
import io
import smtplib
import socket
import ssl
import time
import zipfile
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from nave.connectors.contracts import ErrorsCase, ErrorsContract, SourceCase, SourceContract, every
from nave.connectors.mail import SPEC
from nave.connectors.mail.errors import translating
from nave.connectors.mail.source import MailSource
from nave.core.errors import ConfigError, PermanentError, RetryableError
from nave.core.protocols import Setting
from tests.connectors.dropping import Killed, killing_at, records, rows
from tests.connectors.mail_peer import Hub, Mailbox, attach, mail

pytestmark = pytest.mark.service
pytest_plugins = ["tests.connectors.mail_fixtures"]


@pytest.fixture
def hub(mailbox: Mailbox, tmp_path: Path) -> Hub:
    return Hub(mailbox, tmp_path)


class TestSource(SourceContract):
    @pytest.fixture
    def case(self, mailbox: Mailbox, tmp_path: Path) -> SourceCase:
        numbers = iter(range(1000))

        def world() -> Callable[[], MailSource]:
            mailbox.clear()
            both = attach(mail("a.csv", rows(0, 25)), "b.csv", rows(25, 5))
            mailbox.put(both)
            mailbox.put(mail("c.csv", rows(30, 20), "2"))
            return Hub(mailbox, tmp_path / str(next(numbers))).source

        return SourceCase(world=world, expected=records(0, 50))


class TestErrors(ErrorsContract):
    @pytest.fixture
    def case(self) -> ErrorsCase:
        imap = every(imaplib.IMAP4.error, lambda kind: kind("NO"))
        smtp = every(smtplib.SMTPException, _made)
        lost = [OSError("x"), EOFError(), TimeoutError("timed out"), socket.gaierror(-2, "unknown"), ssl.SSLError("x")]
        certificate = ssl.SSLCertVerificationError("expired")
        return ErrorsCase(lambda: translating("imaps://host"), [*imap, *smtp, *lost, certificate])


def _made(kind: type[BaseException]) -> BaseException:
    arguments: dict[type[BaseException], tuple[Any, ...]] = {
        smtplib.SMTPSenderRefused: (550, b"no", "a@b"),
        smtplib.SMTPRecipientsRefused: ({"a@b": (550, b"no")},),
    }
    return kind(*arguments.get(kind, (550, b"no") if issubclass(kind, smtplib.SMTPResponseException) else ("x",)))


def test_a_message_is_marked_as_seen_and_not_read_again(hub: Hub) -> None:
    hub.box.put(mail("a.csv", rows(0, 3)))

    hub.run().run()

    assert hub.landed == records(0, 3)
    assert hub.box.flags() == ["\\Seen"]
    assert hub.batches[0].origin["message"] == "<1@example.test>"
    assert hub.batches[0].origin["sender"] == "orders@example.test"


def test_a_message_is_moved_to_done_or_failed_once_its_last_batch_is_committed(hub: Hub) -> None:
    hub.options = {"done": "已处理", "failed": "失败 & co"}
    hub.box.put(mail("a.csv", rows(0, 25)))
    hub.box.put(mail("bad.csv", b"ID\n\x00\n", "2"))

    with pytest.raises(Killed):
        hub.run(killing_at(5))
    assert len(hub.box.messages()) == 2
    hub.run()

    assert hub.landed == records(0, 25)
    assert hub.refused == [("bad.csv", "NAVE-D106")]
    assert hub.box.messages() == []
    assert [one["message-id"] for one in hub.box.messages('"&XfJZBHQG-"')] == ["<1@example.test>"]
    assert hub.box.flags('"&WTGNJQ- &- co"') == ["\\Flagged"]


def test_a_message_that_comes_again_is_recognised_by_its_id_and_what_is_in_it(hub: Hub) -> None:
    hub.box.put(mail("a.csv", rows(0, 3)))
    hub.run()
    hub.box.put(mail("a.csv", rows(0, 3)))
    hub.box.put(mail("a.csv", rows(3, 3)))

    hub.run()

    assert hub.landed == records(0, 6)
    assert hub.box.flags() == ["\\Seen"] * 3


def test_numbers_that_the_server_gives_anew_lose_nothing_and_repeat_nothing(hub: Hub) -> None:
    hub.options = {"folder": "Orders"}
    hub.box.make("Orders")
    hub.box.put(mail("a.csv", rows(0, 3)), "Orders")
    hub.box.put(mail("b.csv", rows(3, 3), "2"), "Orders")
    hub.run()
    hub.box.renew("Orders")
    hub.box.put(mail("c.csv", rows(6, 3), "3"), "Orders")

    with capture_logs() as log:
        hub.run()

    assert hub.landed == records(0, 9)
    assert "mail.renumbered" in [one["event"] for one in log]


def test_what_does_not_fit_is_left_as_it_is_and_said_once(hub: Hub) -> None:
    hub.box.put(mail("notes.txt", "hello"))
    hub.box.put(mail("a.csv", rows(0, 1), "2"))

    with capture_logs() as log:
        hub.run().run()

    assert hub.landed == records(0, 1)
    assert hub.box.flags() == ["", "\\Seen"]
    assert [one["why"] for one in log if one["event"] == "mail.left"] == ["nothing fits"]


def test_only_senders_on_the_list_are_read(hub: Hub) -> None:
    hub.options = {"senders": ["*@example.test", "bank@other.test"]}
    two = mail("d.csv", rows(0, 1), "4")
    two["Sender"] = "orders@example.test"
    two.replace_header("From", "orders@example.test, evil@bad.test")
    hub.box.put(mail("a.csv", rows(0, 1), "1", "evil@bad.test"))
    hub.box.put(mail("b.csv", rows(1, 1), "2", "orders@example.test.bad.test"))
    hub.box.put(mail("c.csv", rows(2, 1), "3", "Bank@Other.test"))
    hub.box.put(two)

    hub.run()

    assert hub.ids() == ["000002"]
    assert hub.box.flags() == ["", "", "\\Seen", ""]


@pytest.mark.parametrize(
    ("headers", "read"),
    [
        ([], False),
        (["mx.example.test; dmarc=pass header.from=example.test"], True),
        (["mx.example.test 1; spf=pass; dmarc = pass (p=none)"], True),
        (["mx.example.test; spf=pass (dmarc=pass; x)"], False),
        (['mx.example.test; spf=fail reason="; dmarc=pass"'], False),
        (["mx.example.test; dmarc=fail", "mx.example.test; dmarc=pass"], False),
        (["evil.test; dmarc=pass", "mx.example.test; dmarc=pass"], False),
    ],
)
def test_the_own_server_must_have_found_the_sender_to_be_true(hub: Hub, headers: list[str], read: bool) -> None:
    hub.options = {"authenticated_by": "mx.example.test"}
    top = "".join(f"Authentication-Results: {one}\n" for one in headers)
    hub.box.put(top.encode() + mail("a.csv", rows(0, 1)).as_bytes())

    assert hub.run().ids() == (["000000"] if read else [])


@pytest.mark.parametrize(
    ("header", "name"),
    [
        (b'filename="=?gb2312?B?tqm1pS5jc3Y=?="', "订单.csv"),
        (b"filename*=UTF-8''%E8%AE%A2%E5%8D%95.csv", "订单.csv"),
        (b"filename*0*=gb2312''%B6%A9;\n filename*1*=%B5%A5.csv", "订单.csv"),
        ('filename="订单.csv"'.encode("gbk"), "订单.csv"),
        ('filename="订单.csv"'.encode(), "订单.csv"),
        (b'filename="..\\\\..\\\\a.CSV"', "a.CSV"),
        (b'filename="/etc/passwd/../b.csv"', "b.csv"),
    ],
)
def test_names_of_attachments_are_data_in_whatever_way_they_are_written(hub: Hub, header: bytes, name: str) -> None:
    hub.options = {"pattern": "*.csv"}
    body = b"ID\n000000\n"
    hub.box.put(
        b"From: a@example.test\nMessage-ID: <1@x>\nMIME-Version: 1.0\nContent-Type: text/csv\n"
        b"Content-Disposition: attachment; " + header + b"\n\n" + body
    )

    hub.run()

    assert [batch.origin["file"] for batch in hub.batches] == [name]
    assert hub.landed == records(0, 1)


def test_inline_images_and_messages_within_messages_are_not_attachments(hub: Hub) -> None:
    hub.options = {"pattern": "*"}
    message = mail("a.csv", rows(0, 1))
    attach(message, "logo.png", b"\x89PNG", "image/png")
    next(part for part in message.iter_attachments() if part.get_filename() == "logo.png")["Content-ID"] = "<1>"
    inner = EmailMessage()
    inner.add_attachment(mail("b.csv", rows(1, 1), "2"))
    message.add_attachment(mail("b.csv", rows(1, 1), "2"))

    hub.box.put(message)

    assert hub.run().ids() == ["000000"]
    assert hub.refused == []


def test_types_narrow_what_is_taken(hub: Hub) -> None:
    hub.options = {"types": ["text/*"]}
    hub.box.put(attach(mail("a.csv", rows(0, 1)), "b.csv", rows(1, 1), "application/pdf"))

    assert hub.run().ids() == ["000000"]


def test_packed_attachments_are_read_member_by_member(hub: Hub) -> None:
    hub.options = {"pattern": "*.zip", "packed": "zip", "members": "*.csv"}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in (("b.csv", rows(15, 5)), ("a.csv", rows(0, 15)), ("readme.txt", "x")):
            archive.writestr(name, content)
    hub.box.put(mail("orders.zip", packed.getvalue()))

    with pytest.raises(Killed):
        hub.run(killing_at(5))
    hub.run()

    assert hub.landed == records(0, 20)
    assert [batch.origin["member"] for batch in hub.batches] == ["a.csv", "a.csv", "b.csv"]


def test_a_file_that_is_weighed_and_found_wanting_is_refused_before_anything_of_it_lands(hub: Hub) -> None:
    def weigh(name: str, file: Any) -> dict[str, str | int]:
        lines = len(file.readlines())
        if lines > 2:
            raise PermanentError("NAVE-S021")
        return {"weight": lines}

    hub.weigh = weigh
    hub.box.put(attach(mail("a.csv", rows(0, 5)), "b.csv", rows(5, 1)))

    hub.run()

    assert hub.refused == [("a.csv", "NAVE-S021")]
    assert hub.landed == records(5, 1)
    assert hub.batches[-1].origin["weight"] == 2
    assert hub.box.flags() == ["\\Flagged"]


def _cut_off() -> bytes:
    return mail("a.csv", rows(0, 100)).as_bytes()[:-60]


def _without_its_end() -> bytes:
    whole = mail("a.csv", rows(0, 100)).as_bytes()
    return whole[: whole.rindex(b"\n--")]


def _broken_base64() -> bytes:
    message = mail("a.csv", rows(0, 1)).as_bytes()
    head, _, _ = message.rpartition(b"SUQ")
    return head + b"SUQ*KMDAw\n" + message[message.rindex(b"\n--") :]


def _too_many() -> bytes:
    message = mail("0.csv", rows(0, 1))
    for number in range(101):
        attach(message, f"{number}.csv", rows(0, 1))
    return message.as_bytes()


def _nested(depth: int) -> bytes:
    return b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (one, one) for one in range(depth))


@pytest.mark.parametrize(
    ("made", "code"),
    [(_cut_off, "NAVE-K336"), (_without_its_end, "NAVE-K336"), (_broken_base64, "NAVE-K336"), (_too_many, "NAVE-K337")],
)
def test_a_torn_or_hostile_message_is_refused_whole_and_its_neighbours_are_read(
    hub: Hub, made: Callable[[], bytes], code: str
) -> None:
    hub.box.put(made())
    hub.box.put(mail("b.csv", rows(0, 1), "2"))

    hub.run().run()

    assert hub.refused == [("message 1", code)]
    assert hub.landed == records(0, 1)
    assert hub.box.flags() == ["\\Flagged", "\\Seen"]


@pytest.mark.parametrize(("levels", "lines"), [(100, 250_000), (3000, 1)])
def test_parts_within_parts_are_no_way_to_stop_the_hub(hub: Hub, levels: int, lines: int) -> None:
    hub.box.put(b"From: a@example.test\nMIME-Version: 1.0\n" + _nested(levels) + b"x\n" * lines)
    hub.box.put(mail("b.csv", rows(0, 1), "2"))
    begun = time.monotonic()

    hub.run()

    assert hub.refused == [("message 1", "NAVE-K336")]
    assert hub.landed == records(0, 1)
    assert time.monotonic() - begun < 20


def test_a_message_that_is_too_large_is_refused_unread_unless_nobody_asked_for_it(hub: Hub) -> None:
    hub.connection = {"largest": "10KB"}
    hub.options = {"senders": ["*@example.test"]}
    hub.box.put(mail("a.csv", rows(0, 5000)))
    hub.box.put(mail("a.csv", rows(0, 5000), "2", "evil@bad.test"))
    hub.box.put(mail("b.csv", rows(0, 1), "3"))

    hub.run()

    assert hub.refused == [("message 1", "NAVE-K335")]
    assert hub.landed == records(0, 1)


@pytest.mark.parametrize("each", [6, pytest.param(1, marks=pytest.mark.long)])
def test_killed_between_any_two_steps_only_the_uncommitted_batch_comes_again(
    mailbox: Mailbox, tmp_path: Path, each: int
) -> None:
    for number in range(0, 60, each):
        mailbox.clear()
        hub = Hub(mailbox, tmp_path / str(number), {"done": "done", "failed": "failed"})
        mailbox.put(attach(mail("a.csv", rows(0, 15)), "b.csv", rows(15, 5)))
        mailbox.put(mail("bad.csv", b"ID\n\x00\n", "2"))
        mailbox.put(mail("c.csv", rows(20, 5), "3"))
        try:
            hub.run(killing_at(number))
            finished = True
        except Killed:
            hub.run()
            finished = False

        assert hub.ids() == [f"{one:06d}" for one in range(25)], number
        assert {name for name, _ in hub.refused} == {"bad.csv"}
        assert mailbox.messages() == []
        assert list((tmp_path / str(number) / ".nave" / "mail" / "erp.orders").glob("attachment")) == []
        if finished:
            return
    pytest.fail("the steps never ended")


def test_two_readers_of_one_source_keep_out_of_each_others_way(hub: Hub) -> None:
    hub.box.put(mail("a.csv", rows(0, 25)))
    first = hub.source().read(None)
    next(first)

    with pytest.raises(RetryableError) as caught:
        next(hub.source().read(None))

    assert caught.value.code == "NAVE-S017"
    first.close()  # type: ignore[attr-defined]


def test_a_folder_that_is_not_there_is_said_clearly(hub: Hub) -> None:
    hub.options = {"folder": "Orders"}

    with pytest.raises(ConfigError) as caught:
        hub.run()

    assert caught.value.code == "NAVE-K334"


def test_a_look_shows_the_latest_first_and_marks_and_moves_nothing(mailbox: Mailbox, tmp_path: Path) -> None:
    hub = Hub(mailbox, tmp_path, {"done": "done", "failed": "failed"})
    mailbox.put(mail("a.csv", rows(0, 3)))
    mailbox.put(mail("bad.csv", b"ID\n\x00\n", "2"))
    mailbox.put(mail("b.csv", rows(3, 2), "3"))
    source = hub.source()
    assert SPEC.look is not None

    with SPEC.look(source._connection, source._options, Setting("erp.orders", tmp_path)) as looking:
        shown = list(looking.read(None))

    assert [record for batch in shown for record in batch.records] == [*records(3, 2), *records(0, 3)]
    assert [one.raw for batch in shown for one in batch.refused] == ["message 2"]
    assert mailbox.flags() == ["", "", ""]
    assert not (tmp_path / ".nave" / "mail").exists()
    assert hub.run().landed == records(0, 5)
