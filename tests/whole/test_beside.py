"""What an application commits is in the journal of the hub beside it, and what it rolls back is not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from nave.beside import Hub
from nave.core.errors import ConfigError, PermanentError, RetryableError
from tests.whole.beside import SOURCE, Application, client, opened, write


@pytest.fixture
def application(tmp_path: Path, store_url: str) -> Application:
    return write(tmp_path / "hub", store_url)


@pytest.fixture
def hub(application: Application) -> Iterator[Hub]:
    with opened(application) as one:
        yield one


def test_a_commit_of_sqlalchemy_takes_the_records_along_and_a_rollback_does_not(application: Application, hub: Hub) -> None:
    engine = application.engine()

    with engine.begin() as connection:
        connection.execute(sa.text("INSERT INTO client VALUES ('C1', '一号')"))
        (landed,) = hub.publish(connection, SOURCE, [client(1, "一号"), client(2, "二号")])
    with engine.connect() as connection:
        hub.publish(connection, SOURCE, [client(3, "never")])
        connection.rollback()

    assert application.landed() == ["一号", "二号"]
    assert application.rows() == {"C1": "一号"}
    assert landed.records == 2
    engine.dispose()


def test_publishing_first_begins_the_transaction_that_the_application_ends(application: Application, hub: Hub) -> None:
    engine = application.engine()

    with engine.connect() as connection:
        hub.publish(connection, SOURCE, [client(1, "kept")])
        connection.commit()
        hub.publish(connection, SOURCE, [client(2, "left open")])

    assert application.landed() == ["kept"]
    engine.dispose()


def test_a_session_takes_them_along_and_rings_behind_its_commit(
    application: Application, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    rung: list[list[str]] = []
    monkeypatch.setattr(hub, "announce", lambda: rung.append(application.landed()))
    engine = application.engine()

    with Session(engine) as session:
        hub.publish(session, SOURCE, [client(1, "one")])
        with session.begin_nested() as nested:
            hub.publish(session, SOURCE, [client(2, "undone")])
            nested.rollback()
        assert rung == []
        session.commit()
        session.execute(sa.text("SELECT 1"))
        session.commit()

    assert rung == [["one"]]
    engine.dispose()


def test_a_plain_driver_commits_rolls_back_and_has_savepoints(application: Application, hub: Hub) -> None:
    with closing(application.connect()) as connection:
        connection.execute("INSERT INTO client VALUES ('C1', 'one')")
        hub.publish(connection, SOURCE, [client(1, "one")])
        connection.execute("SAVEPOINT mine")
        hub.publish(connection.cursor(), SOURCE, [client(2, "undone")])
        connection.execute("ROLLBACK TO SAVEPOINT mine")
        hub.publish(connection.cursor(), SOURCE, [client(3, "three")])
        connection.commit()
        hub.publish(connection, SOURCE, [client(4, "rolled back")])
        connection.rollback()

    assert application.landed() == ["one", "three"]
    assert application.rows() == {"C1": "one"}


def test_the_application_sees_its_own_rows_search_path_and_cursor_as_before(postgres_url: str, tmp_path: Path) -> None:
    """Its own table has the name of one of the hub's, its rows are dictionaries, and it is in the middle of reading."""
    import psycopg

    application = write(tmp_path / "hub", postgres_url)
    with opened(application) as hub, closing(application.connect(row_factory=psycopg.rows.dict_row)) as connection:
        connection.execute("CREATE TABLE journal (mine TEXT)")
        connection.execute("SET LOCAL search_path TO public, pg_catalog")
        cursor = connection.execute("INSERT INTO journal VALUES ('a'), ('b') RETURNING mine")
        hub.publish(cursor, SOURCE, [client(1, "one")])

        assert [row["mine"] for row in cursor.fetchall()] == ["a", "b"]
        assert connection.execute("SHOW search_path").fetchone() == {"search_path": "public, pg_catalog"}
        connection.commit()
        assert connection.execute("SELECT count(*) AS c FROM journal").fetchone() == {"c": 2}

    assert application.landed() == ["one"]


