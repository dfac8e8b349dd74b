"""Files in and out of real servers, OpenSSH, vsftpd, pyftpdlib and Samba: each record lands once, whatever the server is."""

from __future__ import annotations

import errno
import ftplib
import json
import os
import socket
import ssl
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from nave.connectors.contracts import ErrorsCase, ErrorsContract, SinkCase, SinkContract, SourceCase, SourceContract, every
from nave.connectors.dropped.names import safe_name
from nave.connectors.files.source import FilesSource
from nave.core.errors import RetryableError
from tests.connectors.dropping import records, rows
from tests.connectors.far import WAYS, FarDrop, Server, far_drop, far_sink, place, record, written

pytestmark = pytest.mark.service

_SERVERS = ["ssh_server", "ftp_server", pytest.param("mlsd_server", marks=pytest.mark.long), "smb_server"]
"""For the contracts, which take long and ask for nothing that one kind of lists has to do with."""


@pytest.fixture
def far(server: Server, tmp_path: Path) -> FarDrop:
    return far_drop(server, tmp_path)


@pytest.mark.parametrize("server", _SERVERS, indirect=True)
class TestSource(SourceContract):
    @pytest.fixture
    def case(self, server: Server, tmp_path: Path) -> SourceCase:
        numbers = iter(range(1000))

        def world() -> Callable[[], FilesSource]:
            made = far_drop(server, tmp_path / str(next(numbers)))
            for name, first, count in (("a.csv", 0, 15), ("b.csv", 15, 2), ("c.csv", 17, 10)):
                made.put(name, rows(first, count))
            return made.source

        return SourceCase(world=world, expected=records(0, 27))


@pytest.mark.parametrize("server", _SERVERS, indirect=True)
class TestSink(SinkContract):
    @pytest.fixture
    def case(self, server: Server, tmp_path: Path) -> SinkCase:
        base = place(server, tmp_path)
        return SinkCase(
            open=lambda: far_sink(server, tmp_path),
            held=lambda: {row["code"]: row["name"] for row in written(base)},
            effects=lambda: len(written(base)),
            record=record,
        )


_SYSTEM = [OSError(number, os.strerror(number)) for number in (errno.ENOENT, errno.EACCES, errno.EAGAIN, errno.ECONNRESET)]


def _of_sftp() -> list[BaseException]:
    from paramiko.ssh_exception import SSHException

    lost = [OSError("Failure"), EOFError(), TimeoutError("timed out"), socket.gaierror(-2, "unknown")]
    return [*every(SSHException, _made), *lost]


def _of_ftp() -> list[BaseException]:
    vendor = every(ftplib.Error, lambda kind: kind("550 no"))
    tls = [ssl.SSLError(1, "bad"), ssl.SSLCertVerificationError(1, "expired")]
    return [*vendor, *tls, EOFError(), TimeoutError("timed out"), ValueError("an illegal newline")]


def _of_smb() -> list[BaseException]:
    from smbprotocol.exceptions import SMBException, SMBLinkRedirectionError, SMBResponseException

    made: dict[type[BaseException], Callable[[type[BaseException]], BaseException]] = {
        SMBResponseException: lambda kind: kind.__new__(kind),
        SMBLinkRedirectionError: lambda kind: kind("no", "a", "b"),
    }
    return [*every(SMBException, lambda kind: made.get(kind, _made)(kind)), ValueError("Failed to connect")]


def _made(kind: type[BaseException]) -> BaseException:
    """Each kind of a library's errors wants other arguments, and some cannot be shown without them."""
    try:
        return kind()
    except TypeError:
        return kind.__new__(kind, "as the library says")


_VENDORS: dict[str, Callable[[], list[BaseException]]] = {"sftp": _of_sftp, "ftp": _of_ftp, "smb": _of_smb}


@pytest.mark.parametrize("way", list(_VENDORS))
class TestErrors(ErrorsContract):
    @pytest.fixture
    def case(self, way: str) -> ErrorsCase:
        return ErrorsCase(lambda: WAYS[way].translating(f"{way}://host/in"), [*_VENDORS[way](), *_SYSTEM])


def test_a_file_is_claimed_fetched_landed_and_archived_on_the_server(far: FarDrop) -> None:
    far.put("orders_1.csv", rows(0, 25))
    far.put("订单 2.csv", rows(25, 1))

    far.run()

    assert far.landed == records(0, 26)
    assert far.archived() == ["orders_1.csv", "订单 2.csv"]
    assert [path for path in far.files() if not path.startswith("archive/")] == []
    assert far.copies() == []
    assert [far.batches[0].origin["file"], far.batches[-1].origin["file"]] == ["orders_1.csv", "订单 2.csv"]


def test_the_spool_is_nobody_elses_business(far: FarDrop) -> None:
    far.put("a.csv", rows(0, 25))
    modes: list[int] = []

    def look(step: str) -> None:
        spool = far.hub / ".nave" / "spool" / "erp.orders"
        modes.extend(path.stat().st_mode & 0o077 for path in (spool, *spool.iterdir()) if path.name != "looks.json")

    far.run(look)

    assert far.landed
    assert set(modes) == {0}


def test_a_file_is_taken_at_the_second_look_that_finds_it_the_same_whatever_the_servers_clock_says(far: FarDrop) -> None:
    far.options["ready"] = {"quiet": "300ms"}
    for name, age in (("old.csv", 10**6), ("future.csv", -(10**6))):
        path = far.put(name, rows(age % 7, 1))
        os.utime(path, (time.time() - age, time.time() - age))

    far.run()

    assert far.archived() == ["future.csv", "old.csv"]


