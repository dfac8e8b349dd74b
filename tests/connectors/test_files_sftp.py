"""The SFTP connector against a real OpenSSH server: each record lands once, and no key is trusted unseen."""

from __future__ import annotations

import csv
import errno
import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nave.connectors.contracts import ErrorsCase, ErrorsContract, SinkCase, SinkContract, SourceCase, SourceContract, every
from nave.connectors.files.folders import Folder
from nave.connectors.files.places import safe_name
from nave.connectors.files.sftp import SPEC
from nave.connectors.files.share import Far, FarFolder
from nave.connectors.files.source import FilesSource
from nave.connectors.files.ssh import SftpShare
from nave.connectors.files.ssherrors import translating
from nave.core.errors import RetryableError
from nave.core.protocols import Outbound, Outcome
from tests.connectors.dropping import records, rows
from tests.connectors.far import FarDrop, far_drop, far_sink
from tests.servers.openssh import Sshd

pytestmark = pytest.mark.service


@pytest.fixture
def far(ssh_server: Sshd, tmp_path: Path) -> FarDrop:
    return far_drop(ssh_server, tmp_path)


class TestSource(SourceContract):
    @pytest.fixture
    def case(self, ssh_server: Sshd, tmp_path: Path) -> SourceCase:
        numbers = iter(range(1000))

        def world() -> Callable[[], FilesSource]:
            made = far_drop(ssh_server, tmp_path / str(next(numbers)))
            for name, first in (("a.csv", 0), ("b.csv", 25), ("c.csv", 30)):
                made.put(name, rows(first, {0: 25, 25: 5, 30: 20}[first]))
            return made.source

        return SourceCase(world=world, expected=records(0, 50))


class TestSink(SinkContract):
    @pytest.fixture
    def case(self, ssh_server: Sshd, tmp_path: Path) -> SinkCase:
        return SinkCase(
            open=lambda: far_sink(ssh_server, tmp_path),
            held=lambda: {row["code"]: row["name"] for row in written(tmp_path)},
            effects=lambda: len(written(tmp_path)),
            record=record,
        )


class TestErrors(ErrorsContract):
    @pytest.fixture
    def case(self) -> ErrorsCase:
        from paramiko.ssh_exception import SSHException

        ssh = every(SSHException, _made)
        numbers = [OSError(number, os.strerror(number)) for number in (errno.ENOENT, errno.EACCES, errno.ECONNRESET)]
        lost = [OSError("Failure"), EOFError(), TimeoutError("timed out"), socket.gaierror(-2, "unknown")]
        return ErrorsCase(lambda: translating("sftp://host/in"), [*ssh, *numbers, *lost])


def _made(kind: type[BaseException]) -> BaseException:
    """Each kind of the library's errors wants other arguments, and some cannot be shown without them."""
    return kind.__new__(kind, "as the library says")


def record(key: str, version: int = 1, text: str = "x") -> Outbound:
    return Outbound(key, version, {"code": key, "name": text})


def written(base: Path) -> list[dict[str, str]]:
    """All rows of all files that a reader of the server's folder sees."""
    texts = [path.read_text("utf-8-sig").splitlines() for path in sorted((base / "out").glob("*.csv*"))]
    return [row for lines in texts for row in csv.DictReader(lines)]


def test_a_file_is_claimed_fetched_landed_and_archived_on_the_server(far: FarDrop) -> None:
    far.put("orders_1.csv", rows(0, 25))

    far.run()

    assert far.landed == records(0, 25)
    assert far.archived() == ["orders_1.csv"]
    assert [path for path in far.files() if not path.startswith("archive/")] == []
    assert far.copies() == []
    assert far.batches[0].origin["file"] == "orders_1.csv"


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

    far.run()

    assert SPEC.pending is not None
    assert far.landed == []
    assert far.files() == ["a.csv"]
    assert SPEC.pending(far.connection, far.source()._options, far.setting)


def test_a_look_is_remembered_by_the_next_process_and_begins_anew_when_the_file_changed(far: FarDrop) -> None:
    far.options["ready"] = {"quiet": "1h"}
    path = far.put("a.csv", rows(0, 1))
    far.run()
    long_ago(far)

    path.write_text(rows(0, 2))
    far.run()
    grown = list(far.landed)
    long_ago(far)
    far.run()

    assert grown == []
    assert far.landed == records(0, 2)


def long_ago(far: FarDrop) -> None:
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
    assert far.archived() == ["a.csv"]
    assert len(far.files()) == 1


def test_links_and_folders_are_left_alone(far: FarDrop) -> None:
    secret = far.hub / "secret.csv"
    secret.write_text(rows(0, 1))
    (far.folder / "link.csv").symlink_to(secret)
    (far.folder / "folder.csv").mkdir()

    far.run()

    assert far.landed == []
    assert (far.folder / "link.csv").is_symlink()
    assert (far.folder / "folder.csv").is_dir()


@pytest.mark.parametrize("name", ["a:b*c?.csv", "-rf.csv", "长" * 80 + ".csv", "new\nline.csv", "a..b\\..\\c.csv", "~x.csv"])
def test_odd_names_stay_in_the_spool_and_get_safe_ones(far: FarDrop, name: str) -> None:
    far.put(name, rows(0, 1))

    far.run()

    assert far.archived() == [safe_name(name)]
    assert far.landed == records(0, 1)


