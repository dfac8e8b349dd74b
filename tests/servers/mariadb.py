"""A private MariaDB server, and a fixture that gives fresh databases on it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.servers.ports import free_port
from tests.servers.private import account, fresh_database, named_or_own, process


def mariadb_programs() -> tuple[str, str] | None:
    """mariadbd and mariadb-install-db; None where there are none."""
    places = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"))
    server, install = (shutil.which(name, path=places) for name in ("mariadbd", "mariadb-install-db"))
    return (server, install) if server and install else None


@contextmanager
def mariadb(programs: tuple[str, str]) -> Iterator[str]:
    """A MariaDB server of our own; yields the URL of its test database."""
    server, install = programs
    user = account("mysql")
    with tempfile.TemporaryDirectory(prefix="nave-maria-", ignore_cleanup_errors=True) as home:
        data, port = Path(home) / "data", free_port()
        if user:
            shutil.chown(home, user)
        common = [f"--datadir={data}", "--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=32M"]
        subprocess.run(
            [install, "--no-defaults", *common, "--auth-root-authentication-method=normal", "--skip-test-db"],
            user=user,
            check=True,
            capture_output=True,
            cwd=home,
        )
        listening = [f"--port={port}", "--bind-address=127.0.0.1", f"--socket={home}/socket", f"--pid-file={home}/pid"]
        url = f"mariadb+pymysql://root@127.0.0.1:{port}/mysql?charset=utf8mb4"
        command = [server, "--no-defaults", *common, *listening, "--character-set-server=utf8mb4"]
        with process(command, user, home, lambda: _answers(url)):
            yield url


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[str]:
    """The URL of a MariaDB server: one that the environment names, or one of our own."""
    yield from named_or_own("NAVE_TEST_MARIADB_URL", mariadb_programs(), mariadb, "MariaDB")


@pytest.fixture
def mariadb_url(mariadb_server: str) -> Iterator[str]:
    """A fresh database on a real MariaDB server."""
    with fresh_database(mariadb_server, driver="mariadb+pymysql") as url:
        yield url


def _answers(url: str) -> bool:
    engine = sa.create_engine(url)
    try:
        engine.connect().close()
    except sa.exc.OperationalError:
        return False
    finally:
        engine.dispose()
    return True
