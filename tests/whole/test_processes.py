"""A hub in many processes on PostgreSQL: killed, frozen, restarted; each record is taken in and sent out once."""

from __future__ import annotations

import json
import os
import signal
import time
from http.client import HTTPConnection
from pathlib import Path

import pytest
import sqlalchemy as sa

from nave.core import leases
from nave.core.store import schema as t
from nave.workers.keep import SECONDS, holder_of
from tests.cli.calls import nave
from tests.cli.tiny import write_hub
from tests.whole.many import READ, Calls, Many, of, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


def test_of_two_schedulers_one_reads_and_when_it_is_killed_the_other_goes_on(many: Many) -> None:
    many.rows(0, 50)
    many.start("schedule")
    many.start("schedule")
    until(lambda: many.books("erp.customers").received >= 50)
    first = many.holder(READ)

    of(many.processes, first).kill()
    began = time.monotonic()
    many.drop("after", 0, 30)
    until(lambda: many.books("erp.files").received == 30)
    took = time.monotonic() - began

    assert first is not None
    assert many.holder(READ) not in (first, None)
    assert took < 3 * SECONDS + 10


def test_a_frozen_scheduler_that_wakes_up_lands_nothing_more(many: Many) -> None:
    """It is stopped in the middle of a pass; another one makes the pass from its start."""
    _hourly(many)
    many.rows(0, 4000)
    one = many.start("schedule")
    until(lambda: many.books("erp.customers").received >= 100)
    one.send_signal(signal.SIGSTOP)
    before = many.books("erp.customers").received
    other = many.start("schedule")
    until(lambda: many.holder(READ) == other.pid and _passes(many), 90)
    token, landed = _token(many), many.books("erp.customers").received

    one.send_signal(signal.SIGCONT)
    until(lambda: "source.lost" in many.log() or "lease.lost" in many.log())

    assert before < 4000
    assert landed in (before + 4000, before + 4020)  # a commit may have been on its way
    assert many.books("erp.customers").received == landed
    assert (many.holder(READ), _token(many)) == (other.pid, token)
    assert one.poll() is None


def _hourly(many: Many) -> None:
    path = many.folder / "systems/erp.yaml"
    path.write_text(path.read_text("utf-8").replace("every: 1s", "every: 1h"), "utf-8")


def _passes(many: Many) -> float:
    """Rises with every pass over the database that ended."""
    with many.store.read() as tx:
        return float(
            (tx.rows(sa.select(t.schedule.c.began_at).where(t.schedule.c.source == "erp.customers")) or [[0.0]])[0][0]
        )


def _token(many: Many) -> int:
    with many.store.read() as tx:
        return int(tx.rows(sa.select(t.lease.c.token).where(t.lease.c.name == READ))[0][0])


def test_a_schedule_fires_once_for_any_number_of_schedulers(many: Many) -> None:
    _hourly(many)
    many.rows(0, 10)
    first = many.start("schedule")
    until(lambda: many.books("erp.customers").received == 10 and _passes(many))
    began = _passes(many)

    first.terminate()
    first.wait(15)
    many.start("schedule")
    many.start("schedule")
    until(lambda: many.holder(READ))
    many.drop("proof", 0, 5)
    until(lambda: many.books("erp.files").received == 5)

    assert _passes(many) == began
    assert many.books("erp.customers").received == 10


def test_two_workers_share_the_work_and_send_nothing_twice(many: Many, target: Calls) -> None:
    many.start("worker", "--poll", "0.1")
    many.start("worker", "--poll", "0.1")
    many.start("schedule")
    many.rows(0, 300)
    for number in range(10):
        many.drop(f"f{number}", number * 30, number * 30 + 30)
    until(lambda: many.delivered() == 600)

    assert many.golden() == 600
    assert len(target.calls) == 600
    assert target.repeated() == {}


def test_a_worker_that_is_killed_is_followed_up_within_seconds(many: Many, target: Calls) -> None:
    many.start("schedule")
    victim = many.start("worker", "--poll", "0.1")
    many.rows(0, 300)
    until(lambda: len(target.calls) > 20)
    victim.kill()
    sent = len(target.calls)
    many.start("worker", "--poll", "0.1")
    until(lambda: many.delivered() == 300, 90)

    assert sent < 300
    assert len(set(target.calls)) == 300
    # What was on its way when it died goes again, with the same key: no more than was claimed at once.
    assert sum(target.repeated().values()) - len(target.repeated()) <= 10


def test_a_frozen_worker_that_wakes_up_sends_nothing_that_others_have_sent(many: Many, target: Calls) -> None:
    many.start("schedule")
    frozen = many.start("worker", "--poll", "0.1")
    many.rows(0, 300)
    until(lambda: len(target.calls) > 20)
    frozen.send_signal(signal.SIGSTOP)
    many.start("worker", "--poll", "0.1")
    until(lambda: many.delivered() == 300, 240)
    sent = len(target.calls)
    frozen.send_signal(signal.SIGCONT)
    until(lambda: many.holder("process:" + _process(many, frozen.pid)) == frozen.pid)

    assert len(set(target.calls)) == 300
    assert len(target.calls) - sent <= 10  # requests that were in its hands already, with the same keys
    assert frozen.poll() is None


