"""The sql source on an interface table: what counts is the status that stands there, wherever a process ended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from nave.connectors.contracts import SourceCase, SourceContract, land
from nave.connectors.sql.options import SqlOptions, SqlSourceOptions
from nave.connectors.sql.source import SqlSource
from nave.core.errors import ConfigError, RetryableError
from tests.connectors.sql_databases import SETTING, every_database, run

__all__ = ["every_database"]

TABLE = (
    "create table if_order (id integer primary key, name varchar(40), qty double precision, st integer,"
    " msg varchar(30), dealt char(19))"
)
INTERFACE = {"status": "ST", "key": "ID", "message": "MSG", "at": "DEALT"}


def fill(database: SqlOptions, count: int = 25) -> list[dict[str, Any]]:
    run(database, TABLE)
    rows = [(n, f"n{n}", 0) for n in range(count)]
    run(database, "insert into if_order (id, name, st) values (?, ?, ?)", rows=rows)
    return [{"id": n, "name": f"n{n}", "qty": None, "st": 0, "msg": None, "dealt": None} for n in range(count)]


def source(database: SqlOptions, **options: Any) -> Callable[[], SqlSource]:
    made = {"table": "IF_ORDER", "interface": INTERFACE, "batch": 10, **options}
    validated = SqlSourceOptions.model_validate(made)
    return lambda: SqlSource(database, validated, SETTING)


def states(database: SqlOptions) -> list[Any]:
    return [row[0] for row in run(database, "select st from if_order order by id")]


class TestInterface(SourceContract):
    @pytest.fixture
    def case(self, every_database: SqlOptions) -> SourceCase:
        rows = fill(every_database)
        opened = source(every_database)

        def world() -> Callable[[], SqlSource]:
            run(every_database, "update if_order set st = 0, msg = null, dealt = null")
            return opened

        return SourceCase(world=world, expected=rows)


def test_status_message_and_time_are_written_back_once_the_rows_are_landed(every_database: SqlOptions) -> None:
    fill(every_database, 3)
    run(every_database, "update if_order set msg = 'old' where id = 1")

    with source(every_database)() as opened:
        reading = opened.read(None)
        next(reading)
        before = states(every_database)
        list(reading)

    assert before == [0, 0, 0]
    assert states(every_database) == [1, 1, 1]
    ((message, dealt),) = run(every_database, "select msg, dealt from if_order where id = 1")
    assert message is None
    assert len(dealt) == 19


def test_rows_come_in_the_order_that_is_asked_for_also_without_one(every_database: SqlOptions) -> None:
    fill(every_database, 4)
    run(every_database, "update if_order set name = 'z' where id = 0", "update if_order set name = 'a' where id = 3")

    landed, _ = land(source(every_database, interface={**INTERFACE, "order": "name"}, batch=2), None)

    assert [one["id"] for one in landed] == [3, 1, 2, 0]


def test_a_process_that_ends_before_the_status_is_written_repeats_nothing(every_database: SqlOptions) -> None:
    fill(every_database, 5)
    opened = source(every_database)
    landed, position = land(opened, None, batches=1)

    between = states(every_database)
    again, position = land(opened, position)

    assert (len(landed), between) == (5, [0] * 5)
    assert again == []
    assert states(every_database) == [1] * 5


def test_a_row_that_is_set_to_new_again_is_taken_again(every_database: SqlOptions) -> None:
    fill(every_database, 5)
    opened = source(every_database, interface={"status": "ST", "key": "ID"})
    _, position = land(opened, None)

    run(every_database, "update if_order set st = 0 where id = 3")
    again, _ = land(opened, position)

    assert [one["id"] for one in again] == [3]


def test_a_row_that_is_changed_while_it_is_landed_is_not_marked_but_taken_again(every_database: SqlOptions) -> None:
    fill(every_database, 3)

    with source(every_database)() as opened:
        reading = opened.read(None)
        first = next(reading)
        run(every_database, "update if_order set name = 'newer' where id = 1")
        rest = [record for batch in reading for record in batch.records]

    assert len(first.records) == 3
    assert [one["name"] for one in rest] == ["newer"]
    assert states(every_database) == [1, 1, 1]


def test_a_row_that_cannot_be_read_gets_the_reason_cut_to_its_column(every_database: SqlOptions) -> None:
    if "mariadb" in every_database.url:
        return  # its numbers are always finite
    fill(every_database, 3)
    run(every_database, "update if_order set qty = ? where id = 1", rows=[(float("inf"),)])

    with source(every_database)() as opened:
        batches = list(opened.read(None))

    assert [one.place for batch in batches for one in batch.refused] == [(2, None)]
    assert states(every_database) == [1, 2, 1]
    ((message,),) = run(every_database, "select msg from if_order where id = 1")
    assert message.startswith("NAVE-S036: ")
    assert len(message) == 30


def guard(database: SqlOptions, number: int) -> list[str]:
    """A rule of the table by which the status of one row cannot be changed."""
    if "mariadb" in database.url:
        return [
            "create trigger g before update on if_order for each row"
            f" if new.id = {number} and new.st <> 0 then signal sqlstate '45000' set message_text = 'no way'; end if"
        ]
    if database.url.startswith("sqlite"):
        when = f"when new.id = {number} and new.st <> 0 begin select raise(abort, 'no way'); end"
        return [f"create trigger g before update on if_order {when}"]
    return [
        "create function g() returns trigger language plpgsql as $$ begin raise exception 'no way'; end $$",
        f"create trigger g before update on if_order for each row when (new.id = {number} and new.st <> 0)"
        " execute function g()",
    ]


def until_it_breaks(
    opened: Callable[[], SqlSource], position: str | None, landed: list[Any]
) -> tuple[RetryableError, str | None]:
    """The error at the end of a pass, and the last checkpoint."""
    with opened() as one:
        reading = one.read(position)
        while True:
            try:
                batch = next(reading)
            except RetryableError as error:
                return error, position
            landed += batch.records
            position = batch.position


def test_a_row_whose_status_cannot_be_written_holds_up_no_other_and_comes_once(every_database: SqlOptions) -> None:
    fill(every_database)
    run(every_database, *guard(every_database, 7))
    landed: list[Any] = []
    position = None

    for _ in range(2):
        error, position = until_it_breaks(source(every_database), position, landed)

    assert sorted(one["id"] for one in landed) == list(range(25))
    assert states(every_database) == [1] * 7 + [0] + [1] * 17
    assert (error.code, error.params["key"]) == ("NAVE-K201", "7")
    assert "no way" in error.text("zh")


def test_a_status_that_a_trigger_puts_back_does_not_come_for_ever(every_database: SqlOptions) -> None:
    if not every_database.url.startswith("sqlite"):
        return
    fill(every_database, 3)
    run(
        every_database,
        "create trigger g after update on if_order when new.id = 1 and new.st <> 0"
        " begin update if_order set st = 0 where id = 1; end",
    )

    landed: list[Any] = []
    until_it_breaks(source(every_database), None, landed)

    assert len(landed) == 3
    assert states(every_database) == [1, 0, 1]


def test_text_states_and_another_reader_at_the_same_time(every_database: SqlOptions) -> None:
    run(every_database, "create table q (id varchar(9) primary key, st char(1))")
    run(every_database, "insert into q values (?, ?)", rows=[(f"r{n}", "0") for n in range(6)])
    opened = source(every_database, table="q", interface={"status": "st", "key": "id"})

    with opened() as one, opened() as other:
        first = one.read(None)
        landed = list(next(first).records)
        land(opened, None)
        landed += [record for batch in first for record in batch.records]
        rest = [record for batch in other.read(None) for record in batch.records]

    assert len(landed) == 6
    assert rest == []
    assert {row[0] for row in run(every_database, "select st from q")} == {"1"}


def test_keys_that_do_not_tell_rows_apart_are_a_configuration_error(every_database: SqlOptions) -> None:
    run(every_database, "create table q (id integer, st integer)", "insert into q values (1, 0), (1, 0)")

    with pytest.raises(ConfigError) as caught:
        land(source(every_database, table="q", interface={"status": "st", "key": "id"}), None)

    assert caught.value.code == "NAVE-K200"
    assert states_of(every_database) == [0, 0]


def states_of(database: SqlOptions) -> list[Any]:
    return [row[0] for row in run(database, "select st from q")]


@pytest.mark.parametrize(
    "options",
    [
        {"table": None, "query": "select 1"},
        {"since": {"column": "x"}},
        {"interface": {**INTERFACE, "new": 1}},
        {"interface": {**INTERFACE, "colour": "red"}},
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        SqlSourceOptions.model_validate({"table": "t", "interface": INTERFACE, **options})
