"""Mail servers that the tests of the mail connector share; a test module names this module in `pytest_plugins`."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest

from tests.conftest import missing
from tests.connectors.mail_peer import Mailbox
from tests.servers.dovecot import Dovecot, dovecot, dovecot_program
from tests.servers.smtp import Exim, exim, exim_program

_numbers = count(1)


@pytest.fixture(scope="session")
def imap_server() -> Iterator[Dovecot]:
    """A running Dovecot that many tests share."""
    program = dovecot_program()
    if program is None:
        missing("Dovecot")
    else:
        with dovecot(program) as server:
            yield server


@pytest.fixture(scope="session")
def smtp_server(imap_server: Dovecot) -> Iterator[Exim]:
    """A running Exim that delivers into that Dovecot."""
    program = exim_program()
    if program is None:
        missing("Exim, run by root")
    else:
        with exim(program, imap_server) as server:
            yield server


@pytest.fixture
def mailbox(imap_server: Dovecot) -> Iterator[Mailbox]:
    """A fresh, empty mailbox."""
    with Mailbox(imap_server, f"box{next(_numbers)}") as box:
        yield box
