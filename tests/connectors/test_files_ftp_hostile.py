"""What the FTP connector makes of servers that no good one is like: it believes only what it can check."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest

from nave.connectors.files.ftp import SPEC, WAY
from nave.connectors.files.ftp.lists import facts, moment, no_files
from nave.connectors.files.ftp.options import FtpOptions
from nave.connectors.files.remote import There
from nave.connectors.files.share import FarFolder
from nave.core.errors import ConfigError, NaveError, RetryableError
from nave.core.protocols import Setting
from tests.connectors.ftp_peer import ftp_peer

_NLST = b"a.csv\r\n"
_LIST = b"-rw-r--r-- 1 0 0 3 Nov 22 10:52 a.csv\r\n"


def _connection(port: int, **more: object) -> FtpOptions:
    good = {"url": f"ftp://127.0.0.1:{port}/in", "user": "erp", "password": "geheim", "tls": False, "timeout": "2s"}
    return FtpOptions.model_validate({**good, **more})


def _names(port: int, folder: Path, **more: object) -> list[str]:
    there = There(WAY.server(_connection(port, **more), Setting("erp.orders", folder)), Setting("erp.orders", folder))
    with there.translating(), closing(there.server.connect()) as share:
        return FarFolder(share, "/in").names()


def test_a_server_that_sends_its_data_from_elsewhere_is_asked_where_it_is(tmp_path: Path) -> None:
    with ftp_peer({}, {"NLST": (_NLST, "226 done"), "LIST": (_LIST, "226 done")}) as port:
        assert _names(port, tmp_path) == ["a.csv"]


@pytest.mark.parametrize(
    ("answers", "lists", "missing"),
    [
        ({"FEAT": "500 what?"}, {}, "SIZE, MDTM"),
        ({"FEAT": "211-\r\n SIZE\r\n211 end"}, {}, "MDTM"),
        ({}, {"NLST": (_NLST, "226 done"), "LIST": (b"[F] a.csv 3\r\n", "226 done")}, "MLSD"),
        ({"MDTM": "213 yesterday"}, {"NLST": (_NLST, "226 done"), "LIST": (_LIST, "226 done")}, "SIZE, MDTM"),
    ],
)
def test_a_server_that_cannot_tell_what_it_has_is_refused(
    answers: dict[str, str], lists: dict[str, tuple[bytes, str]], missing: str, tmp_path: Path
) -> None:
    with ftp_peer(answers, lists) as port, pytest.raises(ConfigError) as caught:
        _names(port, tmp_path)

    assert caught.value.code == "NAVE-K286"
    assert caught.value.params["missing"] == missing


def test_a_folder_that_may_not_be_listed_is_no_empty_one(tmp_path: Path) -> None:
    lists = {"NLST": (b"", "226 Transfer done (but failed to open directory).")}
    with ftp_peer({}, lists) as port, pytest.raises(RetryableError) as caught:
        _names(port, tmp_path)

    assert caught.value.code == "NAVE-K289"


@pytest.mark.parametrize("said", ["450 No files found", "550 No files found"])
def test_an_empty_folder_may_be_told_as_an_error(said: str, tmp_path: Path) -> None:
    with ftp_peer({"NLST": said}) as port:
        assert _names(port, tmp_path) == []


@pytest.mark.parametrize("content", [b"x" * 20_000, b"a\n" * 100_100])
def test_a_list_without_an_end_is_given_up(content: bytes, tmp_path: Path) -> None:
    with ftp_peer({}, {"NLST": (content, "226 done")}) as port, pytest.raises(RetryableError) as caught:
        _names(port, tmp_path)

    assert caught.value.code == "NAVE-K280"


def test_an_answer_without_an_end_is_given_up(tmp_path: Path) -> None:
    with ftp_peer({"FEAT": "211-\r\n" + " more\r\n" * 5000 + "211 end"}) as port, pytest.raises(RetryableError) as caught:
        _names(port, tmp_path)

    assert caught.value.code == "NAVE-K280"


def test_a_server_that_answers_a_byte_at_a_time_is_given_up_in_time(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        slow = threading.Thread(target=_drip, args=(listener,))
        slow.start()
        began = time.monotonic()
        with pytest.raises(RetryableError) as caught:
            _names(listener.getsockname()[1], tmp_path, timeout="600ms")
        slow.join(20)

    assert caught.value.code == "NAVE-K280"
    assert time.monotonic() - began < 20


def _drip(listener: socket.socket) -> None:
    """A greeting that takes half a minute, each byte of it in time."""
    control, _ = listener.accept()
    with control, suppress(OSError):
        for _ in range(300):
            control.sendall(b"2")
            time.sleep(0.1)


def test_what_is_said_in_the_clear_never_counts_as_said_encrypted(tmp_path: Path) -> None:
    check = SPEC.check
    assert check is not None
    with ftp_peer({"AUTH": "234 go on\r\n230 logged in"}) as port, pytest.raises(RetryableError) as caught:
        check(_connection(port, tls=True), Setting("erp.orders", tmp_path))

    assert caught.value.code == "NAVE-K280"


def test_a_password_that_a_server_repeats_is_not_shown(tmp_path: Path) -> None:
    with ftp_peer({"PASS": "530 'geheim' is wrong"}) as port, pytest.raises(ConfigError) as caught:
        _names(port, tmp_path)

    assert caught.value.code == "NAVE-K283"
    assert "geheim" not in str(caught.value)


def test_a_server_without_encryption_is_told_nothing(tmp_path: Path) -> None:
    check = SPEC.check
    assert check is not None
    with ftp_peer({}) as port, pytest.raises(NaveError) as caught:
        check(_connection(port, tls=True), Setting("erp.orders", tmp_path))

    assert caught.value.code == "NAVE-K286"


def test_lists_made_for_people_are_believed_where_they_say_that_something_is_no_file() -> None:
    unix = "-rw-r--r-- 1 0 0 3 Nov 22 10:52 a.csv\ndrwxr-xr-x 2 0 0 4096 Nov 22 10:52 my folder"
    link = "lrwxrwxrwx 1 erp domain users 11 Nov  2 2024 l -> a.csv -> /etc/passwd"
    other = "drwxr-xr-x 2 erp erp 4096 22. Nov 10:52 ordner"
    dos = "11-22-26  10:52AM       <DIR>          sub\n11-22-26  10:52AM                 1234 b.csv"
    names = ["a.csv", "my folder", "l", "l -> a.csv", "sub", "b.csv", "ordner"]

    assert no_files(names, [*unix.splitlines(), link, other]) == {"my folder", "l", "l -> a.csv", "ordner"}
    assert no_files(names, dos.splitlines()) == {"sub"}
    assert no_files(names, ["[F] 3 a.csv"]) is None
    assert no_files(names, []) == set()


def test_facts_that_do_not_say_size_and_time_are_no_file() -> None:
    whole = facts("type=file;size=3;modify=20261122105230.250; a b;c=d.csv")

    assert whole is not None
    assert (whole[0], whole[1].st_size) == ("a b;c=d.csv", 3)
    assert whole[1].st_mtime_ns % 10**9 == 250_000_000
    assert facts("type=file;size=3; a.csv") is None
    assert facts("type=file;size=-3;modify=20261122105230; a.csv") is None
    assert facts("type=cdir;modify=20261122105230; .") is None
    assert facts("nonsense") is None
    assert moment("20261332105230") is None