def test_values_keep_every_digit_and_what_the_door_would_refuse_is_refused_before_anything_is_written(
    application: Application, hub: Hub
) -> None:
    with closing(application.connect()) as connection:
        deep: Any = "x"
        for _ in range(70):
            deep = [deep]

        hub.publish(connection, SOURCE, [{"name": Decimal("12345678901234567890.10"), "on": date(2026, 2, 3)}])
        for wrong in ({"name": object()}, {"name": deep}, {"name": Decimal("NaN")}, "text", {"name": "\ud800"}):
            with pytest.raises(PermanentError) as caught:
                hub.publish(connection, SOURCE, [client(1, "well"), wrong])  # type: ignore[list-item]
            assert caught.value.code == "NAVE-K354"
            assert caught.value.params["number"] == 2
        with pytest.raises(PermanentError, match="K355"):
            hub.publish(connection, SOURCE, [client(1, "x" * 2**24)])
        connection.commit()

    assert application.landed() == [Decimal("12345678901234567890.10")]


def test_many_records_are_several_batches_of_one_transaction(application: Application, hub: Hub) -> None:
    with closing(application.connect()) as connection:
        landed = hub.publish(connection, SOURCE, (client(number, str(number)) for number in range(2500)))
        assert application.landed() == []
        connection.commit()

    assert [one.records for one in landed] == [1000, 1000, 500]
    assert application.landed() == [str(number) for number in range(2500)]


def test_a_full_journal_says_later_and_leaves_the_transaction_as_it_was(application: Application) -> None:
    text = (application.folder / "hub.yaml").read_text("utf-8") + "limits: {journal: 2}\n"
    (application.folder / "hub.yaml").write_text(text, "utf-8")

    with opened(application) as hub, closing(application.connect()) as connection:
        hub.publish(connection, SOURCE, [client(1, "one"), client(2, "two")])
        connection.execute("INSERT INTO client VALUES ('C1', 'one')")
        with pytest.raises(RetryableError) as caught:
            hub.publish(connection, SOURCE, [client(3, "three")])
        connection.commit()

    assert caught.value.code == "NAVE-E031"
    assert application.landed() == ["one", "two"]
    assert application.rows() == {"C1": "one"}


def test_only_a_transaction_of_the_store_s_own_database_is_taken(application: Application, hub: Hub, tmp_path: Path) -> None:
    other = sa.create_engine(f"sqlite:///{tmp_path / 'other.db'}")
    embedded = application.url.get_backend_name() == "sqlite"
    autocommit: dict[str, Any] = {"isolation_level": None} if embedded else {"autocommit": True}

    with other.connect() as connection, pytest.raises(ConfigError, match="K351"):
        hub.publish(connection, SOURCE, [client(1, "elsewhere")])
    with closing(application.connect(**autocommit)) as loose:
        with pytest.raises(ConfigError, match="K352"):
            hub.publish(loose, SOURCE, [client(1, "no transaction")])
        loose.execute("BEGIN")
        hub.publish(loose, SOURCE, [client(1, "begun")])
        loose.execute("COMMIT")
    with pytest.raises(ConfigError, match="K352"):
        hub.publish(object(), SOURCE, [client(1, "nothing")])
    with pytest.raises(ConfigError, match="K353"):
        hub.publish(other, "app.nobody", [client(1, "nothing")])

    assert application.landed() == ["begun"]
    other.dispose()


@pytest.mark.long
def test_another_database_of_the_same_server_is_told_apart(postgres_url: str, postgres_server: str, tmp_path: Path) -> None:
    from tests.servers.private import fresh_database

    mine = write(tmp_path / "mine", postgres_url)
    with fresh_database(postgres_server, driver="postgresql+psycopg", drop="WITH (FORCE)") as url:
        theirs = write(tmp_path / "theirs", url)
        with opened(mine) as hub, opened(theirs), closing(theirs.connect()) as connection:
            with pytest.raises(ConfigError, match="K351"):
                hub.publish(connection, SOURCE, [client(1, "elsewhere")])
            connection.commit()
        assert theirs.landed() == []


