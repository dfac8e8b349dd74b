"""Changes of golden records reach the application: once in its own transaction, or at least once by a call."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from nave.beside import Hub, Outbound
from nave.core import dead
from nave.core.errors import ConfigError, PermanentError, RetryableError
from nave.core.store import open_store
from nave.workers.apply import apply_step
from nave.workers.sweep import introduce_sinks
from tests.whole.beside import SINK, SOURCE, Application, client, opened, write


@pytest.fixture
def application(tmp_path: Path, store_url: str) -> Application:
    return write(tmp_path / "hub", store_url)


@pytest.fixture
def hub(application: Application) -> Iterator[Hub]:
    """With nothing at work: tests apply what was published when they like."""
    with opened(application) as one:
        introduce_sinks(one._hub)
        yield one


def _bring(application: Application, hub: Hub, *records: dict[str, str]) -> None:
    with closing(application.connect()) as connection:
        hub.publish(connection, SOURCE, records)
        connection.commit()
    while apply_step(hub._hub):
        pass


def _keep(connection: Any) -> Callable[[Outbound], None]:
    """Write a change into the application's own table; a second time would be an error."""

    def keep(one: Outbound) -> None:
        connection.execute(f"INSERT INTO client VALUES ('{one.values['code']}', '{one.values['name']}')")

    return keep


def _letters(application: Application) -> list[Any]:
    with closing(open_store(application.store)) as store, store.read() as tx:
        return dead.open_letters(tx)


def test_changes_are_had_exactly_when_the_application_commits(application: Application, hub: Hub) -> None:
    _bring(application, hub, client(1, "one"), client(2, "two"))

    with closing(application.connect()) as connection:
        first = hub.changes(connection, SINK)
        connection.rollback()
        again = hub.changes(connection, SINK)
        connection.commit()
        after = hub.changes(connection, SINK)
        connection.commit()
    _bring(application, hub, client(2, "two, changed"))
    engine = application.engine()
    with engine.begin() as connection:
        (changed,) = hub.changes(connection, SINK)
    engine.dispose()

    assert {one.values["name"] for one in first} == {"one", "two"}
    assert first == again
    assert after == []
    assert (changed.values["name"], changed.version) == ("two, changed", 2)
    assert changed.key in {one.key for one in first}


@pytest.mark.long
def test_a_savepoint_that_is_rolled_back_gives_the_changes_back(application: Application, hub: Hub) -> None:
    _bring(application, hub, client(1, "one"))

    with closing(application.connect()) as connection:
        connection.execute("INSERT INTO client VALUES ('C0', 'mine')")
        connection.execute("SAVEPOINT mine")
        assert len(hub.changes(connection, SINK)) == 1
        connection.execute("ROLLBACK TO SAVEPOINT mine")
        connection.commit()
        assert len(hub.changes(connection, SINK)) == 1
        connection.rollback()


def test_one_change_that_cannot_be_used_is_a_dead_letter_and_its_neighbours_go_on(
    application: Application, hub: Hub
) -> None:
    _bring(application, hub, client(1, "one"), client(2, "poison"), client(3, "three"))

    with closing(application.connect()) as connection:
        keep = _keep(connection)

        def effect(one: Outbound) -> None:
            keep(one)
            if one.values["name"] == "poison":
                raise PermanentError("NAVE-E010", reason="nobody wants it")

        taken = hub.take(connection, SINK, effect)
        connection.commit()

    assert taken == 3
    assert application.rows() == {"C1": "one", "C3": "three"}
    assert [(letter.flow, letter.code) for letter in _letters(application)] == [(SINK, "NAVE-E010")]


