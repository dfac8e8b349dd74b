"""SFTP by password, against a server that is not OpenSSH's: asyncssh."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nave.connectors.files.options import FilesSinkOptions
from nave.connectors.files.remote import There
from nave.connectors.files.sftp import WAY
from nave.connectors.files.sink import FilesSink
from nave.core.errors import LoginError
from nave.core.protocols import Outcome, Setting
from tests.conftest import missing
from tests.connectors.dropping import records, rows
from tests.connectors.far import FarDrop, record, written
from tests.servers.asyncsshd import AsyncSshd, asyncsshd, asyncsshd_program

pytestmark = pytest.mark.service


@pytest.fixture(scope="module")
def server() -> Iterator[AsyncSshd]:
    program = asyncsshd_program()
    if program is None:
        missing("asyncssh for the system's Python")
    assert program is not None
    with asyncsshd(program) as running:
        yield running


def connection(server: AsyncSshd, folder: Path, **more: Any) -> Any:
    good = {"user": server.user, "password": server.password, "host_key": server.fingerprint, "timeout": "60s"}
    return WAY.options.model_validate({"url": f"sftp://127.0.0.1:{server.port}{folder}", **good, **more})


def drop(server: AsyncSshd, base: Path, **more: Any) -> FarDrop:
    folder = base / "drop"
    folder.mkdir()
    return FarDrop(folder, {}, way=WAY, connection=connection(server, folder, **more), hub=base)


def test_files_are_taken_by_password(server: AsyncSshd, tmp_path: Path) -> None:
    far = drop(server, tmp_path)
    far.put("a.csv", rows(0, 15))

    assert far.run().landed == records(0, 15)
    assert not (far.folder / "a.csv").exists()


def test_files_are_written_by_password(server: AsyncSshd, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    setting = Setting("erp.customers", tmp_path)
    there = There(WAY.server(connection(server, tmp_path / "out"), setting), setting)
    options = FilesSinkOptions.model_validate({"name": "customers_{seq}.csv", "format": {"type": "csv"}})

    with FilesSink.at(there, options, setting) as sink:
        receipts = [sink.write([record("1", 1, "甲")])[0] for _ in range(2)]

    assert [one.outcome for one in receipts] == [Outcome.ACCEPTED, Outcome.DUPLICATE]
    assert [row["name"] for row in written(tmp_path)] == ["甲"]


def test_a_wrong_password_is_shown_once_and_a_right_one_at_once(server: AsyncSshd, tmp_path: Path) -> None:
    far = drop(server, tmp_path, password="canary-5ecret")
    far.put("a.csv", rows(0, 1))
    before = server.refused()

    for _ in range(3):
        with pytest.raises(LoginError) as caught:
            far.run()
    shown = server.refused() - before
    far.connection = connection(server, far.folder)

    assert (shown, caught.value.code) == (1, "NAVE-K283")
    assert "canary" not in f"{caught.value.text('en')}{caught.value.text('zh')}"
    assert far.run().landed == records(0, 1)
