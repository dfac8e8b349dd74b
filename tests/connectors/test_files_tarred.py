"""Drop files that come as TAR or TAR.GZ: read file by file under limits, resumed inside, refused where they mean harm."""

from __future__ import annotations

import gzip
import io
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import chain
from pathlib import Path

import pytest

from nave.connectors.dropped import packed
from nave.connectors.files.options import FilesSourceOptions
from nave.core.errors import PermanentError
from nave.formats import DEFAULTS, Limits
from tests.conftest import missing
from tests.connectors.dropping import CSV, Drop, Killed, killing_at, records, rows

TAR = {"packed": "tar"}
TAR_GZ = {"packed": "tar.gz"}
Change = Callable[[tarfile.TarInfo], None]


def entry(name: str, content: bytes | str = b"", change: Change = lambda _: None) -> tuple[tarfile.TarInfo, bytes]:
    data = content.encode() if isinstance(content, str) else content
    info = tarfile.TarInfo(name)
    info.size = len(data)
    change(info)
    return info, data


def tarred(*entries: tuple[tarfile.TarInfo, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for info, data in entries:
            archive.addfile(info, io.BytesIO(data) if info.isreg() else None)
    return stream.getvalue()


def of(members: Mapping[str, str]) -> bytes:
    return tarred(*(entry(name, content) for name, content in members.items()))


def read(data: bytes, limits: Limits = DEFAULTS, kind: str = "tar", **more: str) -> list[str]:
    """The records of an archive; PermanentError for a bad one."""
    options = FilesSourceOptions.model_validate({"pattern": "*", "format": CSV, "packed": kind, **more})
    parts = packed.parts(io.BytesIO(data), options, limits)
    return [str(row.value["ID"]) for row in chain.from_iterable(found for _, found in parts)]  # type: ignore[index]


def kind_of(name: bytes, target: str = "") -> Change:
    def change(info: tarfile.TarInfo) -> None:
        info.type, info.linkname = name, target

    return change


GOOD = of({"b.csv": rows(0, 3), "a.csv": rows(3, 3)})


@pytest.mark.parametrize(("options", "pack"), [(TAR, bytes), (TAR_GZ, gzip.compress)], ids=["tar", "tar.gz"])
def test_files_are_read_in_the_archive_s_order_and_named_beside_their_records(
    drop: Drop, options: dict[str, str], pack: Callable[[bytes], bytes]
) -> None:
    drop.options = options
    drop.put("day.tar", pack(of({"b.csv": rows(0, 12), "sub/a.csv": rows(12, 5)})))

    drop.run()

    assert drop.landed == records(0, 17)
    assert [batch.origin["member"] for batch in drop.batches] == ["b.csv", "b.csv", "sub/a.csv"]
    assert drop.archived() == ["day.tar"]


def test_only_what_was_asked_for_is_read_and_all_else_is_left_alone(drop: Drop) -> None:
    drop.options = {**TAR, "members": "orders_*.csv"}
    others = [entry("readme", "hello"), entry("l.csv", change=kind_of(tarfile.SYMTYPE, "/etc/passwd"))]
    others += [
        entry("in", change=kind_of(tarfile.DIRTYPE)),
        entry(".orders_0.csv", "x"),
        entry("p", change=kind_of(tarfile.FIFOTYPE)),
    ]
    drop.put("day.tar", tarred(*others, entry("in/orders_1.csv", rows(0, 3))))

    assert drop.run().landed == records(0, 3)


def test_killed_in_the_middle_only_the_uncommitted_batch_comes_again(drop: Drop) -> None:
    drop.options = TAR_GZ
    drop.put("day.tar.gz", gzip.compress(of({"a.csv": rows(0, 25), "b.csv": rows(25, 10)})))
    for number in (5, 4):
        with pytest.raises(Killed):
            drop.run(killing_at(number))

    drop.run()

    assert drop.landed == records(0, 35)
    assert drop.archived() == ["day.tar.gz"]


@pytest.mark.parametrize("layout", ["ustar", "gnu", "pax", "v7"])
def test_what_gnu_tar_packs_is_read(tmp_path: Path, layout: str) -> None:
    program = shutil.which("tar")
    if program is None:
        missing("GNU tar")
        return
    folder = tmp_path / "导出"
    folder.mkdir()
    (folder / "订单.csv").write_text(rows(0, 3))
    (folder / ("long" * 20 + ".csv")).write_text(rows(3, 3)) if layout != "v7" else (folder / "n.csv").write_text(rows(3, 3))
    command = [program, "--format", layout, "--sort=name", "-czf", str(tmp_path / "x.tgz"), "-C", str(tmp_path), folder.name]
    subprocess.run(command, check=True, capture_output=True)

    assert sorted(read((tmp_path / "x.tgz").read_bytes(), kind="tar.gz")) == [f"{n:06}" for n in range(6)]


def test_names_from_a_chinese_windows_are_understood_and_lead_nowhere() -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT, encoding="gbk") as archive:
        for name, data in (("../../etc/订单1.csv", rows(0, 1)), ("/订单2.csv", rows(1, 1)), ("C:\\订单3.csv", rows(2, 1))):
            archive.addfile(*(lambda made: (made[0], io.BytesIO(made[1])))(entry(name, data)))

    assert read(stream.getvalue(), members="订单*.csv") == ["000000", "000001", "000002"]


def with_size(text: bytes) -> bytes:
    """A header that claims this size, with the right sum."""
    block = bytearray(of({"a.csv": "x\n"})[: tarfile.BLOCKSIZE])
    block[124:136] = text
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block) + bytes(3 * tarfile.BLOCKSIZE)


