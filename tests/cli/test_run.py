"""`nave run` as a process: signals, the lock, the door, and what its exit status says."""

from __future__ import annotations

import json
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from subprocess import Popen

import pytest

from tests.cli.calls import nave, start, until
from tests.cli.tiny import drop_files, rows_of
from tests.servers import free_port


@pytest.fixture
def port() -> int:
    return free_port()


@contextmanager
def running(hub: Path, port: int) -> Iterator[Popen[str]]:
    """A hub at work in a process of its own, with its door open."""
    process = start("run", "--poll", "0.1", hub=hub, environ={"NAVE_LISTEN": f"127.0.0.1:{port}"})
    try:
        until(lambda: process.poll() is not None or is_open(port))
        yield process
    finally:
        process.kill()
        process.communicate()


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def send(port: int, record: dict[str, str]) -> int:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("POST", "/events/crm.customers", json.dumps(record), {"Content-Type": "application/json"})
    status = connection.getresponse().status
    connection.close()
    return status


@pytest.mark.slow
def test_events_come_in_and_sigterm_ends_it_cleanly_within_five_seconds(hub: Path, port: int) -> None:
    with running(hub, port) as process:
        accepted = send(port, {"id": "C1", "name": "Pushed"})
        until(lambda: (hub / "erp.db").exists() and [row[2] for row in _rows(hub)] == ["Pushed"])
        begun = time.monotonic()
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=20)
        took = time.monotonic() - begun

    assert accepted == 202
    assert process.returncode == 0
    assert took < 5
    assert out == ""
    assert f"events at http://127.0.0.1:{port}/events/SOURCE" in err
    assert err.endswith("ended cleanly\n")


def _rows(hub: Path) -> list[tuple[object, ...]]:
    try:
        return rows_of(hub, "IF_CUSTOMER")
    except Exception:
        return []


@pytest.mark.slow
def test_ctrl_c_ends_it_cleanly_too_and_says_so_in_its_status(hub: Path, port: int) -> None:
    with running(hub, port) as process:
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)

    assert process.returncode == 130
    assert "ended cleanly" in err
    assert "Traceback" not in err


@pytest.mark.slow
def test_a_second_run_is_refused_and_the_lock_dies_with_its_holder(hub: Path, port: int) -> None:
    with running(hub, port) as process:
        refused = nave("run", hub=hub)
        process.kill()
        process.wait()
        after = nave("run", "--until-idle", "--no-http", "--poll", "0.1", hub=hub)

    assert refused.status == 5
    assert f"error[NAVE-E206]: this hub is being worked on by another process ({process.pid})" in refused.err
    assert after.status == 0


def test_an_address_that_is_taken_is_said_so(hub: Path, port: int) -> None:
    with socket.create_server(("127.0.0.1", port)):
        answer = nave("run", "--until-idle", hub=hub, environ={"NAVE_LISTEN": f"127.0.0.1:{port}"})

    assert answer.status == 3
    assert "error[NAVE-A017]" in answer.err


def test_the_status_says_whether_everything_got_through(hub: Path) -> None:
    fine = nave("run", "--until-idle", "--no-http", "--poll", "0.1", hub=hub)
    drop_files(hub)
    partly = nave("run", "--until-idle", "--no-http", "--poll", "0.1", "--json", hub=hub)

    assert (fine.status, partly.status) == (0, 4)
    assert partly.data["unreadable"] == {}


def test_a_source_that_cannot_be_read_is_told(hub: Path) -> None:
    path = hub / "systems/erp.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("table: CUSTOMER,", "table: NOWHERE,"), encoding="utf-8")

    answer = nave("run", "--until-idle", "--no-http", "--poll", "0.1", "--json", hub=hub)

    assert answer.status == 4
    assert list(answer.data["unreadable"]) == ["erp.customers"]


def test_a_hub_with_problems_does_not_start_and_shows_them(hub: Path) -> None:
    (hub / "systems/erp.yaml").write_text("system: erp\nsorces: {}\n", encoding="utf-8")

    answer = nave("run", hub=hub)
    data = nave("run", "--json", hub=hub)

    assert (answer.status, answer.out) == (1, "")
    assert "systems/erp.yaml:2:1: error[NAVE-C011]" in answer.err
    assert "NAVE-C011" in [one["code"] for one in data.data["problems"]]
    assert not (hub / "nave.db").exists()
