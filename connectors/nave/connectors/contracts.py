"""What every connector promises, as test classes: inherit them, give the fixture, and pytest checks the promise.

    class TestMine(SourceContract):
        @pytest.fixture
        def case(self, tmp_path): return SourceCase(world=..., expected=[...])

Only tests import this module; it needs pytest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import pytest

from nave.connectors.conformance import Report
from nave.core.errors import NaveError
from nave.core.protocols import Batch, Outbound, Outcome, Raw, Receipt, Sink, Source

OpenSource = Callable[[], Source]
OpenSink = Callable[[], Sink]


@dataclass(frozen=True)
class SourceCase:
    """A source and what it must give."""

    world: Callable[[], OpenSource]
    """Makes a fresh outside world with the same records in it; what it returns opens the source on that world."""
    expected: Sequence[Raw]
    """All records, in the order they must come; at least three batches of them."""
    repeats: int = 0
    """How many records may come again when reading resumes behind a committed batch, as the source documents."""


@dataclass(frozen=True)
class SinkCase:
    """A sink, and a look at what arrived."""

    open: OpenSink
    held: Callable[[], Mapping[str, Any]]
    """What the target holds now: key of the record -> something that differs whenever the held values differ."""
    effects: Callable[[], int]
    """How many times a record took effect in the target so far."""
    record: Callable[[str, int, str], Outbound]
    """Make a record that this target takes, from key, version and a text that shows in what is held."""
    keeps_newest: bool = True
    """False for targets that have no place to keep a version; the sink's README must say so."""


@dataclass(frozen=True)
class ErrorsCase:
    """A connector's translation, and the vendor's exceptions."""

    translating: Callable[[], AbstractContextManager[object]]
    vendor: Sequence[BaseException]
    """One instance of each exception that the vendor may raise; `every` helps to make the list."""


def every(root: type[BaseException], make: Callable[[type[BaseException]], BaseException]) -> list[BaseException]:
    """An instance of `root` and of each class below it that is loaded."""
    kinds, seen = [root], {root}
    for kind in kinds:
        new = [child for child in kind.__subclasses__() if child not in seen]
        seen.update(new)
        kinds += new
    return [make(kind) for kind in kinds]


def land(opened: OpenSource, after: str | None, batches: int | None = None) -> tuple[list[Raw], str | None]:
    """Read as the hub does, and stop dead behind `batches` commits: what they hold, and the checkpoint."""
    landed: list[Raw] = []
    position = after
    with opened() as source:
        reading = source.read(after)
        for number, batch in enumerate(reading, start=1):
            landed += batch.records
            position = batch.position if batch.position is not None else position
            if number == batches:
                break
        _close(reading)
    return landed, position


def _close(reading: Iterator[Batch]) -> None:
    close = getattr(reading, "close", None)
    if close is not None:
        close()


class SourceContract:
    """Resuming skips nothing, and repeats no more than the source documents."""

    def test_gives_every_record_in_order_in_batches_of_at_most_a_thousand(self, case: SourceCase) -> None:
        opened = case.world()

        with opened() as source:
            batches = list(source.read(None))

        assert [record for batch in batches for record in batch.records] == list(case.expected)
        assert len(batches) >= 3, "the case needs at least three batches to say anything about resuming"
        assert all(len(batch.records) == len(batch.places) for batch in batches)
        assert all(len(batch.records) + len(batch.refused) <= 1000 for batch in batches)

    def test_resuming_behind_any_commit_skips_nothing_and_repeats_what_is_documented(self, case: SourceCase) -> None:
        for stop in range(1, self._count(case) + 1):
            opened = case.world()
            first, position = land(opened, None, batches=stop)

            rest, _ = land(opened, position)

            assert _covers(case.expected, [*first, *rest]), f"a record was skipped behind commit {stop}"
            assert len(first) + len(rest) - len(case.expected) <= case.repeats

    def test_a_batch_that_was_never_committed_comes_again(self, case: SourceCase) -> None:
        for stop in range(1, self._count(case) + 1):
            opened = case.world()
            committed, position = land(opened, None, batches=stop - 1) if stop > 1 else ([], None)
            land(opened, position, batches=1)

            rest, _ = land(opened, position)

            assert _covers(case.expected, [*committed, *rest]), f"a record was lost with uncommitted batch {stop}"

    def test_there_is_no_more_behind_the_end_than_is_documented(self, case: SourceCase) -> None:
        opened = case.world()
        _, position = land(opened, None)

        again, _ = land(opened, position)

        assert len(again) <= case.repeats

    @staticmethod
    def _count(case: SourceCase) -> int:
        with case.world()() as source:
            return sum(1 for _ in source.read(None))


