"""What only one kind of servers does: names in other encodings, sessions that end, files that others have open."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from nave.connectors.files.ftp import share as ftp_share
from nave.connectors.files.ftp.share import FtpShare
from nave.connectors.files.smb.share import SmbShare
from tests.connectors.dropping import records, rows
from tests.connectors.far import far_drop
from tests.servers.openssh import Sshd
from tests.servers.samba import Smbd
from tests.servers.vsftpd import Ftpd

pytestmark = pytest.mark.service


def test_names_in_any_encoding_come_over_sftp(ssh_server: Sshd, tmp_path: Path) -> None:
    far = far_drop(ssh_server, tmp_path)
    (Path(os.fsdecode(os.fsencode(far.folder) + b"/" + "订单.csv".encode("gbk")))).write_text(rows(0, 1))
    far.put("b.csv", rows(1, 1))

    far.run()

    assert sorted(one["ID"] for one in far.landed) == ["000000", "000001"]
    assert len(far.archived()) == 2


def test_names_in_gbk_are_read_and_written(ftp_server: Ftpd, tmp_path: Path) -> None:
    far = far_drop(ftp_server, tmp_path, names="gbk")
    written_there = Path(os.fsdecode(os.fsencode(far.folder) + b"/" + "订单.csv".encode("gbk")))
    written_there.write_text(rows(0, 1))

    far.run()

    assert far.landed == records(0, 1)
    assert far.batches[0].origin["file"] == "订单.csv"
    assert [os.fsencode(name) for name in far.archived()] == ["订单.csv".encode("gbk")]


def test_a_server_that_ends_the_session_while_a_file_is_landed_is_called_again(
    ftp_server: Ftpd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ftp_share, "_IDLE", 0.0)
    far = far_drop(ftp_server, tmp_path)
    far.put("a.csv", rows(0, 25))

    def hang_up(step: str) -> None:
        if step == "before the commit":
            for process in ftp_server.sessions():
                os.kill(process, signal.SIGKILL)

    far.run(hang_up)

    assert far.landed == records(0, 25)
    assert far.archived() == ["a.csv"]


def test_a_file_that_somebody_still_has_open_is_left_alone_with_its_marker(smb_server: Smbd, tmp_path: Path) -> None:
    far = far_drop(smb_server, tmp_path, {"ready": {"marker": ".ok"}})
    for name, first in (("a.csv", 0), ("b.csv", 5)):
        far.put(name, rows(first, 5))
        far.put(f"{name}.ok", b"")
    share = far.way.connect(far.connection, far.hub, True)
    assert isinstance(share, SmbShare)

    with share._open(
        f"{far.connection.path}/a.csv", 0x2, 0x7
    ):  # as a program that writes, and lets others do what they like
        far.run()
        while_open = list(far.landed)
        far.run()
    share.close()
    far.run()

    assert while_open == records(5, 5)
    assert far.landed == [*records(5, 5), *records(0, 5)]
    assert far.archived() == ["a.csv", "b.csv"]
    assert len(far.files()) == 2


def test_a_file_that_changes_while_it_is_fetched_is_left_alone_until_it_stands_still(
    ftp_server: Ftpd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    far = far_drop(ftp_server, tmp_path)
    far.put("a.csv", rows(0, 15))
    get = FtpShare.get

    def growing(self: FtpShare, path: str, start: int, size: int) -> Iterator[bytes]:
        yield from get(self, path, start, size)
        with Path(path).open("a") as file:
            file.write("000015\n")

    with monkeypatch.context() as patch:
        patch.setattr(FtpShare, "get", growing)
        far.run()
    changing = list(far.landed)
    far.run()

    assert changing == []
    assert far.landed == records(0, 16)
    assert far.refused == []
    assert far.copies() == []


def test_a_share_refuses_a_name_that_is_taken_by_itself(smb_server: Smbd, tmp_path: Path) -> None:
    far = far_drop(smb_server, tmp_path)
    far.put("a.csv", "mine")
    far.put("b.csv", "theirs")
    share = far.way.connect(far.connection, far.hub, True)

    with pytest.raises(FileExistsError):
        share.rename(f"{far.connection.path}/a.csv", f"{far.connection.path}/b.csv")

    share.close()
    assert (far.folder / "b.csv").read_text() == "theirs"


def test_a_name_with_a_byte_that_means_something_else_to_ftp_is_left_alone(ftp_server: Ftpd, tmp_path: Path) -> None:
    far = far_drop(ftp_server, tmp_path)
    odd = Path(os.fsdecode(os.fsencode(far.folder) + b"/a\xffb.csv"))
    odd.write_text(rows(0, 1))

    far.run()

    assert far.landed == []
    assert odd.exists()
