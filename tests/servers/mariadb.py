"""A private MariaDB server, and a fixture that gives fresh databases on it."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.servers.ports import free_port

_numbers = count(1)


def mariadb_programs() -> tuple[str, str] | None:
    """mariadbd and mariadb-install-db; None where there are none."""
    places = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"))
    server, install = (shutil.which(name, path=places) for name in ("mariadbd", "mariadb-install-db"))
    return (server, install) if server and install else None


@contextmanager
def mariadb(programs: tuple[str, str]) -> Iterator[str]:
    """A MariaDB server of our own; yields the URL of its test database."""
    server, install = programs
    account = _account()
    with tempfile.TemporaryDirectory(prefix="nave-maria-", ignore_cleanup_errors=True) as home:
        data, port = Path(home) / "data", free_port()
        if account:
            shutil.chown(home, account)
        common = [f"--datadir={data}", "--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=32M"]
        subprocess.run(
            [install, "--no-defaults", *common, "--auth-root-authentication-method=normal", "--skip-test-db"],
            user=account,
            check=True,
            capture_output=True,
            cwd=home,
        )
        listening = [f"--port={port}", "--bind-address=127.0.0.1", f"--socket={home}/socket", f"--pid-file={home}/pid"]
        process = subprocess.Popen(
            [server, "--no-defaults", *common, *listening, "--character-set-server=utf8mb4"],
            user=account,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=home,
        )
        try:
            url = f"mariadb+pymysql://root@127.0.0.1:{port}/mysql?charset=utf8mb4"
            _until_answering(url, process)
            yield url
        finally:
            process.terminate()
            process.wait(30)


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[str]:
    """The URL of a MariaDB server: one that the environment names, or one of our own."""
    from tests.conftest import missing  # it loads before any plugin, and holds the one rule

    named = os.environ.get("NAVE_TEST_MARIADB_URL")
    programs = mariadb_programs()
    if named:
        yield named
    elif programs is None:
        missing("MariaDB")
    else:
        with mariadb(programs) as url:
            yield url


@pytest.fixture
def mariadb_url(mariadb_server: str) -> Iterator[str]:
    """A fresh database on a real MariaDB server."""
    name = f"nave_test_{os.getpid()}_{next(_numbers)}"
    server = sa.create_engine(mariadb_server, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    yield sa.make_url(mariadb_server).set(database=name).render_as_string(hide_password=False)
    with server.connect() as connection:
        connection.execute(sa.text(f"DROP DATABASE {name}"))
    server.dispose()


def _account() -> str | None:
    """MariaDB refuses to run as root."""
    if os.getuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "mysql" if "mysql" in names else "nobody"


def _until_answering(url: str, process: subprocess.Popen[bytes]) -> None:
    engine = sa.create_engine(url)
    deadline = time.monotonic() + 60
    try:
        while time.monotonic() < deadline and process.poll() is None:
            try:
                engine.connect().close()
            except sa.exc.OperationalError:
                time.sleep(0.1)
            else:
                return
    finally:
        engine.dispose()
    raise RuntimeError("MariaDB did not start")