def _covers(expected: Sequence[Raw], landed: Sequence[Raw]) -> bool:
    """Whether every record was landed, as often as it is expected."""
    left = list(landed)
    for record in expected:
        if record not in left:
            return False
        left.remove(record)
    return True


class SinkContract:
    """One receipt per record, one effect per version, and never a step back."""

    def test_gives_one_receipt_per_record_and_the_target_holds_them_all(self, case: SinkCase) -> None:
        records = [case.record(f"k{n}", 1, f"v{n}") for n in range(25)]

        with case.open() as sink:
            receipts = sink.write(records)

        assert len(receipts) == len(records)
        assert {receipt.outcome for receipt in receipts} == {Outcome.ACCEPTED}
        assert set(case.held()) == {record.key for record in records}

    def test_writing_the_same_again_changes_nothing(self, case: SinkCase) -> None:
        records = [case.record(f"k{n}", 1, f"v{n}") for n in range(25)]
        with case.open() as sink:
            sink.write(records)
        held, effects = dict(case.held()), case.effects()

        with case.open() as sink:
            receipts = sink.write(records)

        assert all(_is_well(receipt) for receipt in receipts)
        assert (dict(case.held()), case.effects()) == (held, effects)

    def test_a_newer_version_replaces_the_older(self, case: SinkCase) -> None:
        with case.open() as sink:
            sink.write([case.record("k1", 1, "old"), case.record("k2", 1, "other")])
            before = dict(case.held())

            receipts = sink.write([case.record("k1", 2, "new")])

        assert _is_well(receipts[0])
        assert case.held()["k1"] != before["k1"]
        assert case.held()["k2"] == before["k2"]

    def test_an_older_version_never_overwrites_a_newer(self, case: SinkCase) -> None:
        if not case.keeps_newest:
            return
        with case.open() as sink:
            sink.write([case.record("k1", 7, "new")])
            held = dict(case.held())

            receipts = sink.write([case.record("k1", 6, "old")])

        assert _is_well(receipts[0])
        assert dict(case.held()) == held

    def test_nothing_to_write_gives_no_receipts(self, case: SinkCase) -> None:
        with case.open() as sink:
            assert list(sink.write([])) == []


def _is_well(receipt: Receipt) -> bool:
    return receipt.outcome in (Outcome.ACCEPTED, Outcome.DUPLICATE)


class ErrorsContract:
    """No exception of the vendor reaches the engine as it is."""

    def test_every_exception_of_the_vendor_becomes_one_of_the_hub(self, case: ErrorsCase) -> None:
        assert case.vendor

        for error in case.vendor:
            with pytest.raises(NaveError) as caught, case.translating():
                raise error
            assert caught.value.__cause__ is error
            for language in ("en", "zh"):
                assert "{" not in caught.value.text(language)
                assert caught.value.help(language)


class ConformanceContract:
    """A peer that misbehaves breaks no promise but those that the connector's page admits.

    The fixture `report` is what a declaration's `run` gives; make it of class scope, it takes seconds.
    """

    admitted: frozenset[tuple[str, str, str]] = frozenset()
    """(way, behaviour, promise)"""

    def test_keeps_its_promises_to_a_peer_that_misbehaves(self, report: Report) -> None:
        assert report.rows

        unexpected = [one for one in report.broken if one not in self.admitted]

        assert not unexpected, [(row.way, row.behaviour.name, row.said["en"]) for row in report.rows if not row.passed]
