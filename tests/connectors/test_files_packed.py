"""Drop files that come packed: read member by member under limits, resumed inside, refused where they mean harm."""

from __future__ import annotations

import gzip
import io
import struct
import zipfile
from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from nave.connectors.dropped import packed
from nave.connectors.files.options import FilesSourceOptions
from nave.core.errors import PermanentError
from nave.formats import Limits
from tests.connectors.dropping import CSV, Drop, Killed, killing_at, records, rows
from tests.connectors.far import far_drop
from tests.servers.vsftpd import Ftpd

ZIP = {"packed": "zip"}
GZ = {"packed": "gz"}


def zipped(members: Mapping[str, str | bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def renamed(data: bytes, old: str, new: bytes) -> bytes:
    """The same archive with a name of the same length in other bytes, and no word of UTF-8."""
    assert len(old) == len(new)
    return data.replace(old.encode(), new)


def test_members_are_read_in_the_order_of_their_names_and_named_beside_their_records(drop: Drop) -> None:
    drop.options = ZIP
    drop.put("day.zip", zipped({"b.csv": rows(12, 3), "sub/a.csv": rows(15, 5), "a.csv": rows(0, 12), "empty/": ""}))

    drop.run()

    assert drop.landed == records(0, 20)
    members = [batch.origin["member"] for batch in drop.batches for _ in batch.records]
    assert members == ["a.csv"] * 12 + ["b.csv"] * 3 + ["sub/a.csv"] * 5
    assert {batch.origin["file"] for batch in drop.batches} == {"day.zip"}
    assert [batch.end is not None for batch in drop.batches] == [False, False, False, True]
    assert drop.archived() == ["day.zip"]


def test_only_the_members_that_were_asked_for_are_read(drop: Drop) -> None:
    drop.options = {**ZIP, "members": "orders_*.csv"}
    junk = {"__MACOSX/._orders_1.csv": b"\0", ".orders_0.csv": b"\0", "readme.txt": "hello", "ORDERS_2.csv": b"\0"}
    drop.put("day.zip", zipped({"in/orders_1.csv": rows(0, 3), **junk}))

    assert drop.run().landed == records(0, 3)


def test_killed_between_any_two_steps_only_the_uncommitted_batch_comes_again(tmp_path: Path) -> None:
    for number in range(40):
        folder = tmp_path / str(number) / "drop"
        folder.mkdir(parents=True)
        drop = Drop(folder, dict(ZIP))
        drop.put("day.zip", zipped({"a.csv": rows(0, 25), "b.csv": rows(25, 10), "c.csv": rows(35, 1)}))
        try:
            drop.run(killing_at(number))
            finished = True
        except Killed:
            drop.run()
            finished = False

        assert drop.landed == records(0, 36), number
        assert drop.archived() == ["day.zip"]
        if finished:
            return
    pytest.fail("the steps never ended")


def test_a_gzip_is_read_and_resumed(drop: Drop) -> None:
    drop.options = GZ
    drop.put("a.csv.gz", gzip.compress(rows(0, 25).encode()))
    with pytest.raises(Killed):
        drop.run(killing_at(5))

    drop.run()

    assert drop.landed == records(0, 25)
    assert drop.archived() == ["a.csv.gz"]


def test_several_gzips_behind_one_another_are_one_file(drop: Drop) -> None:
    drop.options = GZ
    drop.put("a.csv.gz", gzip.compress(rows(0, 3).encode()) + gzip.compress(b"000003\n"))

    assert drop.run().landed == records(0, 4)


@pytest.mark.parametrize("name", ["订单.csv", "中文名/订单.csv"])
def test_names_from_a_chinese_windows_are_understood(drop: Drop, name: str) -> None:
    raw = name.encode("gbk")
    drop.options = {**ZIP, "members": "订单*"}
    drop.put("day.zip", renamed(zipped({"x" * len(raw): rows(0, 3)}), "x" * len(raw), raw))

    drop.run()

    assert drop.landed == records(0, 3)
    assert drop.batches[0].origin["member"] == name


def test_names_never_lead_anywhere(drop: Drop) -> None:
    drop.options = ZIP
    drop.put("day.zip", zipped({"../../../etc/x.csv": rows(0, 1), "/etc/y.csv": rows(1, 1), "C:\\z.csv": rows(2, 1)}))

    drop.run()

    assert sorted(one["ID"] for one in drop.landed) == ["000000", "000001", "000002"]
    assert [path for path in drop.files() if not path.startswith("archive/")] == []


def encrypted(data: bytes) -> bytes:
    """With the flag set that says so, in both headers."""
    made = bytearray(data)
    for sign, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        at = made.index(sign) + offset
        made[at : at + 2] = struct.pack("<H", struct.unpack("<H", made[at : at + 2])[0] | 1)
    return bytes(made)


_GOOD = zipped({"a.csv": rows(0, 3)})
_PACKED = gzip.compress(rows(0, 3).encode())


@pytest.mark.parametrize(
    ("options", "content", "code"),
    [
        (ZIP, b"ID\n1\n", "NAVE-D163"),
        (ZIP, _GOOD[:-30], "NAVE-D163"),
        (ZIP, encrypted(_GOOD), "NAVE-D164"),
        (ZIP, zipped({"a.csv": rows(0, 3)}, zipfile.ZIP_LZMA), "NAVE-D164"),
        (ZIP, _GOOD.replace(b"a.csv", b"b.csv", 1), "NAVE-D152"),
        (ZIP, zipped({}), "NAVE-D165"),
        (ZIP, zipped({".hidden": "x"}), "NAVE-D165"),
        (ZIP, zipped({"a.csv": _GOOD}), "NAVE-D102"),
        (ZIP, zipped({"a.csv": _PACKED}), "NAVE-D102"),
        (ZIP, zipped({f"{n}.csv": "ID\n1\n" for n in range(1001)}), "NAVE-D153"),
        (ZIP, zipped({"a.csv": b"ID\n" + b"0" * 20_000_000}), "NAVE-D155"),
        (GZ, b"ID\n1\n", "NAVE-D166"),
        (GZ, _PACKED + b"more", "NAVE-D166"),
        (GZ, gzip.compress(_GOOD), "NAVE-D102"),
        (GZ, gzip.compress(b"ID\n" + b"0" * 20_000_000), "NAVE-D155"),
    ],
    ids=[
        "no zip", "cut off", "encrypted", "another way of packing", "names that differ", "nothing in it", "only hidden",
        "a zip in it", "a gzip in it", "too many", "a zip bomb", "no gzip", "more behind it", "a zip within", "a gzip bomb",
    ],
)  # fmt: skip
def test_what_is_no_archive_or_means_harm_is_refused(drop: Drop, options: dict[str, str], content: bytes, code: str) -> None:
    drop.options = {**options, "batch": 1000}
    drop.put("bad", content)
    drop.put("good", _GOOD if options == ZIP else _PACKED)

    drop.run()

    assert drop.refused == [("bad", code)]
    assert drop.landed[-3:] == records(0, 3)
    assert drop.files("refused") == ["bad", "bad.note.txt"]


@pytest.mark.parametrize(("cut", "least"), [(4, 20_000), (2000, 10_000)])
def test_a_gzip_that_is_cut_off_keeps_what_came_before(drop: Drop, cut: int, least: int) -> None:
    drop.options = {**GZ, "batch": 1000}
    drop.put("a.csv.gz", gzip.compress(rows(0, 30_000).encode())[:-cut])

    drop.run()

    assert drop.refused == [("a.csv.gz", "NAVE-D166")]
    assert len(drop.landed) >= least
    assert drop.landed == records(0, len(drop.landed))


def test_good_members_before_a_bad_one_are_kept(drop: Drop) -> None:
    drop.options = ZIP
    drop.put("day.zip", zipped({"a.csv": rows(0, 12), "b.csv": "<xml/>", "c.csv": rows(20, 1)}))

    drop.run()

    assert drop.landed == records(0, 12)
    assert drop.refused == [("day.zip", "NAVE-D102")]
    assert drop.batches[-1].origin["member"] == "b.csv"


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        ({"zip_entry": 50}, "NAVE-D154"),
        ({"zip_total": 100}, "NAVE-D154"),
        ({"zip_entries": 1}, "NAVE-D153"),
        ({"xlsx_file": 10}, "NAVE-D167"),
    ],
)
def test_sizes_and_counts_are_limited(limits: dict[str, int], code: str) -> None:
    options = FilesSourceOptions.model_validate({"pattern": "*", "format": CSV, **ZIP})
    data = io.BytesIO(zipped({"a.csv": rows(0, 10), "b.csv": rows(10, 10)}))

    with pytest.raises(PermanentError) as caught:
        list(chain.from_iterable(found for _, found in packed.parts(data, options, Limits(**limits))))

    assert caught.value.code == code


