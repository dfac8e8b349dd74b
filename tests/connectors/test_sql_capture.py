"""The sql source on a log that triggers fill: every change and deletion is told, whoever commits when, wherever it ends."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mssql, oracle

from nave.connectors.contracts import SourceCase, SourceContract, land
from nave.connectors.sql import SPEC
from nave.connectors.sql.engine import engine
from nave.connectors.sql.install import Installing
from nave.connectors.sql.options import SqlOptions, SqlSourceOptions
from nave.connectors.sql.source import SqlSource
from nave.connectors.sql.triggers import Captured, install, log_name, patience, remove, trigger_names
from nave.core.errors import ConfigError
from nave.core.protocols import Extent
from tests.connectors.sql_databases import SETTING, every_database, run

__all__ = ["every_database"]

TABLE = "create table item (id integer not null, part varchar(9) not null, name varchar(40), primary key (id, part))"


def capture(database: SqlOptions, *, gone: bool = False, table: str = "ITEM") -> list[str]:
    with Installing(database, SETTING) as installing:
        statements = installing.statements(table, [], gone=gone)
        installing.run(statements)
    return list(statements)


def fill(database: SqlOptions, count: int = 25) -> list[dict[str, Any]]:
    run(database, TABLE)
    if count:
        run(database, "insert into item values (?, ?, ?)", rows=[(n, "a", f"n{n}") for n in range(count)])
    capture(database)
    return [{"id": n, "part": "a", "name": f"n{n}", "NAVE_OP": "upsert"} for n in range(count)]


def source(database: SqlOptions, **options: Any) -> Callable[[], SqlSource]:
    validated = SqlSourceOptions.model_validate({"table": "ITEM", "capture": {}, "batch": 10, **options})
    return lambda: SqlSource(database, validated, SETTING)


def held(records: list[dict[str, Any]], before: dict[Any, Any] | None = None) -> dict[Any, Any]:
    """What somebody holds who was told this."""
    found = dict(before or {})
    for one in records:
        key = (one["id"], one["part"])
        if one["NAVE_OP"] == "delete":
            found.pop(key, None)
        else:
            found[key] = one["name"]
    return found


def there(database: SqlOptions) -> dict[Any, Any]:
    return {(row[0], row[1]): row[2] for row in run(database, "select id, part, name from item")}


def waiting(database: SqlOptions) -> int:
    return int(run(database, "select count(*) from nave_log_item")[0][0])


class TestCapture(SourceContract):
    """The first read, which is of the whole table."""

    @pytest.fixture
    def case(self, every_database: SqlOptions) -> SourceCase:
        rows = fill(every_database)
        opened = source(every_database)
        return SourceCase(world=lambda: opened, expected=rows, repeats=len(rows))


def test_changes_moves_and_deletions_are_told_as_they_stand_and_only_once(every_database: SqlOptions) -> None:
    fill(every_database, 5)
    opened = source(every_database)
    _, position = land(opened, None)

    run(
        every_database,
        "insert into item values (7, 'b', 'new')",
        "update item set name = 'x' where id = 1",
        "update item set name = 'y' where id = 1",
        "update item set part = 'z' where id = 2",
        "delete from item where id = 3",
    )
    told, position = land(opened, position)
    again, _ = land(opened, position)

    assert held(told) == {(7, "b"): "new", (1, "a"): "y", (2, "z"): "n2"}
    assert [(one["id"], one["part"], one["name"]) for one in told if one["NAVE_OP"] == "delete"] == [
        (2, "a", None),
        (3, "a", None),
    ]
    assert len(told) == 5
    assert (again, waiting(every_database)) == ([], 0)


def test_a_row_that_is_gone_and_there_again_is_told_as_it_is(every_database: SqlOptions) -> None:
    fill(every_database, 3)
    opened = source(every_database)
    _, position = land(opened, None)

    run(every_database, "delete from item", "insert into item values (1, 'a', 'back')")
    told, _ = land(opened, position)

    assert held(told, held([])) == {(1, "a"): "back"}
    assert sorted(one["id"] for one in told if one["NAVE_OP"] == "delete") == [0, 2]


def test_a_table_that_is_emptied_at_one_stroke_tells_all_deletions(every_database: SqlOptions) -> None:
    if "mariadb" in every_database.url:
        return  # its truncate fires no trigger, as the page says
    fill(every_database, 25)
    opened = source(every_database)
    first, position = land(opened, None)

    run(every_database, "truncate table item" if "postgresql" in every_database.url else "delete from item")
    told, _ = land(opened, position)

    assert held(told, held(first)) == {}


@pytest.mark.parametrize("lost", [False, True], ids=["committed", "not committed"])
def test_wherever_a_process_ends_nothing_is_missed_and_what_was_committed_is_not_told_again(
    every_database: SqlOptions, lost: bool
) -> None:
    fill(every_database, 3)
    opened = source(every_database)
    known, position = land(opened, None)
    run(every_database, "insert into item values (?, ?, ?)", rows=[(n, "a", f"n{n}") for n in range(10, 45)])
    landed: list[Any] = []

    for _ in range(4):
        some, reached = land(opened, position, batches=1)
        if not lost:
            landed, position = landed + some, reached
        run(every_database, f"update item set name = 'later' where id = {10 + len(landed)}")
    rest, _ = land(opened, position)

    assert held([*landed, *rest], held(known)) == there(every_database)
    assert len(landed) + len(rest) <= 35 + 4
    assert waiting(every_database) == 0


def test_a_new_installation_has_the_whole_table_told_again(every_database: SqlOptions) -> None:
    fill(every_database, 3)
    opened = source(every_database)
    _, position = land(opened, None)

    capture(every_database, gone=True)
    run(every_database, "update item set name = 'unseen' where id = 2")
    capture(every_database)
    told, position = land(opened, position)
    again, _ = land(opened, position)

    assert held(told) == there(every_database)
    assert again == []


def test_without_one_of_the_triggers_nothing_is_read_and_installing_mends_it(every_database: SqlOptions) -> None:
    fill(every_database, 3)
    opened = source(every_database)
    _, position = land(opened, None)
    statement = next(one for one in capture(every_database, gone=True) if one.startswith("drop trigger"))
    capture(every_database)

    run(every_database, statement)
    with pytest.raises(ConfigError) as caught:
        land(opened, position)
    capture(every_database)
    told, _ = land(opened, position)

    assert caught.value.code == "NAVE-K210"
    assert held(told) == there(every_database)


def test_installing_twice_does_nothing_and_removing_leaves_nothing(every_database: SqlOptions) -> None:
    fill(every_database, 1)

    again = capture(every_database)
    capture(every_database, gone=True)
    nothing = capture(every_database, gone=True)

    assert (again, nothing) == ([], [])
    run(every_database, "insert into item values (9, 'a', 'x')")
    opened = engine(every_database, SETTING)
    tables = [one for one in sa.inspect(opened).get_table_names() if not one.startswith("sqlite_")]
    opened.dispose()
    assert tables == ["item"]


def test_a_table_without_a_key_is_refused_and_one_with_a_unique_index_is_not(every_database: SqlOptions) -> None:
    run(every_database, "create table plain (code varchar(9), name varchar(9))")

    with Installing(every_database, SETTING) as installing:
        for key in ([], ["CODE"]):
            with pytest.raises(ConfigError) as caught:
                installing.statements("plain", key, gone=False)
            assert caught.value.code == "NAVE-K211"
        run(every_database, "create unique index plain_code on plain (code)")
        made = installing.statements("plain", ["CODE"], gone=False)

    assert made


def test_names_may_be_chinese_and_hold_blanks_quotes_and_percent_signs(every_database: SqlOptions) -> None:
    name, key = "客户 表%'s", "编 码%"
    table = sa.Table(name, sa.MetaData(), sa.Column(key, sa.Integer, primary_key=True, autoincrement=False))
    opened = source(every_database, table=f'"{name}"')
    made = engine(every_database, SETTING)

    table.create(made)
    statements = capture(every_database, table=f'"{name}"')
    _, position = land(opened, None)
    with made.begin() as connection:
        connection.execute(sa.insert(table).values({key: 7}))
    made.dispose()
    told, _ = land(opened, position)

    assert told == [{"编 码%": 7, "NAVE_OP": "upsert"}]
    assert all("%%" not in one for one in statements)


def test_children_come_along_and_a_deleted_parent_has_none(every_database: SqlOptions) -> None:
    fill(every_database, 2)
    run(every_database, "create table line (item integer, pos integer)", "insert into line values (0, 1), (0, 2), (1, 1)")
    child = {"query": "select * from line where item in (:keys) order by pos", "on": "item", "parent": "id"}
    opened = source(every_database, children={"lines": child})
    first, position = land(opened, None)

    run(every_database, "update item set name = 'x' where id = 0", "delete from item where id = 1")
    told, _ = land(opened, position)

    assert [len(one["lines"]) for one in first] == [2, 1]
    assert [(one["NAVE_OP"], len(one["lines"])) for one in told] == [("upsert", 2), ("delete", 0)]


class _Writers:
    """Several at once, each with transactions of some changes that stay open for a while and end in any order."""

    def __init__(self, database: SqlOptions, seed: int) -> None:
        self._engine = engine(database, SETTING)
        self._seed = seed
        self._threads = [threading.Thread(target=self._write, args=(n,)) for n in range(4)]
        self.failed: list[BaseException] = []

    def __enter__(self) -> _Writers:
        for one in self._threads:
            one.start()
        return self

    def __exit__(self, *_: object) -> None:
        for one in self._threads:
            one.join(60)
        self._engine.dispose()

    @property
    def going(self) -> bool:
        return any(one.is_alive() for one in self._threads)

    def _write(self, number: int) -> None:
        chance, pause = random.Random(self._seed + number), threading.Event()
        try:
            for turn in range(15):
                with self._engine.connect() as connection:
                    for step in range(chance.randrange(1, 5)):
                        connection.execute(sa.text(self._change(chance, number, turn * 10 + step)))
                    pause.wait(chance.random() / 50)
                    (connection.rollback if chance.random() < 0.2 else connection.commit)()
        except BaseException as error:
            self.failed.append(error)

    @staticmethod
    def _change(chance: random.Random, number: int, mark: int) -> str:
        # Each has keys of its own, so that nobody waits for another; the log is what they share.
        key = number * 100 + chance.randrange(20)
        return chance.choice(
            [
                f"insert into item select {number * 100 + 50 + mark}, 'a', 'i' where not exists"
                f" (select 1 from item where id = {number * 100 + 50 + mark})",
                f"update item set name = 'u{mark}' where id = {key}",
                f"update item set part = 'p{mark}' where id = {key}",
                f"delete from item where id = {key} and part <> 'a'",
            ]
        )


def slowly(opened: Callable[[], SqlSource], position: str | None) -> tuple[list[Any], str | None]:
    """One pass whose commits take their time, as those of a hub do: much happens between a look and its end."""
    landed: list[Any] = []
    with opened() as one:
        for batch in one.read(position):
            threading.Event().wait(0.02)
            landed += batch.records
            position = batch.position or position
    return landed, position


@pytest.mark.parametrize("kind", ["postgres_url", "mariadb_url"])
def test_nothing_is_missed_of_many_who_commit_out_of_order(kind: str, request: pytest.FixtureRequest) -> None:
    database = SqlOptions(url=request.getfixturevalue(kind), pool=8)
    run(database, TABLE)
    rows = [(writer * 100 + n, "a", "old") for writer in range(4) for n in range(20)]
    run(database, "insert into item values (?, ?, ?)", rows=rows)
    capture(database)
    opened = source(database)
    told, position = land(opened, None)
    state = held(told)

    with _Writers(database, seed=7) as writers:
        while writers.going:
            some, position = slowly(opened, position)
            state = held(some, state)
    assert not writers.failed
    rest, position = land(opened, position)

    assert held(rest, state) == there(database)
    assert waiting(database) == 0


def test_one_who_commits_late_is_heard_though_later_ones_were_told_before(postgres_url: str) -> None:
    database = SqlOptions(url=postgres_url)
    fill(database, 3)
    opened = source(database)
    _, position = land(opened, None)
    late = engine(database, SETTING)

    with late.connect() as connection:
        connection.execute(sa.text("update item set name = 'early, committed late' where id = 0"))
        run(database, "update item set name = 'late, committed early' where id = 1")
        with opened() as one:
            reading = one.read(position)
            first = next(reading)
            connection.commit()
            rest = [record["id"] for batch in reading for record in batch.records]
    late.dispose()

    assert [one["id"] for one in first.records] == [1]
    assert rest == [0]


def test_one_who_has_not_committed_yet_keeps_nobody_waiting_and_comes_in_a_later_pass(every_database: SqlOptions) -> None:
    if every_database.url.startswith("sqlite"):
        return  # there nobody else writes meanwhile
    fill(every_database, 3)
    opened = source(every_database)
    _, position = land(opened, None)
    late = engine(every_database, SETTING)

    with late.connect() as connection:
        connection.execute(sa.text("update item set name = 'early, committed late' where id = 0"))
        run(every_database, "update item set name = 'late, committed early' where id = 1")
        first, position = land(opened, position)
        connection.commit()
    second, _ = land(opened, position)
    late.dispose()

    assert [[one["id"] for one in told] for told in (first, second)] == [[1], [0]]


TYPES = {
    "oracle": {"ID": "NUMBER(9)", "PART": "VARCHAR2(9 CHAR)"},
    "mssql": {"ID": "INTEGER", "PART": "NVARCHAR(9) COLLATE Chinese_PRC_CI_AS"},
}


@pytest.mark.parametrize("dialect", [oracle.dialect(), mssql.dialect()], ids=["oracle", "mssql"])
def test_the_statements_for_databases_that_no_test_runs(dialect: Any) -> None:
    one = Captured(dialect, "ITEM", "ERP", TYPES[dialect.name])

    statements = [
        *patience(dialect.name),
        *install(one),
        *remove(one, triggers=trigger_names(dialect.name, one.log), table=True),
    ]

    assert "\n/\n".join(statements) + "\n" == (Path(__file__).parent / "captured" / f"{dialect.name}.sql").read_text("utf-8")


def test_long_and_foreign_names_are_shortened_to_what_a_database_takes() -> None:
    assert len(log_name("客户主数据" * 12, "postgresql").encode()) <= 60
    assert len(log_name("A" * 30, "oracle")) <= 28
    assert log_name("A" * 29, "oracle") != log_name("A" * 30, "oracle")
    assert log_name("ITEM", "oracle") == "NAVE_LOG_ITEM"


@pytest.mark.parametrize("more", [{"since": {"column": "x"}}, {"interface": {"status": "s", "key": "k"}}, {"table": None}])
def test_options_that_make_no_sense_beside_capture_are_refused(more: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        SqlSourceOptions.model_validate({"table": "t", "capture": {}, **more})


def test_a_source_that_tells_changes_is_never_taken_for_a_snapshot() -> None:
    assert SPEC.extent(SqlSourceOptions.model_validate({"table": "t", "capture": {}})) is Extent.PART
