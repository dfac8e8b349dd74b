"""Databases and drop folders that the connectors are tried on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from nave.connectors.sql.options import SqlOptions
from tests.conftest import missing
from tests.connectors.dropping import Drop
from tests.servers.mariadb import mariadb_server, mariadb_url
from tests.servers.openssh import Sshd, sshd, sshd_program
from tests.servers.pyftpd import pyftpd, pyftpd_program
from tests.servers.samba import Smbd, smbd, smbd_program
from tests.servers.vsftpd import Ftpd, vsftpd, vsftpd_program

__all__ = ["mariadb_server", "mariadb_url"]


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> SqlOptions:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return SqlOptions(url=f"sqlite:///{tmp_path / 'erp.db'}", busy="50ms")
    return SqlOptions(url=request.getfixturevalue({"postgresql": "postgres_url", "mariadb": "mariadb_url"}[request.param]))


@pytest.fixture
def drop(tmp_path: Path) -> Drop:
    folder = tmp_path / "drop"
    folder.mkdir()
    return Drop(folder)


@pytest.fixture(scope="session")
def ssh_server() -> Iterator[Sshd]:
    """A running OpenSSH server that many tests share."""
    program = sshd_program()
    if program is None:
        missing("OpenSSH's server")
    else:
        with sshd(program) as server:
            yield server


@pytest.fixture(scope="session")
def ftp_server() -> Iterator[Ftpd]:
    """A running vsftpd that many tests share; it tells of files by NLST."""
    program = vsftpd_program()
    if program is None:
        missing("vsftpd")
    else:
        with vsftpd(program) as server:
            yield server


@pytest.fixture(scope="session")
def mlsd_server() -> Iterator[Ftpd]:
    """A running FTP server that tells of files by MLSD."""
    program = pyftpd_program()
    if program is None:
        missing("Debian's pyftpdlib")
    else:
        with pyftpd(program) as server:
            yield server


@pytest.fixture(scope="session")
def smb_server() -> Iterator[Smbd]:
    """A running Samba server that many tests share."""
    program = smbd_program()
    if program is None:
        missing("Samba")
    else:
        with smbd(program) as server:
            yield server


@pytest.fixture(params=["ssh_server", "ftp_server", "mlsd_server", "smb_server"])
def server(request: pytest.FixtureRequest) -> Sshd | Ftpd | Smbd:
    """Each kind of file servers."""
    found: Sshd | Ftpd | Smbd = request.getfixturevalue(request.param)
    return found
