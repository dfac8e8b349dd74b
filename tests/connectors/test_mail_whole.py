"""A whole hub between two mailboxes: a table that is mailed to it goes on, mapped, as a mail of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.connectors.mail_peer import Mailbox, mail
from tests.connectors.test_mail_sink import Office
from tests.servers.dovecot import PASSWORD
from tests.servers.smtp import USER, Exim
from tests.whole import small

pytestmark = [pytest.mark.service, pytest.mark.slow]
pytest_plugins = ["tests.connectors.mail_fixtures"]

_ERP = """
system: erp
connections:
  post: {{type: mail, imap: "imaps://127.0.0.1:{port}", user: {user}, password: "${{env:NAVE_TEST_MAIL}}", ca: {ca}}}
sources:
  customers:
    entity: customer
    from: post
    mapping: erp/customer
    every: 1h
    pattern: "*.csv"
    format: {{type: csv}}
    senders: ["*@example.test"]
    done: done
    failed: failed
"""
_CRM = """
system: crm
connections:
  post: {{type: mail, smtp: "smtp://127.0.0.1:{port}", user: {user}, password: "${{env:NAVE_TEST_MAIL}}", ca: {ca}}}
sinks:
  customers:
    entity: customer
    to: post
    mapping: crm/customer
    sender: nave@example.test
    recipients: [{box}@example.test]
    subject: "{{count}} customers, {{date}}"
    name: "customers_{{date}}_{{id}}.csv"
    format: {{type: csv}}
    after_lost_answer: {after}
"""


@pytest.mark.parametrize(("after", "mails"), [("again", [25]), ("person", [10, 10, 5])])
def test_what_is_mailed_in_is_mailed_out(
    smtp_server: Exim, mailbox: Mailbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: str, mails: list[int]
) -> None:
    monkeypatch.setenv("NAVE_TEST_MAIL", PASSWORD)
    ca = smtp_server.certificate
    small.write(tmp_path, pattern="*.csv", form="{type: csv}")
    with Mailbox(mailbox.server, f"{mailbox.name}-crm") as office_box:
        erp = _ERP.format(port=mailbox.server.imaps, user=mailbox.name, ca=ca)
        crm = _CRM.format(port=smtp_server.smtp, user=USER, ca=ca, box=office_box.name, after=after)
        (tmp_path / "systems" / "erp.yaml").write_text(erp, "utf-8")
        (tmp_path / "systems" / "crm.yaml").write_text(crm, "utf-8")
        lines = "".join(f"C{number},公司{number},SH\n" for number in range(25))
        mailbox.put(mail("customers.csv", f"CODE,NAME,AREA\n{lines}"))
        mailbox.put(mail("bad.csv", b"CODE,NAME,AREA\n\x00\n", "2"))

        small.run(tmp_path)
        small.run(tmp_path)

        rows = Office(smtp_server, office_box, tmp_path).rows()
        assert sorted(row["NAME"] for row in rows) == sorted(f"公司{number}" for number in range(25))
        assert [int(one["subject"].split()[0]) for one in office_box.messages()] == mails
    assert [one["message-id"] for one in mailbox.messages("done")] == ["<1@example.test>"]
    assert [one["message-id"] for one in mailbox.messages("failed")] == ["<2@example.test>"]
    (letter,) = small.letters(tmp_path)
    assert letter.raw == "bad.csv"
