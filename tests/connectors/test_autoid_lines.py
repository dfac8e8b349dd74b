"""Scanners on TCP: scans are acknowledged behind their commit, and taken once whatever happens to the line."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from nave.connectors.autoid import SPEC
from nave.connectors.autoid.options import LinesOptions, LinesSourceOptions
from nave.connectors.autoid.source import LinesSource, check
from nave.connectors.contracts import OpenSource, SourceCase, SourceContract
from nave.core.errors import RetryableError
from nave.core.protocols import Batch, Setting
from tests.connectors.autoid_devices import Gun, Scanner
from tests.servers import free_port

SETTING = Setting("gate.scans", Path())
CODE = "(01)06901234567892(21){}"


class TestSource(SourceContract):
    @pytest.fixture
    def case(self) -> Iterator[SourceCase]:
        scanners: list[Scanner] = []
        codes = [CODE.format(one) for one in range(4)]

        def world() -> OpenSource:
            scanner = Scanner(codes)
            scanners.append(scanner)
            connection = LinesOptions(connect=[scanner.address])
            made = LinesSourceOptions(batch=10, stamp=False)
            name = {"names": {scanner.address: "gun"}}
            assert SPEC.source is not None
            source = SPEC.source
            return lambda: source(connection.model_copy(update=name), made, SETTING)

        expected = [
            {"code": code, "device": "gun", "form": "gs1", "gtin": "06901234567892", "serial": str(number)}
            for number, code in enumerate(codes)
        ]
        # A commit whose acknowledgement was lost is known by the position: nothing is taken twice.
        yield SourceCase(world, expected, repeats=0)
        for scanner in scanners:
            scanner.close()


class Reading:
    """A source that is followed in a thread; batches are committed when a test lets them be."""

    def __init__(self, connection: LinesOptions, options: LinesSourceOptions, after: str | None = None) -> None:
        self.batches: list[Batch] = []
        self.failure: Exception | None = None
        self.position = after
        self.commits = threading.Semaphore(0)
        self.came = threading.Semaphore(0)
        self._going = True
        self._source = LinesSource(connection, options, SETTING)
        self._thread = threading.Thread(target=self._run, args=(after,))
        self._thread.start()

    def _run(self, after: str | None) -> None:
        try:
            with self._source as source:
                for batch in source.follow(after, lambda: self._going):
                    self.batches.append(batch)
                    self.came.release()
                    self.commits.acquire(timeout=60)
                    self.position = batch.position
                    if not self._going:
                        return
        except Exception as error:
            self.failure = error
        finally:
            self.came.release()

    def commit(self, count: int = 1) -> Batch:
        """Wait for a batch and let it be committed."""
        for _ in range(count):
            assert self.came.acquire(timeout=20)
            assert self.failure is None, self.failure
            self.commits.release()
        return self.batches[-1]

    def close(self) -> None:
        self._going = False
        self.commits.release()
        self._thread.join(20)
        assert not self._thread.is_alive()


@pytest.fixture
def reading() -> Iterator[Callable[..., tuple[Reading, int]]]:
    opened: list[Reading] = []

    def start(after: str | None = None, connection: dict[str, Any] | None = None, **options: Any) -> tuple[Reading, int]:
        port = free_port()
        made = LinesOptions(listen=f"127.0.0.1:{port}", **(connection or {}))
        one = Reading(made, LinesSourceOptions(**options), after)
        opened.append(one)
        return one, port

    yield start
    for one in opened:
        one.close()


def gun(port: int) -> Gun:
    for _ in range(200):
        try:
            return Gun(port)
        except ConnectionRefusedError:
            threading.Event().wait(0.05)
    raise AssertionError("nobody listens")


Start = Callable[..., tuple[Reading, int]]


def test_a_scan_is_acknowledged_only_when_it_is_committed(reading: Start) -> None:
    hub, port = reading()
    with closing(gun(port)) as device:
        device.say(b"6901234567892\r\n")
        assert hub.came.acquire(timeout=20)
        device.socket.settimeout(0.2)
        with pytest.raises(TimeoutError):
            device.hears()

        hub.commits.release()

        device.socket.settimeout(20)
        assert device.hears() == b"\x06"
    (record,) = hub.batches[0].records
    assert record["gtin"] == "06901234567892"
    assert record["device"] == "127.0.0.1"
    assert record["at"].endswith("+00:00")


def test_halves_of_a_line_are_one_scan_and_a_half_that_is_cut_off_is_none(reading: Start) -> None:
    hub, port = reading()
    with closing(gun(port)) as cut:
        cut.say(b"69012345")
    with closing(gun(port)) as device:
        device.say(b"690123")
        device.say(b"4567892")
        device.say(b"\n")

        assert hub.commit().records[0]["code"] == "6901234567892"
        assert device.hears() == b"\x06"
    assert len(hub.batches) == 1


def test_a_wrong_check_digit_is_refused_to_the_device_and_by_name(reading: Start) -> None:
    hub, port = reading()
    with closing(gun(port)) as device:
        device.say(b"]C10106901234567893\n")
        batch = hub.commit()

        assert device.hears() == b"\x15"
    assert list(batch.records) == []
    assert batch.refused[0].error.code == "NAVE-K376"
    assert "check digit" in batch.refused[0].error.text("en")


def test_a_device_that_missed_the_acknowledgement_says_the_scan_again_and_it_counts_once(reading: Start) -> None:
    hub, port = reading()
    with closing(gun(port)) as device:
        device.say(b"6901234567892\n")
        hub.commit()
        device.hears()
    hub.close()

    again, port = reading(hub.position)
    with closing(gun(port)) as device:
        device.say(b"6901234567892\n")
        assert device.hears() == b"\x06"
        assert again.batches == []
        device.say(b"6901234567892\n")

        assert len(again.commit().records) == 1


def test_many_devices_speak_at_once_and_each_hears_its_own_answers(reading: Start) -> None:
    hub, port = reading(reads="text")
    guns = [gun(port) for _ in range(20)]
    for number, device in enumerate(guns):
        device.say("".join(f"{number}-{one}\n" for one in range(10)).encode())

    while sum(len(batch.records) for batch in hub.batches) < 200:
        hub.commit()

    for device in guns:
        assert device.hears(10) == b"\x06" * 10
        device.close()
    codes = [record["code"] for batch in hub.batches for record in batch.records]
    assert len(set(codes)) == 200


def test_an_endless_line_is_refused_and_its_device_starts_anew(reading: Start) -> None:
    hub, port = reading(longest=50)
    with closing(gun(port)) as device:
        device.say(b"x" * 5_000)
        batch = hub.commit()

        assert batch.refused[0].error.code == "NAVE-K375"
        assert device.hears(2) in (b"\x15", b"")
    with closing(gun(port)) as device:
        device.say(b"6901234567892\n")
        assert hub.commit().records[0]["form"] == "ean"


def test_the_plants_own_labels_heartbeats_and_framing_are_configured(reading: Start) -> None:
    pattern = r"(?P<material>[^|]+)\|(?P<batch>[^|]+)\|(?P<quantity>[0-9.]+)"
    hub, port = reading(pattern=pattern, start="\x02", end="\x03", encoding="gb18030", ack="OK\r\n", quiet=["HEARTBEAT"])
    with closing(gun(port)) as device:
        device.say("\x02HEARTBEAT\x03\x02铜管|L7|12.5\x03".encode("gb18030"))
        (record,) = hub.commit().records

        assert device.hears(4) == b"OK\r\n"
    assert record["form"] == "label"
    assert [record[name] for name in ("material", "batch", "quantity")] == ["铜管", "L7", "12.5"]


def test_more_devices_than_allowed_are_turned_away(reading: Start) -> None:
    _, port = reading(connection={"devices": 1})
    with closing(gun(port)) as first:
        first.say(b"half")
        with closing(gun(port)) as second:
            assert second.hears() == b""


def test_a_port_that_is_taken_and_a_device_that_is_off_are_told() -> None:
    scanner = Scanner([])
    port = scanner.address.rpartition(":")[2]
    taken = Reading(LinesOptions(listen=f"127.0.0.1:{port}"), LinesSourceOptions())
    gone = LinesOptions(connect=[f"127.0.0.1:{free_port()}"])
    off = Reading(gone, LinesSourceOptions())

    for one in (taken, off):
        one.came.acquire(timeout=20)
        assert isinstance(one.failure, RetryableError)
        assert one.failure.code == "NAVE-K374"
        one.close()
    with pytest.raises(RetryableError):
        check(gone, SETTING)
    scanner.close()


@pytest.mark.parametrize(
    "options",
    [{}, {"listen": "x"}, {"listen": "a:1", "connect": ["b:2"]}, {"connect": ["b:2"], "networks": ["10.0.0.0/8"]}],
)
def test_connections_that_make_no_sense_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        LinesOptions(**options)


@pytest.mark.parametrize("pattern", ["(", "no groups", "(?P<code>.+)"])
def test_patterns_that_make_no_sense_are_refused(pattern: str) -> None:
    with pytest.raises(ValidationError):
        LinesSourceOptions(pattern=pattern)