def _process(many: Many, pid: int) -> str:
    with many.store.read() as tx:
        name = tx.rows(
            sa.select(t.lease.c.name).where(t.lease.c.name.startswith("process:"), t.lease.c.holder == holder_of(pid))
        )
    return str(name[0][0]).removeprefix("process:") if name else ""


@pytest.mark.parametrize("words", [["serve"], ["worker"], ["schedule"], ["run", "--workers", "2"]])
def test_several_processes_on_sqlite_are_refused(tmp_path: Path, words: list[str]) -> None:
    hub = write_hub(tmp_path / "tiny")

    refused = nave(*words, hub=hub)

    assert refused.status == 5
    assert "error[NAVE-E221]" in refused.err


def test_a_whole_run_is_refused_beside_the_parts_and_the_parts_go_beside_each_other(many: Many) -> None:
    one, other = many.start("worker"), many.start("schedule")
    until(lambda: many.log().count("(process ") == 2)

    refused = nave("run", hub=many.folder)

    assert refused.status == 5
    assert "error[NAVE-E206]" in refused.err
    assert (one.poll(), other.poll()) == (None, None)


def test_a_supervisor_starts_the_dead_again_and_ends_all_within_seconds(many: Many, target: Calls) -> None:
    boss = many.start("run", "--workers", "2", "--poll", "0.1")
    until(lambda: len(many.children(boss)) == 4)
    until(lambda: _is_open(many.door))
    for pid in many.children(boss):
        os.kill(pid, signal.SIGKILL)
    until(lambda: "process.died" in many.log() and len(many.children(boss)) == 4)
    until(lambda: _is_open(many.door))
    assert _push(many.door, {"id": "P1", "name": "pushed"}) == 202
    until(lambda: len(target.calls) == 1)

    family = many.children(boss)
    began = time.monotonic()
    boss.terminate()
    status = boss.wait(20)
    took = time.monotonic() - began

    assert status == 0
    assert took < 8
    assert [pid for pid in family if Path(f"/proc/{pid}").exists()] == []
    with many.store.read() as tx:
        assert [one.name for one in leases.listed(tx) if not one.name.startswith("ids:")] == []


def test_what_a_supervisor_started_ends_when_it_is_killed(many: Many) -> None:
    boss = many.start("run", "--workers", "1", "--no-http")
    until(lambda: len(many.children(boss)) == 2)
    until(lambda: many.log().count("(process ") == 2)
    family = many.children(boss)

    boss.kill()
    boss.wait()

    until(lambda: not any(_runs(pid) for pid in family), 20)


def _runs(pid: int) -> bool:
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


def _is_open(port: int) -> bool:
    import socket

    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _push(port: int, record: dict[str, str]) -> int:
    connection = HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("POST", "/events/crm.pushed", json.dumps(record), {"Content-Type": "application/json"})
    status = connection.getresponse().status
    connection.close()
    return status


@pytest.mark.parametrize("ends", [False, True])
def test_files_of_a_frozen_reader_are_read_on_once_it_wakes_up_or_ends_and_no_line_twice(many: Many, ends: bool) -> None:
    many.drop("long", 0, 6000)
    frozen = many.start("schedule")
    until(lambda: many.books("erp.files").received >= 50)
    frozen.send_signal(signal.SIGSTOP)
    before = many.books("erp.files").received
    other = many.start("schedule")
    until(lambda: many.holder(_FILES) == other.pid)
    until(lambda: "source.failed" in many.log())  # the folder is still the frozen one's
    during = many.books("erp.files").received

    frozen.send_signal(signal.SIGKILL if ends else signal.SIGCONT)
    until(lambda: many.books("erp.files").received >= 6000, 120)
    many.drop("next", 6000, 6010)
    until(lambda: many.books("erp.files").received >= 6010)

    assert before < 6000
    assert during - before <= 10  # a commit may have been on its way
    assert many.books("erp.files").received == 6010
    until(lambda: many.holder(_FILES) in {other.pid, 0 if ends else frozen.pid})  # who is slow may lose it again
    assert (frozen.poll() is None) is not ends


_FILES = "read:erp.files"


def test_workers_together_keep_to_the_rate_of_a_sink_also_when_one_dies(many: Many, target: Calls) -> None:
    path = many.folder / "systems/crm.yaml"
    path.write_text(path.read_text("utf-8").replace("{batch: 10}", "{batch: 10, rate: 10/s}"), "utf-8")
    many.start("schedule")
    workers = [many.start("worker", "--poll", "0.1") for _ in range(2)]
    until(lambda: many.log().count("(process ") == 3)
    many.rows(0, 80)
    until(lambda: len(target.calls) >= 30)
    pace = many.holder("pace:crm.customers")
    of(workers, pace).kill()
    until(lambda: many.delivered() == 80, 90)

    assert len(set(target.calls)) == 80
    assert sum(target.repeated().values()) - len(target.repeated()) <= 10
    # A batch of ten, and a second's pause after its last answer, however slow all of it is.
    starts = target.times
    assert max(sum(begin <= one < begin + 0.9 for one in starts) for begin in starts) <= 10
    assert starts[-1] - starts[0] >= 6