def test_what_the_database_says_reaches_the_application_as_its_driver_says_it(postgres_url: str, tmp_path: Path) -> None:
    import psycopg

    application = write(tmp_path / "hub", postgres_url)
    engine = application.engine()
    with opened(application) as hub, closing(application.connect()) as connection:
        with pytest.raises(psycopg.errors.UndefinedTable):
            connection.execute("SELECT * FROM nobody")
        with pytest.raises(psycopg.errors.InFailedSqlTransaction):
            hub.publish(connection, SOURCE, [client(1, "late")])
        with engine.connect() as theirs:
            theirs.execute(sa.text("SET TRANSACTION READ ONLY"))
            with pytest.raises(sa.exc.DBAPIError):
                hub.publish(theirs, SOURCE, [client(1, "read only")])

    assert application.landed() == []
    engine.dispose()


_KILLED = """
import os, sys
from nave.beside import Hub
from tests.whole.beside import Application, SOURCE, client
import sqlalchemy as sa
from pathlib import Path
application = Application(sa.make_url(sys.argv[1]), Path(sys.argv[2]))
hub = Hub.open(application.folder)
connection = application.connect()
for number in range(3):
    connection.execute(f"INSERT INTO client VALUES ('C{number}', 'n{number}')")
    hub.publish(connection, SOURCE, [client(number, f"n{number}")])
    if number < 2:
        connection.commit()
print("published", flush=True)
sys.stdin.read()
"""


@pytest.mark.long
def test_an_application_killed_between_publish_and_commit_leaves_neither_row_nor_record(application: Application) -> None:
    arguments = [application.url.render_as_string(hide_password=False), str(application.folder)]
    child = subprocess.Popen(
        [sys.executable, "-c", _KILLED, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout
    assert child.stdin
    assert child.stdout.readline() == "published\n"

    os.kill(child.pid, signal.SIGKILL)
    child.wait(30)
    child.stdout.close()
    child.stdin.close()

    assert application.rows() == {"C0": "n0", "C1": "n1"}
    assert application.landed() == ["n0", "n1"]


@pytest.mark.long
def test_many_threads_publish_what_they_commit_and_nothing_else(application: Application, hub: Hub) -> None:
    def work(thread: int) -> None:
        with closing(application.connect()) as connection:
            for turn in range(10):
                number = thread * 100 + turn
                connection.execute(f"INSERT INTO client VALUES ('C{number}', 'n{number}')")
                hub.publish(connection, SOURCE, [client(number, f"n{number}")])
                connection.rollback() if turn % 3 == 2 else connection.commit()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(60)

    assert sorted(application.landed()) == sorted(application.rows().values())
    assert len(application.landed()) == 4 * 7


_STEPS = st.lists(st.sampled_from(["publish", "savepoint", "back", "release", "commit", "rollback"]), max_size=25)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=_STEPS)
def test_the_journal_is_what_was_committed_whatever_the_application_does(
    application: Application, hub: Hub, steps: list[str]
) -> None:
    """The application's own table, written in the same transactions, is the truth."""
    numbers = count(max((int(code[1:]) for code in application.rows()), default=0) + 1)
    with closing(application.connect()) as connection:
        open_savepoints = 0
        for step in steps:
            number = next(numbers)
            if step == "publish":
                connection.execute(f"INSERT INTO client VALUES ('C{number}', 'n{number}')")
                hub.publish(connection, SOURCE, [client(number, f"n{number}")])
            elif step == "savepoint":
                connection.execute(f"INSERT INTO client VALUES ('S{number}', 's')")  # begins, where nothing has yet
                connection.execute(f"SAVEPOINT s{open_savepoints}")
                open_savepoints += 1
            elif step in ("back", "release") and open_savepoints:
                open_savepoints -= 1
                word = "ROLLBACK TO" if step == "back" else "RELEASE"
                connection.execute(f"{word} SAVEPOINT s{open_savepoints}")
            elif step in ("commit", "rollback"):
                open_savepoints = 0
                getattr(connection, step)()

    committed = [name for code, name in application.rows().items() if code.startswith("C")]
    assert sorted(application.landed()) == sorted(committed)
