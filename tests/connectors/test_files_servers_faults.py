"""File servers that hang, go away, say what is not so, or hold files that change: against real ones of each kind."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nave.connectors.dropped.folders import Folder
from nave.connectors.files.sftp.share import SftpShare
from nave.connectors.files.share import Far, FarFolder
from nave.core.errors import RetryableError
from nave.core.protocols import Outcome
from tests.connectors.dropping import records, rows
from tests.connectors.far import FarDrop, Server, far_drop, far_sink, place, reach, record, share_of, written

pytestmark = pytest.mark.service


@pytest.fixture
def far(server: Server, tmp_path: Path) -> FarDrop:
    return far_drop(server, tmp_path)


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


def test_a_fetch_that_was_cut_off_goes_on_where_it_ended(far: FarDrop, monkeypatch: pytest.MonkeyPatch) -> None:
    far.options["batch"] = 1000
    wide = [{"ID": f"{number:06d}", "TEXT": "x" * 600} for number in range(3000)]
    far.put("a.csv", "ID,TEXT\n" + "".join(f"{row['ID']},{row['TEXT']}\n" for row in wide))
    starts: list[int] = []
    kind = share_of(far.way)
    get, fetched = kind.get, 0

    def cut(self: object, path: str, start: int, size: int) -> Iterator[bytes]:
        nonlocal fetched
        starts.append(start)
        for number, piece in enumerate(get(self, path, start, size)):
            if number == 2 and len(starts) == 1:
                raise EOFError
            fetched += len(piece)
            yield piece

    monkeypatch.setattr(kind, "get", cut)
    with pytest.raises(RetryableError) as caught:
        far.run()
    kept = fetched
    far.run()

    assert caught.value.code == "NAVE-K280"
    assert starts == [0, kept]
    assert kept > 0
    assert far.landed == wide


def test_a_server_that_gives_less_than_it_says_is_not_believed(far: FarDrop, monkeypatch: pytest.MonkeyPatch) -> None:
    far.put("a.csv", rows(0, 30))
    with monkeypatch.context() as patch:
        patch.setattr(share_of(far.way), "get", lambda self, path, start, size: iter([b"ID\n000000\n"]))
        with pytest.raises(RetryableError) as caught:
            far.run()

    assert caught.value.code == "NAVE-K296"
    assert far.copies() == []
    assert far.run().landed == records(0, 30)


_STEPS = ["near", *(pytest.param(step, marks=pytest.mark.long) for step in ("claimed", "unmarked"))]


@pytest.mark.parametrize("step", _STEPS)
def test_a_server_that_hangs_is_given_up_in_time_and_nothing_is_lost(server: Server, tmp_path: Path, step: str) -> None:
    far = far_drop(server, tmp_path, timeout="1s")
    far.put("a.csv", rows(0, 25))
    frozen: list[int] = []

    def freeze(word: str) -> None:
        if word == step and not frozen:
            frozen.extend([server.process.pid, *server.freeze()] if server.process else [])
            os.kill(frozen[0], signal.SIGSTOP)

    try:
        began = time.monotonic()
        with pytest.raises(RetryableError) as caught:
            far.run(freeze)
        assert time.monotonic() - began < 30
    finally:
        server.thaw(frozen)
    far.connection = reach(server).options(far.folder)
    far.run()

    assert caught.value.code == "NAVE-K280"
    assert far.landed == records(0, 25)
    assert far.archived() == ["a.csv"]


def test_a_sink_goes_on_after_its_server_was_away(server: Server, tmp_path: Path) -> None:
    with far_sink(server, tmp_path) as sink:
        sink.write([record("a")])
        server.stop()
        with pytest.raises(RetryableError) as caught:
            sink.write([record("b")])
        server.start()
        receipts = sink.write([record("a"), record("b")])

    assert caught.value.code == "NAVE-K280"
    assert [receipt.outcome for receipt in receipts] == [Outcome.DUPLICATE, Outcome.ACCEPTED]
    assert [row["code"] for row in written(place(server, tmp_path))] == ["a", "b"]


def test_a_share_or_folder_that_is_not_there_is_worth_a_retry(server: Server, tmp_path: Path) -> None:
    made = reach(server).options(place(server, tmp_path) / "nowhere")
    check = reach(server).way.spec().check
    assert check is not None

    with pytest.raises(RetryableError) as caught:
        check(made, far_drop(server, tmp_path).setting)

    assert caught.value.code == "NAVE-K287"


class _Told(SftpShare):
    """A connection that tells what a test wants of a folder."""

    def __init__(self, names: Iterator[str]) -> None:
        self._names = names

    def entries(self, folder: str) -> Iterator[tuple[str, Far]]:
        return ((name, Far(0o100644, 3, 0)) for name in self._names)


def test_names_that_lead_elsewhere_are_never_used() -> None:
    told = _Told(iter(["../../etc/x.csv", "/etc/x.csv", "..", ".", "", "a\0b.csv", "good.csv", "x" * 300]))
    folder: Folder = FarFolder(told, "/in")

    assert folder.names() == ["good.csv"]
    with pytest.raises(ValueError, match="base name"):
        folder.stat("../x")


def test_a_list_without_an_end_is_given_up() -> None:
    with pytest.raises(RetryableError) as caught:
        FarFolder(_Told(iter(lambda: "a.csv", "")), "/in").names()

    assert caught.value.code == "NAVE-K291"