def test_what_still_grows_is_left_alone_and_pending(far: FarDrop) -> None:
    far.options["ready"] = {"quiet": "1h"}
    far.put("a.csv", rows(0, 1))
    pending = far.way.spec().pending
    assert pending is not None

    far.run()

    assert far.landed == []
    assert far.files() == ["a.csv"]
    assert pending(far.connection, far.source()._options, far.setting)


def test_a_look_is_remembered_by_the_next_process_and_begins_anew_when_the_file_changed(far: FarDrop) -> None:
    far.options["ready"] = {"quiet": "1h"}
    path = far.put("a.csv", rows(0, 1))
    far.run()
    _long_ago(far)

    path.write_text(rows(0, 2))
    far.run()
    grown = list(far.landed)
    _long_ago(far)
    far.run()

    assert grown == []
    assert far.landed == records(0, 2)


def _long_ago(far: FarDrop) -> None:
    """The last look was a day ago."""
    looks = far.hub / ".nave/spool/erp.orders/looks.json"
    seen = json.loads(looks.read_text())
    looks.write_text(json.dumps({name: (size, changed, at - 86_400) for name, (size, changed, at) in seen.items()}))


def test_a_marker_makes_a_file_ready_and_goes_with_it(far: FarDrop) -> None:
    far.options["ready"] = {"marker": ".ok"}
    far.put("a.csv", rows(0, 3))
    assert far.run().landed == []

    far.put("a.csv.ok", b"")
    far.run()

    assert far.landed == records(0, 3)
    assert far.files() == [f"archive/{path.name}/a.csv" for path in (far.folder / "archive").iterdir()]


def test_links_and_folders_are_left_alone(far: FarDrop) -> None:
    secret = far.hub / "secret.csv"
    secret.write_text(rows(7, 1))
    for name in ("link.csv", "a -> b.csv"):
        (far.folder / name).symlink_to(secret)
    (far.folder / "folder.csv").mkdir()
    far.put("b.csv", rows(0, 1))

    far.run()

    assert far.landed == records(0, 1)
    assert all((far.folder / name).is_symlink() for name in ("link.csv", "a -> b.csv"))
    assert (far.folder / "folder.csv").is_dir()


def test_odd_names_stay_in_the_spool_and_get_safe_ones(far: FarDrop) -> None:
    names = ["-rf.csv", "长" * 80 + ".csv", "  two  blanks.csv", "~x.csv", "a;b=c.csv", "%2e%2e.csv", *_ODD[far.way.name]]
    for number, name in enumerate(names):
        far.put(name, rows(number, 1))

    far.run()

    assert far.archived() == sorted(safe_name(name) for name in names)
    assert sorted(one["ID"] for one in far.landed) == [one["ID"] for one in records(0, len(names))]


_ODD = {"sftp": ["a:b*c?.csv", "a..b\\..\\c.csv", "new\nline.csv"], "ftp": ["a:b*c?.csv", "a..b\\..\\c.csv"], "smb": []}
"""What each protocol can say besides: FTP ends a line at a line's end, and Windows has its own ideas of names."""


def test_a_name_that_cannot_be_said_does_not_stop_the_others(far: FarDrop) -> None:
    for name in (b"new\nline.csv", b"re\rturn.csv", "订单.csv".encode("gbk")):
        Path(os.fsdecode(os.fsencode(far.folder) + b"/" + name)).write_text(rows(0, 1))
    far.put("b.csv", rows(1, 1))

    far.run()

    assert records(1, 1)[0] in far.landed


def test_a_file_that_is_too_large_is_refused_unread(server: Server, tmp_path: Path) -> None:
    far = far_drop(server, tmp_path, largest="100B")
    far.put("big.csv", rows(0, 100))
    far.put("small.csv", rows(0, 1))

    far.run()

    assert far.refused == [("big.csv", "NAVE-K290")]
    assert far.files("refused") == ["big.csv", "big.csv.note.txt"]
    assert far.landed == records(0, 1)
    assert far.copies() == []


def test_a_refused_file_is_read_again_when_it_is_offered(far: FarDrop) -> None:
    far.put("a.csv", b"")
    far.run()
    (far.folder / "refused" / "a.csv").write_text(rows(0, 3))
    reread = far.way.spec().reread
    assert reread is not None

    offered = reread(far.connection, far.source()._options, far.setting, "a.csv")
    far.run()

    assert offered
    assert far.refused == [("a.csv", "NAVE-S021")]
    assert far.landed == records(0, 3)
    assert far.files("refused") == []
    assert not reread(far.connection, far.source()._options, far.setting, "a.csv")


def test_two_readers_of_one_hub_do_not_read_at_a_time(far: FarDrop) -> None:
    far.put("a.csv", rows(0, 20))
    reading = far.source().read(None)
    next(reading)

    with pytest.raises(RetryableError) as caught:
        list(far.source().read(None))

    reading.close()  # type: ignore[attr-defined]
    assert caught.value.code == "NAVE-S017"
    assert far.run().landed == records(0, 20)


def test_a_file_that_lies_there_already_is_never_overwritten(server: Server, tmp_path: Path) -> None:
    out = place(server, tmp_path) / "out"
    out.mkdir(parents=True)
    (out / "customers_000001.csv").write_text("theirs")

    with far_sink(server, tmp_path) as sink:
        sink.write([record("a")])

    assert (out / "customers_000001.csv").read_text() == "theirs"
    assert (out / "customers_000001.csv~2").exists()


def test_folders_of_the_servers_are_told_as_such(far: FarDrop) -> None:
    (far.folder / "sub").mkdir()
    share = far.way.connect(far.connection, far.hub, True)

    found = share.stat(f"{far.connection.path.rstrip('/')}/sub")
    share.close()

    assert found is not None
    assert stat.S_ISDIR(found.st_mode)