def test_what_nobody_thought_of_comes_out_and_nothing_of_it_stays(application: Application, hub: Hub) -> None:
    _bring(application, hub, client(1, "one"), client(2, "two"))

    with closing(application.connect()) as connection:
        with pytest.raises(ZeroDivisionError):
            hub.take(connection, SINK, lambda one: str(1 // 0))
        connection.execute("DELETE FROM client")  # its own tables are found as before
        connection.rollback()
        assert hub.take(connection, SINK, _keep(connection)) == 2
        connection.commit()

    assert application.rows() == {"C1": "one", "C2": "two"}
    assert _letters(application) == []


@pytest.mark.long
def test_takers_that_meet_never_have_the_same_change(application: Application, hub: Hub) -> None:
    """Each would fail to insert a client that another one has inserted."""
    _bring(application, hub, *(client(number, str(number)) for number in range(60)))
    failed: list[BaseException] = []

    def work() -> None:
        try:
            with closing(application.connect()) as connection:
                while hub.take(connection, SINK, _keep(connection), limit=7):
                    connection.commit()
                connection.commit()
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(60)

    assert failed == []
    assert len(application.rows()) == 60


_KILLED = """
import sys
from pathlib import Path
import sqlalchemy as sa
from nave.beside import Hub
from tests.whole.beside import SINK, Application
application = Application(sa.make_url(sys.argv[1]), Path(sys.argv[2]))
hub = Hub.open(application.folder)
connection = application.connect()
def keep(one):
    connection.execute(f"INSERT INTO client VALUES ('{one.values['code']}', '{one.values['name']}')")
hub.take(connection, SINK, keep, limit=2)
connection.commit()
hub.take(connection, SINK, keep, limit=2)
print("taken", flush=True)
sys.stdin.read()
"""


@pytest.mark.long
def test_an_application_killed_between_taking_and_commit_has_the_effect_once(application: Application, hub: Hub) -> None:
    _bring(application, hub, *(client(number, str(number)) for number in range(4)))
    arguments = [application.url.render_as_string(hide_password=False), str(application.folder)]
    with subprocess.Popen(
        [sys.executable, "-c", _KILLED, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout
        assert child.stdout.readline() == "taken\n"
        os.kill(child.pid, signal.SIGKILL)

    assert len(application.rows()) == 2
    with closing(application.connect()) as connection:
        assert hub.take(connection, SINK, _keep(connection)) == 2
        connection.commit()
    assert len(application.rows()) == 4


def test_a_subscriber_is_called_in_the_process_while_the_hub_works_there(application: Application) -> None:
    names: list[str] = []
    there = threading.Event()

    def effect(one: Outbound) -> str:
        names.append(one.values["name"])
        if one.values["name"] == "last":
            there.set()
        return f"my-{one.values['code']}"

    interval, threshold = sys.getswitchinterval(), gc.get_threshold()
    with opened(application) as hub:
        hub.subscribe(SINK, effect)
        hub.start(poll=0.05)
        for name in ("first", "last"):
            with closing(application.connect()) as connection:
                hub.publish(connection, SOURCE, [client(1, name)])
                connection.commit()
            hub.announce()
        assert there.wait(60)

    assert names[-1] == "last"
    assert names == sorted(set(names), key=["first", "last"].index)
    assert sys.getswitchinterval() == pytest.approx(interval, abs=2e-6)  # it is kept in whole microseconds
    assert gc.get_threshold() == threshold


@pytest.mark.long
def test_a_subscriber_that_fails_is_called_again_or_leaves_a_letter(application: Application) -> None:
    calls: list[str] = []
    done = threading.Event()

    def effect(one: Outbound) -> None:
        name = one.values["name"]
        calls.append(name)
        if name == "later" and calls.count(name) == 1:
            raise RetryableError("NAVE-E001", after=0.1, reason="not now")
        if name == "bug":
            raise ZeroDivisionError
        if {"later", "bug", "fine"} <= set(calls) and calls.count("later") == 2:
            done.set()

    with opened(application) as hub:
        hub.subscribe(SINK, effect)
        hub.start(poll=0.05)
        with closing(application.connect()) as connection:
            hub.publish(connection, SOURCE, [client(1, "later"), client(2, "bug"), client(3, "fine")])
            connection.commit()
        assert done.wait(60)

    assert (calls.count("later"), calls.count("fine")) == (2, 1)
    assert [letter.flow for letter in _letters(application)] == [SINK]


def test_other_processes_leave_the_sink_alone_and_only_what_is_subscribed_is_worked_on(
    application: Application, hub: Hub
) -> None:
    _bring(application, hub, client(1, "one"))

    with pytest.raises(RetryableError, match="K350"), hub._hub.sinks[SINK].open():
        pass
    there = threading.Event()
    hub.subscribe(SINK, lambda one: there.set())
    hub.start(whole=False, poll=0.05)

    assert there.wait(60)
    with pytest.raises(ConfigError, match="K357"):
        hub.subscribe(SINK, lambda one: None)
    with pytest.raises(ConfigError, match="K357"):
        hub.changes(None, "app.nobody")


def test_on_sqlite_one_process_works_on_a_hub(tmp_path: Path) -> None:
    application = write(tmp_path / "hub", f"sqlite:///{tmp_path / 'app.db'}")

    with opened(application) as first, opened(application) as second:
        first.start()
        with pytest.raises(ConfigError, match="E206"):
            second.start()


def test_a_folder_with_errors_says_which(tmp_path: Path) -> None:
    application = write(tmp_path / "hub", f"sqlite:///{tmp_path / 'app.db'}")
    (application.folder / "mappings/app/in.yaml").write_text("mapping: app/in\nfrom: app.customers\nto: nobody\n", "utf-8")

    with pytest.raises(ConfigError, match="K356") as caught:
        Hub.open(application.folder)

    assert "mappings/app/in.yaml:" in str(caught.value)