def test_a_workbook_in_an_archive_is_a_workbook(drop: Drop) -> None:
    from nave.formats import write
    from nave.formats.options import XlsxFormat

    book = io.BytesIO()
    write(records(0, 3), book, XlsxFormat(), ["ID"])
    drop.options = {**ZIP, "format": {"type": "xlsx"}}
    drop.put("day.zip", zipped({"a.xlsx": book.getvalue()}))

    assert drop.run().landed == records(0, 3)


@pytest.mark.service
def test_an_archive_on_a_server_is_read_like_one_here(ftp_server: Ftpd, tmp_path: Path) -> None:
    far = far_drop(ftp_server, tmp_path, dict(ZIP))
    far.put("day.zip", zipped({"a.csv": rows(0, 12), "b.csv": rows(12, 3)}))

    far.run()

    assert far.landed == records(0, 15)
    assert far.archived() == ["day.zip"]
    assert far.copies() == []


@pytest.mark.parametrize("change", [{"packed": "rar"}, {"members": "*.csv"}, {"packed": "gz", "members": "*.csv"}])
def test_options_that_make_no_sense_are_refused(change: dict[str, Any]) -> None:
    good = {"pattern": "*", "format": CSV}
    FilesSourceOptions.model_validate(good)

    with pytest.raises(ValueError):
        FilesSourceOptions.model_validate({**good, **change})
