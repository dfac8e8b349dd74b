"""The door for clocks: exact answers, only after the commit; strangers, odd lines, times from tomorrow, names in GBK."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from nave.api.adms import ClockDoor, Clocks, clock_route
from nave.api.admssaid import options
from nave.api.admsstamps import Stamps
from nave.api.door import door
from nave.api.serving import serving
from nave.core.errors import RetryableError
from nave.core.store import Store, open_store
from tests.api.hub import Hub
from tests.peers.zkteco import Clock
from tests.servers import free_port

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SHANGHAI = ZoneInfo("Asia/Shanghai")
PUNCHES = Clocks(
    "hr.punches",
    {"CKJ1": None, "CKJ2": b"4711", "CKJ3": None, "CKJ4": None},
    SHANGHAI,
    ahead=timedelta(minutes=10),
    max_body=20_000,
)
FAR = Clocks("far.punches", {"FAR1": None}, SHANGHAI, networks=(ip_network("10.0.0.0/8"),))
SLOW = Clocks("slow.punches", {"SLOW1": None}, SHANGHAI, per_second=0.01)
PEOPLE = Clocks("hr.people", {"CKJ1": None}, SHANGHAI)
LINE = "101\t2026-11-22 08:00:01\t0\t15\t0\t0\t0\t"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    store = open_store(f"sqlite:///{tmp_path_factory.mktemp('clocks') / 'hub.db'}")
    yield store
    store.close()


@pytest.fixture(scope="module")
def running(store: Store) -> Iterator[Hub]:
    hub = Hub()
    route = clock_route(
        ClockDoor([PUNCHES, FAR, SLOW], [PEOPLE], hub.land, Stamps(store), body_seconds=2.0, now=lambda: NOW)
    )
    with serving(door({}, hub.land, dict, more=[route]), "127.0.0.1", free_port()) as port:
        hub.port = port
        yield hub


@pytest.fixture
def hub(running: Hub) -> Hub:
    running.landed.clear()
    running.failure = None
    return running


@pytest.fixture
def clock(hub: Hub) -> Clock:
    return Clock("CKJ1", hub.port)


def punches(hub: Hub) -> list[tuple[str, str, str | None]]:
    return [(one["pin"], one["time"], one["fault"]) for _, records, _ in hub.landed for one in records]


def test_a_block_is_answered_with_its_count_and_lands_whole(hub: Hub, clock: Clock) -> None:
    said = clock.ask("POST", "cdata", f"{LINE}\n102\t2026-11-22 08:00:02\t1\t1\n".encode(), table="ATTLOG", Stamp="9999")

    assert said == (200, "OK: 2")
    first = {"device": "CKJ1", "pin": "101", "time": "2026-11-22 08:00:01", "status": "0", "verify": "15", "workcode": "0"}
    second = {**first, "pin": "102", "time": "2026-11-22 08:00:02", "status": "1", "verify": "1", "workcode": ""}
    origin = {"unit": "line", "device": "CKJ1", "table": "attlog"}
    assert hub.landed == [("hr.punches", [{**first, "fault": None}, {**second, "fault": None}], origin)]


@pytest.mark.parametrize("root", ["/iclock", "/iclock/iclock"])
@pytest.mark.parametrize("suffix", ["", ".aspx"])
def test_firmware_that_writes_the_path_otherwise_is_answered_alike(hub: Hub, root: str, suffix: str) -> None:
    clock = Clock("CKJ1", hub.port, root=root, suffix=suffix)

    assert clock.begin()["TimeZone"] == "8"
    assert clock.offer([LINE], "9999")
    assert clock.ask("GET", "getrequest") == (200, "OK")


@pytest.mark.parametrize(
    ("method", "what", "body", "query", "answer"),
    [
        ("GET", "getrequest", None, {}, "OK"),
        ("GET", "ping", None, {}, "OK"),
        ("POST", "devicecmd", b"ID=1&Return=0&CMD=DATA", {}, "OK"),
        ("POST", "cdata", b"~DeviceName=X", {"table": "options"}, "OK"),
        ("POST", "cdata", b"", {"table": "ATTLOG", "Stamp": "1"}, "OK: 0"),
        ("POST", "cdata", b"x", {"table": "ATTPHOTO"}, "OK"),
        (
            "POST",
            "cdata",
            b"user pin=1\tname=A\nuser pin=2\n",
            {"table": "tabledata", "tablename": "user", "count": "2"},
            "user=2",
        ),
        ("POST", "cdata", b"biodata pin=1", {"table": "tabledata", "tablename": "biodata", "count": "1"}, "biodata=1"),
    ],
)
def test_each_request_has_its_exact_answer(
    clock: Clock, method: str, what: str, body: bytes | None, query: dict[str, str], answer: str
) -> None:
    assert clock.ask(method, what, body, **query) == (200, answer)


def test_protocol_3_registers_is_configured_and_sends_events(hub: Hub, clock: Clock) -> None:
    lines = (
        b"time=2026-11-22 08:00:01\tpin=101\tcardno=0\teventaddr=1\tevent=0\tinoutstatus=1\tverifytype=15\tindex=7\n"
        b"time=2026-11-22 08:00:02\tpin=0\tcardno=0\teventaddr=1\tevent=200\tinoutstatus=2\tverifytype=200\tindex=8\n"
    )

    _, code = clock.ask("POST", "registry", b"DeviceType=acc")
    _, told = clock.ask("POST", "push")
    answer = clock.ask("POST", "cdata", lines, table="rtlog")

    assert code.startswith("RegistryCode=")
    assert len(code) == len("RegistryCode=") + 32
    assert "Realtime=1" in told.splitlines()
    assert answer == (200, "OK")
    assert punches(hub) == [("101", "2026-11-22 08:00:01", None)]


def test_people_come_without_passwords_and_with_names_in_gb2312(hub: Hub, clock: Clock) -> None:
    body = (
        "USER PIN=101\tName=朱镕基\tPri=0\tPasswd=1234\tCard=42\tGrp=1\n".encode("gb18030")
        + b"FP PIN=101\tTMP=xx\nOPLOG 4\t0\n"
    )

    assert clock.ask("POST", "cdata", body, table="OPERLOG", OpStamp="5") == (200, "OK: 3")

    person = {"device": "CKJ1", "pin": "101", "name": "朱镕基", "card": "42", "privilege": "0", "fault": None}
    assert [(source, records) for source, records, _ in hub.landed] == [("hr.people", [person])]
    assert Clock("CKJ2", hub.port).ask("POST", "cdata", body, table="OPERLOG") == (200, "OK: 3")
    assert len(hub.landed) == 1


def test_nothing_is_ok_before_the_commit_or_without_one(hub: Hub, clock: Clock) -> None:
    clock.punch("101", "2026-11-22 08:00:01")
    hub.failure = RetryableError("NAVE-E004", after=1.0, waiting=9)

    refused = clock.push()

    assert not refused
    assert clock.answers[-1][0] == 503
    hub.failure = ValueError("a bug")
    assert not clock.push()
    assert clock.answers[-1][0] == 500
    hub.failure = None
    assert clock.push()
    assert punches(hub) == [("101", "2026-11-22 08:00:01", None)]


@pytest.mark.parametrize("serial", ["", "CKJ9", "FAR1", "x" * 500, "CKJ1'; --"])
def test_a_stranger_is_not_told_ok_and_keeps_what_it_has(hub: Hub, serial: str) -> None:
    clock = Clock(serial, hub.port)
    clock.punch("101", "2026-11-22 08:00:01")

    assert clock.begin() == {}
    assert not clock.push()

    assert clock.answers[-1][0] == 403
    assert "NAVE-K360" in clock.answers[-1][1]
    assert (hub.landed, clock.sent) == ([], 0)


def test_a_clock_with_a_key_shows_it_when_it_begins(hub: Hub) -> None:
    right, wrong, none = (Clock("CKJ2", hub.port, key) for key in ("4711", "4712", None))

    assert right.begin()
    assert right.offer([LINE], 1)
    assert [wrong.begin(), none.begin()] == [{}, {}]
    assert wrong.ask("POST", "cdata", LINE.encode(), table="ATTLOG", pushcommkey="4712")[0] == 403
    assert none.ask("POST", "registry")[0] == 403
    assert len(hub.landed) == 1


def test_a_clock_goes_on_behind_the_stamp_that_was_kept(hub: Hub, store: Store) -> None:
    clock = Clock("CKJ3", hub.port, block=2)
    for number in range(5):
        clock.punch("101", f"2026-11-22 08:00:0{number}")
    clock.begin()
    clock.push()

    again = Clock("CKJ3", hub.port, memory=[*clock.memory, LINE])
    said = again.begin()
    again.push()

    assert said["ATTLOGStamp"] == "5"
    assert len(punches(hub)) == 6
    assert Stamps(store).of("CKJ3") == {"ATTLOG": "6"}
    assert clock.begin(version="1.0")["Stamp"] == "6"


def test_the_stamp_that_clocks_write_for_want_of_one_is_not_kept(hub: Hub) -> None:
    clock = Clock("CKJ4", hub.port)
    clock.ask("POST", "cdata", LINE.encode(), table="ATTLOG", Stamp="9999")

    assert clock.begin()["ATTLOGStamp"] == "0"


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("101\t2026-11-22 20:10:01\t0\t15", "from the future: 2026-11-22 20:10:01"),
        ("101\t2099-01-01 08:00:00\t0\t15", "from the future: 2099-01-01 08:00:00"),
        ("101\t2026-02-30 08:00:00\t0\t15", "no moment: 2026-02-30 08:00:00"),
        ("101 2026-11-22", "no punch: '101 2026-11-22'"),
        ("\t2026-11-22 08:00:00\t0\t1", "no punch: '\\t2026-11-22 08:00:00\\t0\\t1'"),
        ("<html>", "no punch: '<html>'"),
    ],
)
def test_odd_lines_land_with_their_fault_beside_good_ones(hub: Hub, clock: Clock, line: str, fault: str) -> None:
    assert clock.ask("POST", "cdata", f"{line}\n{LINE}\n".encode(), table="ATTLOG") == (200, "OK: 2")

    assert [one[2] for one in punches(hub)] == [fault, None]


def test_a_clock_that_goes_fast_by_less_than_allowed_is_believed(hub: Hub, clock: Clock) -> None:
    assert clock.offer(["101\t2026-11-22 20:10:00\t0\t15"], 9999)

    assert punches(hub) == [("101", "2026-11-22 20:10:00", None)]


def test_bytes_that_are_no_text_land_as_a_fault(hub: Hub, clock: Clock) -> None:
    assert clock.ask("POST", "cdata", b"\xff\xfe\x81\n", table="ATTLOG") == (200, "OK: 1")

    assert punches(hub)[0][2] == r"no punch: '\\xff\\xfe\\x81'"


def test_what_could_hold_punches_is_not_answered_ok(hub: Hub, clock: Clock) -> None:
    for query in ({"table": "NEWLOG"}, {"table": "tabledata", "tablename": "transaction", "count": "1"}, {}):
        status, text = clock.ask("POST", "cdata", b"x", **query)

        assert (status, "NAVE-K362" in text) == (501, True)
    assert clock.ask("GET", "elsewhere")[0] == 404


def test_a_body_beyond_the_limit_is_refused(hub: Hub, clock: Clock) -> None:
    assert clock.ask("POST", "cdata", b"x" * 20_001, table="ATTLOG")[0] == 413
    assert hub.landed == []


def test_a_long_block_lands_in_parts_and_is_answered_once(hub: Hub) -> None:
    clock = Clock("CKJ1", hub.port)
    lines = b"1\t2026-11-22 08:00:01\t0\t1\n" * 700

    assert clock.ask("POST", "cdata", lines, table="ATTLOG") == (200, "OK: 700")
    assert sum(len(records) for _, records, _ in hub.landed) == 700


@pytest.mark.parametrize(("zone", "told"), [("Asia/Shanghai", "8"), ("Asia/Kolkata", "330"), ("America/New_York", "-5")])
def test_half_hour_zones_are_told_in_minutes(zone: str, told: str) -> None:
    assert f"TimeZone={told}\r\n" in options("X", "2.4.1", lambda _: None, NOW.astimezone(ZoneInfo(zone)), people=False)


def test_no_repr_shows_a_key() -> None:
    assert "4711" not in repr(PUNCHES)


def test_stamps_outlive_the_process(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'hub.db'}")
    Stamps(store).keep("A", "ATTLOG", "77")
    store.close()

    again = open_store(f"sqlite:///{tmp_path / 'hub.db'}")

    assert Stamps(again).of("A") == {"ATTLOG": "77"}
    again.close()


def test_a_source_with_a_rate_puts_its_clocks_off(hub: Hub) -> None:
    clock = Clock("SLOW1", hub.port)
    clock.punch("101", "2026-11-22 08:00:01")

    assert clock.push()
    clock.sent = 0
    assert not clock.push()

    assert clock.answers[-1][0] == 429
    assert len(hub.landed) == 1
