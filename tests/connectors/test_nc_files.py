"""NC by folders, against a stand-in for its import: each document is booked once, and each receipt is of what was sent."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from nave.connectors.contracts import ErrorsCase, ErrorsContract, SinkCase, SinkContract
from nave.connectors.nc import FILES
from nave.connectors.nc.folders import translating
from nave.connectors.nc.options import NcFilesOptions, NcSinkOptions
from nave.core.errors import RetryableError
from nave.core.protocols import Outbound, Outcome, Receipt, Setting, Sink
from tests.connectors.test_nc import comments, document, record
from tests.peers.ncfolder import NcFolder, nc_folder


@pytest.fixture
def nc(tmp_path: Path) -> Iterator[NcFolder]:
    with nc_folder(tmp_path) as running:
        yield running


def sink(nc: NcFolder, *, wait: str = "60s", bills: int = 1, **connection: Any) -> Sink:
    assert FILES.sink is not None
    said = {"send": "in", "receipts": "receipts", "account": "A01", "groupcode": "G1", "wait": wait, **connection}
    made = NcSinkOptions.model_validate({"settle": "0s", "bills": bills})
    return FILES.sink(NcFilesOptions.model_validate(said), made, Setting("nc.receivables", nc.send.parent))


def write(nc: NcFolder, records: Sequence[Outbound], **connection: Any) -> Sequence[Receipt]:
    with sink(nc, **connection) as opened:
        return opened.write(records)


def codes(receipts: Sequence[Receipt]) -> list[str]:
    return [one.error.code if one.error else one.outcome.value for one in receipts]


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)


class TestSink(SinkContract):
    @pytest.fixture
    def case(self, nc: NcFolder) -> SinkCase:
        return SinkCase(
            open=lambda: sink(nc),
            record=lambda key, version, text: record(key, version, text),
            held=lambda: comments(nc.book),
            effects=lambda: sum(1 + changes for _, changes, _ in nc.book.bills().values()),
            keeps_newest=False,
        )


class TestErrors(ErrorsContract):
    @pytest.fixture
    def case(self) -> ErrorsCase:
        return ErrorsCase(lambda: translating("receipts"), [PermissionError(13, "denied"), FileNotFoundError("gone")])


def test_a_receipt_in_gbk_is_matched_by_file_and_bill_and_put_aside(nc: NcFolder) -> None:
    nc.book.know("customer", "C1")

    receipts = write(nc, [record("k1"), record("k2", customer="C9"), record("k3", money="13.00")])

    assert codes(receipts) == ["accepted", "NAVE-K394", "NAVE-K393"]
    assert receipts[0].remote_key == nc.book.bills()["NAVE-F0-k1"][0]
    assert [one.name for one in nc.receipts.glob("*.xml")] == []
    assert len(list((nc.receipts / ".nave-read").iterdir())) == 3
    assert list((nc.receipts / ".nave-sent").iterdir()) == []


def test_what_nc_has_not_taken_yet_is_neither_put_there_twice_nor_given_up(nc: NcFolder) -> None:
    nc.paused.set()

    first = write(nc, [record("k1"), record("k2")], wait="1ms")
    second = write(nc, [record("k1"), record("k2")], wait="1ms")
    waiting = sorted(one.name[:10] for one in nc.send.glob("*.xml"))
    nc.paused.clear()
    third = write(nc, [record("k1"), record("k2")])

    assert (codes(first), codes(second), waiting) == (["NAVE-K429"] * 2, ["NAVE-K429"] * 2, ["NAVE-F0-k1", "NAVE-F0-k2"])
    assert {one.outcome for one in [*first, *second]} == {Outcome.RETRY}
    assert codes(third) == ["accepted", "accepted"]
    assert [ids for _, _, ids in nc.book.posts()] == [["NAVE-F0-k1"], ["NAVE-F0-k2"]]


@pytest.mark.parametrize("fault", ["silent", "cut"])
def test_a_bill_that_was_booked_and_never_told_of_goes_again_and_is_booked_once(nc: NcFolder, fault: str) -> None:
    nc.faults.append(fault)

    first = write(nc, [record("k1")], wait="200ms", again="1h")
    until(lambda: bool(nc.book.bills()) and not list(nc.send.iterdir()))
    early = write(nc, [record("k1")], wait="1ms", again="1h")
    later = write(nc, [record("k1")], again="1ms")

    assert (codes(first), codes(early), codes(later)) == (["NAVE-K429"], ["NAVE-K429"], ["duplicate"])
    assert len(nc.book.posts()) == 2
    assert [changes for _, changes, _ in nc.book.bills().values()] == [0]


def test_the_receipt_of_an_earlier_version_is_not_taken_for_that_of_this_one(nc: NcFolder) -> None:
    nc.paused.set()
    write(nc, [record("k1", 1, "old")], wait="1ms")
    nc.paused.clear()
    until(lambda: bool(list(nc.receipts.glob("*.xml"))))

    receipts = write(nc, [record("k1", 2, "new")])

    assert codes(receipts) == ["accepted"]
    assert comments(nc.book) == {"k1": "new"}
    assert [one[1]["replace"] for one in nc.book.posts()] == ["N", "N", "Y"]


def test_who_goes_back_to_what_was_before_is_not_answered_with_the_receipt_of_then(nc: NcFolder) -> None:
    (first,) = write(nc, [record("k1", 1, "old")])
    booked = first.remote_key
    nc.paused.set()
    write(nc, [record("k1", 2, "new", booked)], wait="1ms")
    nc.paused.clear()
    until(lambda: bool(list(nc.receipts.glob("*.xml"))))

    write(nc, [record("k1", 3, "old", booked)])
    receipts = write(nc, [record("k1", 4, "new", booked)])

    assert codes(receipts) == ["accepted"]
    assert comments(nc.book) == {"k1": "new"}


def test_a_receipt_that_comes_twice_does_not_answer_the_same_document_sent_again(nc: NcFolder) -> None:
    nc.faults.append("twice")
    write(nc, [record("k1", 1)])
    until(lambda: len(list(nc.receipts.glob("*.xml"))) == 1)

    receipts = write(nc, [record("k1", 1)])

    assert codes(receipts) == ["duplicate"]
    assert len(nc.book.posts()) == 2
    assert list(nc.receipts.glob("*.xml")) == []


def test_of_versions_that_wait_for_nc_only_the_newest_lies_there(nc: NcFolder) -> None:
    keys = [f"k{number}" for number in range(8)]
    nc.paused.set()
    write(nc, [record(key, 1, "old") for key in keys], wait="1ms")
    write(nc, [record(key, 2, "new") for key in keys], wait="1ms")
    lying = len(list(nc.send.iterdir()))
    nc.paused.clear()

    receipts = write(nc, [record(key, 2, "new") for key in keys])

    assert lying == 8
    assert codes(receipts) == ["accepted"] * 8
    assert comments(nc.book) == dict.fromkeys(keys, "new")


def test_who_was_in_one_file_with_a_version_that_was_overtaken_is_put_out_again(nc: NcFolder) -> None:
    nc.paused.set()
    write(nc, [record("k1", 1, "old"), record("k2", 1, "x"), record("k3", 1, "x")], wait="1ms", bills=3)
    write(nc, [record("k1", 2, "new")], wait="1ms", bills=3)
    left = [one.name[:12] for one in nc.send.iterdir()]
    nc.paused.clear()

    others = write(nc, [record("k2", 1, "x"), record("k3", 1, "x")], bills=3)
    newer = write(nc, [record("k1", 2, "new")], bills=3)

    assert left == ["NAVE-F0-k1-2"]
    assert codes([*others, *newer]) == ["accepted"] * 3
    assert comments(nc.book) == {"k1": "new", "k2": "x", "k3": "x"}


def test_what_was_put_out_and_not_noted_before_a_crash_is_booked_once(nc: NcFolder) -> None:
    nc.paused.set()
    write(nc, [record("k1")], wait="1ms")
    for mark in (nc.receipts / ".nave-sent").iterdir():
        mark.unlink()
    nc.paused.clear()
    until(lambda: bool(nc.book.bills()) and bool(list(nc.receipts.glob("*.xml"))))

    receipts = write(nc, [record("k1")])

    assert codes(receipts) == ["duplicate"]
    assert [changes for _, changes, _ in nc.book.bills().values()] == [0]


def test_a_receipt_that_had_its_size_before_it_was_written_is_read_again(nc: NcFolder) -> None:
    """As a copy into a share writes it, on a file system whose times are coarse."""
    nc.paused.set()
    write(nc, [record("k1")], wait="1ms")
    nc.paused.clear()
    until(lambda: bool(nc.book.bills()) and bool(list(nc.receipts.glob("*.xml"))))
    (receipt,) = nc.receipts.glob("*.xml")
    until(lambda: receipt.read_bytes().endswith(b">"))
    whole, later = receipt.read_bytes(), time.time() + 3600
    with sink(nc, wait="1ms") as opened:
        receipt.write_bytes(bytes(len(whole)))
        os.utime(receipt, (later, later))

        (early,) = opened.write([record("k1")])
        receipt.write_bytes(whole)
        os.utime(receipt, (later, later))
        (then,) = opened.write([record("k1")])

    assert early.error is not None
    assert (early.error.code, early.error.params["unread"]) == ("NAVE-K429", 1)
    assert then.outcome is Outcome.ACCEPTED


def test_files_of_others_stay_where_they_are_and_stop_nothing(nc: NcFolder) -> None:
    others = {"a.xml": b"<half", "b.xml": b"<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><x>&e;</x>", "c.xml": b""}
    for name, content in others.items():
        (nc.receipts / name).write_bytes(content)
    (nc.receipts / "d.xml").write_text(document(), "utf-8")

    receipts = write(nc, [record("k1")])

    assert codes(receipts) == ["accepted"]
    assert sorted(one.name for one in nc.receipts.glob("*.xml")) == ["a.xml", "b.xml", "c.xml", "d.xml"]


def test_folders_that_are_away_are_waited_for(nc: NcFolder) -> None:
    with pytest.raises(RetryableError) as caught:
        write(nc, [record("k1")], receipts="nowhere")

    assert caught.value.code == "NAVE-S050"
    with pytest.raises(ValidationError):
        NcFilesOptions.model_validate({"send": "x", "receipts": "x"})