def test_a_name_in_another_encoding_does_not_stop_the_others(far: FarDrop) -> None:
    (Path(os.fsdecode(os.fsencode(far.folder) + b"/" + "订单.csv".encode("gbk")))).write_text(rows(0, 1))
    far.put("b.csv", rows(1, 1))

    far.run()

    assert sorted(one["ID"] for one in far.landed) == ["000000", "000001"]
    assert len(far.archived()) == 2


def test_names_that_lead_elsewhere_are_never_used(tmp_path: Path) -> None:
    class Lying(SftpShare):
        def __init__(self) -> None:
            pass

        def entries(self, folder: str) -> Iterator[tuple[str, Far]]:
            for name in ("../../etc/x.csv", "/etc/x.csv", "..", ".", "", "a\0b.csv", "good.csv", "x" * 300):
                yield name, Far(0o100644, 3, 0)

    folder: Folder = FarFolder(Lying(), "/in")

    assert folder.names() == ["good.csv"]
    with pytest.raises(ValueError, match="base name"):
        folder.stat("../x")


def test_a_list_without_an_end_is_given_up(tmp_path: Path) -> None:
    class Endless(SftpShare):
        def __init__(self) -> None:
            pass

        def entries(self, folder: str) -> Iterator[tuple[str, Far]]:
            while True:
                yield "a.csv", Far(0o100644, 3, 0)

    with pytest.raises(RetryableError) as caught:
        FarFolder(Endless(), "/in").names()

    assert caught.value.code == "NAVE-K291"


def test_a_file_that_is_too_large_is_refused_unread(ssh_server: Sshd, tmp_path: Path) -> None:
    far = far_drop(ssh_server, tmp_path, largest="100B")
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

    assert SPEC.reread is not None
    offered = SPEC.reread(far.connection, far.source()._options, far.setting, "a.csv")
    far.run()

    assert offered
    assert far.refused == [("a.csv", "NAVE-S021")]
    assert far.landed == records(0, 3)
    assert far.files("refused") == []
    assert not SPEC.reread(far.connection, far.source()._options, far.setting, "a.csv")


def test_a_file_that_is_written_to_while_it_is_read_is_refused_with_what_it_had(far: FarDrop) -> None:
    far.put("a.csv", rows(0, 15))

    def append(step: str) -> None:
        if step == "before the commit" and not far.batches:
            (claimed,) = (far.folder / ".nave/claimed/erp.orders").iterdir()
            with claimed.open("a") as file:
                file.write("999999\n")

    far.run(append)

    assert far.landed[:10] == records(0, 10)
    assert far.refused == [("a.csv", "NAVE-S022")]


def test_two_readers_of_one_hub_do_not_read_at_a_time(far: FarDrop) -> None:
    far.put("a.csv", rows(0, 20))
    reading = far.source().read(None)
    next(reading)

    with pytest.raises(RetryableError) as caught:
        list(far.source().read(None))

    reading.close()  # type: ignore[attr-defined]
    assert caught.value.code == "NAVE-S017"
    assert far.run().landed == records(0, 20)


def test_a_fetch_that_was_cut_off_goes_on_where_it_ended(far: FarDrop, monkeypatch: pytest.MonkeyPatch) -> None:
    far.put("a.csv", rows(0, 150_000))
    starts: list[int] = []
    get = SftpShare.get

    def cut(self: SftpShare, path: str, start: int, size: int) -> Iterator[bytes]:
        starts.append(start)
        for number, piece in enumerate(get(self, path, start, size)):
            if number == 2 and len(starts) == 1:
                raise EOFError
            yield piece

    monkeypatch.setattr(SftpShare, "get", cut)
    with pytest.raises(RetryableError) as caught:
        far.run()
    far.options["batch"] = 1000
    far.run()

    assert caught.value.code == "NAVE-K280"
    assert starts == [0, 2 * 256 * 1024]
    assert far.landed == records(0, 150_000)


def test_a_server_that_gives_less_than_it_says_is_not_believed(far: FarDrop, monkeypatch: pytest.MonkeyPatch) -> None:
    far.put("a.csv", rows(0, 30))
    with monkeypatch.context() as patch:
        patch.setattr(SftpShare, "get", lambda self, path, start, size: iter([b"ID\n000000\n"]))
        with pytest.raises(RetryableError) as caught:
            far.run()

    assert caught.value.code == "NAVE-K296"
    assert far.copies() == []
    assert far.run().landed == records(0, 30)


def test_a_sink_goes_on_after_its_server_was_away(ssh_server: Sshd, tmp_path: Path) -> None:
    with far_sink(ssh_server, tmp_path) as sink:
        sink.write([record("a")])
        ssh_server.stop()
        with pytest.raises(RetryableError) as caught:
            sink.write([record("b")])
        ssh_server.start()
        receipts = sink.write([record("a"), record("b")])

    assert caught.value.code == "NAVE-K280"
    assert [receipt.outcome for receipt in receipts] == [Outcome.DUPLICATE, Outcome.ACCEPTED]
    assert [row["code"] for row in written(tmp_path)] == ["a", "b"]


def test_a_file_that_lies_there_already_is_never_overwritten(ssh_server: Sshd, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "customers_000001.csv").write_text("theirs")

    with far_sink(ssh_server, tmp_path) as sink:
        sink.write([record("a")])

    assert (tmp_path / "out" / "customers_000001.csv").read_text() == "theirs"
    assert (tmp_path / "out" / "customers_000001.csv~2").exists()
