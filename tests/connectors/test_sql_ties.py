"""The sql source where the watermark is not unique, late, missing, or ahead of its time."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nave.connectors.contracts import SourceCase, SourceContract, land
from nave.connectors.sql.clock import not_ahead
from nave.connectors.sql.options import SqlOptions, SqlSourceOptions
from nave.connectors.sql.source import SqlSource
from nave.connectors.sql.told import MOST, Telling, Told, unknown
from nave.core.errors import ConfigError
from tests.connectors.sql_databases import SETTING, every_database, run

__all__ = ["every_database"]

MARK = "2020-01-02 10:00:00"


def fill(database: SqlOptions, count: int, kind: str = "varchar(30)") -> list[int]:
    """Rows that all have the same watermark."""
    run(database, f"create table item (id integer primary key, name varchar(20), changed {kind})")
    run(database, "insert into item values (?, ?, ?)", rows=[(n, f"n{n}", MARK) for n in range(count)])
    return list(range(count))


def source(database: SqlOptions, **since: Any) -> Callable[[], SqlSource]:
    made = {"table": "item", "since": {"column": "CHANGED", "key": "ID", **since}, "batch": 10}
    validated = SqlSourceOptions.model_validate(made)
    return lambda: SqlSource(database, validated, SETTING)


def ids(records: list[dict[str, Any]]) -> list[int]:
    return [one["id"] for one in records]


class TestTies(SourceContract):
    """All rows of one time: with a key, nothing at all repeats."""

    @pytest.fixture
    def case(self, every_database: SqlOptions) -> SourceCase:
        numbers = fill(every_database, 25)
        opened = source(every_database)
        rows = [{"id": n, "name": f"n{n}", "changed": MARK} for n in numbers]
        return SourceCase(world=lambda: opened, expected=rows)


def test_a_row_of_the_same_time_that_comes_or_changes_later_is_found_and_its_neighbours_are_not(
    every_database: SqlOptions,
) -> None:
    fill(every_database, 50)
    opened = source(every_database)
    _, position = land(opened, None)

    run(every_database, "update item set name = 'newer' where id = 7")
    run(every_database, f"insert into item values (-1, 'late', '{MARK}')")
    found, position = land(opened, position)
    nothing, _ = land(opened, position)

    assert ids(found) == [-1, 7]
    assert nothing == []


def test_of_very_many_rows_of_the_same_time_only_the_neighbours_of_a_change_come_again(every_database: SqlOptions) -> None:
    fill(every_database, 12_000)
    opened = source(every_database)
    first, position = land(opened, None)

    nothing, _ = land(opened, position)
    run(every_database, "update item set name = 'newer' where id = 7000")
    found, position = land(opened, position)

    assert (len(first), nothing) == (12_000, [])
    assert 7000 in ids(found)
    assert len(found) <= 64
    assert position is not None
    assert len(position) < 30_000


def test_rows_from_the_future_do_not_hide_what_is_written_before_their_time(every_database: SqlOptions) -> None:
    kind = "varchar(30)" if every_database.url.startswith("sqlite") else "timestamp null"
    fill(every_database, 3, kind)
    run(every_database, "insert into item values (100, 'ahead', '2037-01-01 00:00:00')")
    opened = source(every_database)
    first, position = land(opened, None)

    nothing, position = land(opened, position)
    moment = datetime.now(UTC) + timedelta(days=2)  # behind any zone's now, far before the row from the future
    run(every_database, f"insert into item values (101, 'today', '{moment:%Y-%m-%d %H:%M:%S}')")
    found, _ = land(opened, position)

    assert ids(first) == [0, 1, 2, 100]
    assert nothing == []
    assert ids(found) == [101]


def test_rows_without_a_time_are_told_once_and_again_when_they_change(every_database: SqlOptions) -> None:
    fill(every_database, 3)
    run(every_database, "insert into item values (8, 'x', null), (9, 'y', null)")
    opened = source(every_database)
    first, position = land(opened, None)

    nothing, position = land(opened, position)
    run(every_database, "update item set name = 'z' where id = 9")
    found, _ = land(opened, position)

    assert sorted(ids(first)) == [0, 1, 2, 8, 9]
    assert nothing == []
    assert ids(found) == [9]


def test_a_checkpoint_that_is_none_is_a_configuration_error(every_database: SqlOptions) -> None:
    fill(every_database, 1)

    with pytest.raises(ConfigError) as caught:
        land(source(every_database), '{"at":"x","kind":"str","seen":null,"told":"1:AAAA"}')

    assert caught.value.code == "NAVE-S003"


@given(st.integers(0, 3 * MOST), st.randoms(use_true_random=False))
def test_whatever_changes_comes_again_and_nothing_does_where_nothing_changed(count: int, dice: random.Random) -> None:
    before = list(range(count))
    telling = Telling(None, None)
    telling.add([1] * count, before)
    told = Told.parse(telling.told(1).text())
    after = [one for one in before if dice.random() > 0.001]
    new = {after.index(one): -one - 1 for one in after if dice.random() < 0.001}
    for place, one in new.items():
        after.insert(place, one)

    same = list(unknown(((one, one) for one in before), told))
    fresh = list(unknown(((one, one) for one in after), told))

    assert same == []
    assert {one for one in after if one < 0} <= set(fresh)
    assert len(told.stretches) <= MOST


NOW = (datetime(2026, 11, 21, 18), datetime(2026, 11, 21, 10))  # noqa: DTZ001 - as databases say it


@pytest.mark.parametrize(
    ("mark", "limit"),
    [
        ("2026-11-21 09:59:59", "2026-11-21 09:59:59"),
        ("2099-01-01 00:00:00", "2026-11-21 10:00:00"),
        ("2099-01-01T00:00:00.000Z", "2026-11-21T10:00:00.000Z"),
        ("2099-01-01T00:00:00+08:00", "2026-11-21T18:00:00+08:00"),
        ("20990101000000", "20261121100000"),
        ("2099-01-01", "2026-11-21"),
        ("no time", "no time"),
        (7, 7),
        (date(2099, 1, 1), date(2026, 11, 21)),
        (datetime(2099, 1, 1), datetime(2026, 11, 21, 10)),  # noqa: DTZ001
        (datetime(2099, 1, 1, tzinfo=timezone(timedelta(hours=8))), datetime(2026, 11, 21, 10, tzinfo=UTC)),
    ],
)
def test_a_watermark_is_never_ahead_of_the_database(mark: Any, limit: Any) -> None:
    assert not_ahead(mark, NOW) == limit
    assert not_ahead(mark, None) == mark
