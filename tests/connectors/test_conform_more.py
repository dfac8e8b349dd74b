"""The conformance kit before FTP, SMB, mail and Tryton: one fault each in the quick tests, all of them in the long ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from nave.connectors.conformance import StreamConformance
from nave.connectors.files.ftp.conform import CONFORMANCE as FTP
from nave.connectors.files.smb.conform import CONFORMANCE as SMB
from nave.connectors.mail.conform import CONFORMANCE as MAIL
from nave.connectors.tryton.conform import CONFORMANCE as TRYTON
from tests.connectors.conform_pages import differences
from tests.connectors.conform_peers import Config, of_ftpd, of_mail, of_smbd, of_tryton
from tests.servers.dovecot import Dovecot
from tests.servers.samba import Smbd
from tests.servers.smtp import Exim
from tests.servers.tryton import Erp
from tests.servers.vsftpd import Ftpd

pytest_plugins = ["tests.connectors.mail_fixtures", "tests.servers.tryton_fixtures"]
pytestmark = [pytest.mark.service, pytest.mark.timeout(1800)]


@pytest.fixture
def ftp(ftp_server: Ftpd, tmp_path: Path) -> Config:
    return of_ftpd(ftp_server, tmp_path)


@pytest.fixture
def mlsd(mlsd_server: Ftpd, tmp_path: Path) -> Config:
    return of_ftpd(mlsd_server, tmp_path)


@pytest.fixture
def smb(smb_server: Smbd) -> Config:
    return of_smbd(smb_server)


@pytest.fixture
def mail(imap_server: Dovecot, smtp_server: Exim) -> Config:
    return of_mail(imap_server, smtp_server)


@pytest.fixture
def tryton(erp: Erp) -> Config:
    return of_tryton(erp)


_QUICK = [(FTP, "ftp"), (SMB, "smb"), (MAIL, "mail")]
_ALL = [*_QUICK, (FTP, "mlsd"), (TRYTON, "tryton")]


@pytest.mark.parametrize(("declared", "server"), _QUICK, ids=[server for _, server in _QUICK])
def test_an_answer_that_is_lost_in_the_middle_loses_nothing_and_doubles_nothing(
    declared: StreamConformance, server: str, request: pytest.FixtureRequest
) -> None:
    report = declared.run(request.getfixturevalue(server), places=1, only=("dropped",))

    assert not report.broken
    assert not [one for language in ("en", "zh") for one in differences(report, language, sampled=True)]


@pytest.mark.long
@pytest.mark.parametrize(("declared", "server"), _ALL, ids=[server for _, server in _ALL])
def test_whatever_a_server_s_connection_does_the_page_says_what_holds(
    declared: StreamConformance, server: str, request: pytest.FixtureRequest
) -> None:
    report = declared.run(request.getfixturevalue(server))

    assert not report.broken
    assert not [one for language in ("en", "zh") for one in differences(report, language, sampled=True)]