def sparse() -> bytes:
    made = entry("a.csv", rows(0, 1))
    made[0].pax_headers = {"GNU.sparse.major": "0", "GNU.sparse.minor": "1", "GNU.sparse.map": "0,8", "GNU.sparse.size": "8"}
    return tarred(made)


def headed(size: int) -> bytes:
    made = entry("a.csv", rows(0, 1))
    made[0].pax_headers = {"comment": "x" * size}
    return tarred(made)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (tarred(entry("a.csv", change=kind_of(tarfile.SYMTYPE, "/etc/passwd"))), "NAVE-K325"),
        (tarred(entry("b.csv", rows(0, 1)), entry("a.csv", change=kind_of(tarfile.LNKTYPE, "b.csv"))), "NAVE-K325"),
        (tarred(entry("a.csv", change=kind_of(tarfile.CHRTYPE))), "NAVE-K325"),
        (tarred(entry("a.csv", change=kind_of(tarfile.FIFOTYPE))), "NAVE-K325"),
        (sparse(), "NAVE-K325"),
        (rows(0, 300).encode(), "NAVE-K324"),
        (bytes(2000), "NAVE-D165"),
        (with_size(b"\xff" * 11 + b"\x01"), "NAVE-K324"),
        (with_size(b"\x80" + b"\x7f" * 11), "NAVE-D154"),
        (headed(3 * 2**20), "NAVE-K324"),
        (tarred(entry("a.csv", rows(0, 1)), entry("a.csv", rows(1, 1))), "NAVE-D152"),
        (of({"other.txt": "x"}), "NAVE-D165"),
    ],
    ids=[
        *("symlink", "hardlink", "device", "pipe", "sparse", "text", "zeros", "negative", "huge", "header", "twice", "none"),
    ],
)
def test_what_is_no_tar_or_means_harm_is_refused(data: bytes, code: str) -> None:
    with pytest.raises(PermanentError) as caught:
        read(data, members="*.csv")

    assert caught.value.code == code


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        (replace(DEFAULTS, zip_entries=1), "NAVE-D153"),
        (replace(DEFAULTS, zip_entry=20), "NAVE-D154"),
        (replace(DEFAULTS, zip_total=40), "NAVE-D154"),
    ],
    ids=["entries", "entry", "total"],
)
def test_limits_hold(limits: Limits, code: str) -> None:
    with pytest.raises(PermanentError) as caught:
        read(GOOD, limits)

    assert caught.value.code == code


def test_an_archive_that_is_cut_off_anywhere_never_passes_for_a_whole_one() -> None:
    """Also between two files, where the library sees nothing wrong."""
    ends = len(GOOD.rstrip(b"\0"))
    for length in range(0, ends + tarfile.BLOCKSIZE, 128):
        with pytest.raises(PermanentError):
            read(GOOD[:length])

    assert len(read(GOOD)) == 6


def test_a_damaged_header_never_passes_for_the_end() -> None:
    second = GOOD.index(b"a.csv")
    for place in range(second, second + 257, 8):
        with pytest.raises(PermanentError) as caught:
            read(GOOD[:place] + bytes([GOOD[place] ^ 1]) + GOOD[place + 1 :])

        assert caught.value.code == "NAVE-K324", place - second


def test_a_gzip_that_is_cut_off_behind_the_last_file_is_noticed() -> None:
    with pytest.raises(PermanentError) as caught:
        read(gzip.compress(GOOD)[:-6], kind="tar.gz")

    assert caught.value.code == "NAVE-D166"


def test_records_before_a_fault_are_kept_and_the_archive_is_refused_with_a_note(drop: Drop) -> None:
    drop.options = TAR
    drop.put("day.tar", GOOD[: GOOD.index(b"a.csv") + 100])

    drop.run()

    assert drop.landed == records(0, 3)
    assert [code for _, code in drop.refused] == ["NAVE-K324"]
