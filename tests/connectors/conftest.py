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
