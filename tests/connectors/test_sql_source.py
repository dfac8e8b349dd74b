"""The sql source: every row at least once, in order, and nothing again that did not change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nave.connectors.contracts import SourceCase, SourceContract, land
from nave.connectors.sql.engine import engine
from nave.connectors.sql.options import SqlOptions, SqlSourceOptions
from nave.connectors.sql.source import SqlSource
from nave.connectors.sql.values import iso, raw_rows
from nave.connectors.sql.watermark import Position, back
from nave.core.errors import ConfigError, PermanentError, RetryableError
from nave.core.protocols import Setting

SETTING = Setting("erp.customers", Path())


@dataclass
class World:
    """A database to read."""

    options: SqlOptions

    def run(self, *statements: str, rows: Sequence[tuple[Any, ...]] = ()) -> None:
        opened = engine(self.options, SETTING)
        marks = "?" if opened.dialect.name == "sqlite" else "%s"
        with opened.begin() as connection:
            for statement in statements:
                text = statement.replace("?", marks) if rows else statement
                connection.exec_driver_sql(text, list(rows) if rows else None)
        opened.dispose()

    def source(self, **options: Any) -> Callable[[], SqlSource]:
        made = SqlSourceOptions.model_validate(options)
        return lambda: SqlSource(self.options, made, SETTING)


@pytest.fixture
def world(database: SqlOptions) -> World:
    return World(database)


def customers(world: World, count: int = 25, per_mark: int = 1) -> list[dict[str, Any]]:
    world.run("create table customer (code varchar(20) primary key, changed varchar(30))")
    rows = [(f"{n:06d}", f"2026-11-21 10:{n // per_mark:02d}:00") for n in range(count)]
    world.run("insert into customer values (?, ?)", rows=rows)
    return [{"code": code, "changed": changed} for code, changed in rows]


class TestFullRead(SourceContract):
    @pytest.fixture
    def case(self, world: World) -> SourceCase:
        rows = customers(world)
        opened = world.source(query="select * from customer order by code", batch=10)
        return SourceCase(world=lambda: opened, expected=rows, repeats=len(rows))


class TestWatermark(SourceContract):
    @pytest.fixture
    def case(self, world: World) -> SourceCase:
        rows = customers(world)
        opened = world.source(table="customer", since={"column": "changed"}, batch=10)
        return SourceCase(world=lambda: opened, expected=rows, repeats=1)


class TestWatermarkWithTiesAndOverlap(SourceContract):
    @pytest.fixture
    def case(self, world: World) -> SourceCase:
        rows = customers(world, per_mark=7)
        query = "select * from customer where changed >= :since order by changed, code"
        since = {"column": "CHANGED", "key": "CODE", "overlap": "1m", "start": "2026-11-21 00:00:00"}
        opened = world.source(query=query, since=since, batch=10)
        return SourceCase(world=lambda: opened, expected=rows, repeats=14)


def test_a_second_read_lands_only_what_changed(world: World) -> None:
    customers(world, 5)
    opened = world.source(table="customer", since={"column": "changed"})
    _, position = land(opened, None)

    world.run("update customer set changed = '2026-11-21 11:00:00' where code = '000001'")
    changed, position = land(opened, position)
    nothing, _ = land(opened, position)

    assert [one["code"] for one in changed] == ["000001"]
    assert nothing == []


def test_a_row_that_was_committed_late_is_found_within_the_overlap(world: World) -> None:
    customers(world, 5)
    opened = world.source(table="customer", since={"column": "changed", "overlap": "10m"})
    _, position = land(opened, None)

    world.run("insert into customer values ('late', '2026-11-21 10:02:30')")
    found, _ = land(opened, position)

    assert [one["code"] for one in found] == ["late"]


def test_a_row_of_the_very_same_watermark_is_never_skipped(world: World) -> None:
    customers(world, 5)
    opened = world.source(table="customer", since={"column": "changed"})
    _, position = land(opened, None)

    world.run("insert into customer values ('twin', '2026-11-21 10:04:00')")
    found, _ = land(opened, position)

    assert [one["code"] for one in found] == ["twin"]


def test_rows_without_a_watermark_are_read_too_but_not_again_while_nothing_changes(world: World) -> None:
    customers(world, 3)
    world.run("insert into customer values ('none', null)")
    opened = world.source(table="customer", since={"column": "changed"})

    first, position = land(opened, None)
    second, position = land(opened, position)
    world.run("insert into customer values ('none2', null)")
    third, _ = land(opened, position)

    assert "none" in [one["code"] for one in first]
    assert second == []
    assert "none2" in {one["code"] for one in third}
    assert len(third) <= 2


def test_a_full_read_that_finds_the_same_lands_nothing_and_any_change_lands_all(world: World) -> None:
    customers(world, 5)
    opened = world.source(query="select * from customer")
    _, position = land(opened, None)

    nothing, _ = land(opened, position)
    world.run("delete from customer where code = '000000'")
    rest, _ = land(opened, position)

    assert nothing == []
    assert len(rest) == 4


def test_the_first_read_starts_where_start_says(world: World) -> None:
    customers(world, 5)

    found, _ = land(world.source(table="customer", since={"column": "changed", "start": "2026-11-21 10:03:00"}), None)

    assert [one["code"] for one in found] == ["000003", "000004"]


@pytest.mark.parametrize("kind", ["integer", "timestamp(6)", "date", "numeric(10,2)"])
def test_watermarks_of_other_types_resume_as_well(world: World, kind: str) -> None:
    values: list[Any] = {
        "integer": [1, 2, 3],
        "timestamp(6)": ["2026-11-21 10:00:00", "2026-11-21 10:00:00.5", "2026-11-21 10:00:01"],
        "date": ["2026-11-20", "2026-11-21", "2026-11-22"],
        "numeric(10,2)": [1, 2.5, 3],
    }[kind]
    world.run(f"create table event (id integer, mark {kind})")
    world.run("insert into event values (?, ?)", rows=list(enumerate(values)))
    opened = world.source(table="event", since={"column": "mark"}, batch=1)

    first, position = land(opened, None, batches=2)
    rest, position = land(opened, position)
    nothing, _ = land(opened, position)

    assert [one["id"] for one in (*first, *rest)] == [0, 1, 1, 2]
    assert nothing == []


def test_header_and_lines_come_as_one_document_with_one_query_per_batch(world: World) -> None:
    world.run(
        "create table head (order_no integer)", "create table line (order_no integer, line_no integer, product varchar(9))"
    )
    world.run("insert into head values (?)", rows=[(n,) for n in range(5)])
    world.run("insert into line values (?, ?, ?)", rows=[(n, m, f"0{m}") for n in range(4) for m in range(n)])
    children = {
        "LINES": {"query": "select * from line where order_no in (:keys) order by line_no;", "on": "ORDER_NO"},
        "FIRST": {
            "query": "select * from line where line_no = 0 and order_no in :keys",
            "on": "order_no",
            "parent": "order_no",
        },
    }

    found, _ = land(world.source(query="select * from head order by 1 -- all", children=children, batch=2), None)

    assert [len(one["LINES"]) for one in found] == [0, 1, 2, 3, 0]
    assert found[2]["LINES"][1] == {"order_no": 2, "line_no": 1, "product": "01"}
    assert [len(one["FIRST"]) for one in found] == [0, 1, 1, 1, 0]


def test_values_keep_their_kind_and_text_keeps_its_zeros(world: World) -> None:
    world.run("create table t (code varchar(9), amount numeric(10,2), many bigint, note varchar(9))")
    world.run("insert into t values (?, ?, ?, ?)", rows=[("000123", 12.5, 9_007_199_254_740_993, None)])

    (found,), _ = land(world.source(table="t"), None)

    assert found["code"] == "000123"
    assert isinstance(found["amount"], Decimal)
    assert found["amount"] == Decimal("12.5")
    assert (found["many"], found["note"]) == (9_007_199_254_740_993, None)


def test_a_row_with_infinity_is_refused_and_its_neighbours_are_read(world: World) -> None:
    if "mariadb" in world.options.url:
        return  # its numbers are always finite
    world.run("create table t (id integer, x double precision)")
    world.run("insert into t values (?, ?)", rows=[(1, 1.5), (2, float("inf")), (3, 2.5)])

    with world.source(query="select * from t order by id")() as source:
        (batch,) = list(source.read(None))

    assert [one["id"] for one in batch.records] == [1, 3]
    assert [place[0] for place in batch.places] == [1, 3]
    assert [(one.place, one.error.code) for one in batch.refused] == [((2, None), "NAVE-S036")]
    assert '"2"' in batch.refused[0].raw


def test_a_million_rows_are_streamed_not_fetched(world: World) -> None:
    numbers = "with recursive n(i) as (select 1 union all select i + 1 from n where i < 1000000) select i, i as mark from n"
    with world.source(query=numbers)() as source:
        reading = source.read(None)
        first = next(reading)
        reading.close()  # type: ignore[attr-defined]

    assert len(first.records) == 1000


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"query": "select * from nothing_here"}, "NAVE-S032"),
        ({"query": "selec 1"}, "NAVE-S032"),
        ({"table": "custommer"}, "NAVE-S040"),
        ({"table": "customer", "since": {"column": "chnged"}}, "NAVE-S041"),
        ({"query": "select code, code from customer"}, "NAVE-S042"),
        ({"query": "select code from customer", "children": {"code": {"query": "select :keys", "on": "x"}}}, "NAVE-S042"),
        ({"table": "customer", "since": {"column": "changed", "overlap": 5}}, "NAVE-S038"),
    ],
)
def test_a_wrong_statement_is_a_configuration_error(world: World, options: dict[str, Any], code: str) -> None:
    customers(world, 2)
    opened = world.source(**options)

    with pytest.raises(ConfigError) as caught:
        land(opened, land(opened, None)[1])

    assert caught.value.code == code
    assert "erp.customers" in caught.value.text() or code == "NAVE-S038"


def test_a_name_that_is_nearly_right_is_suggested(world: World) -> None:
    customers(world, 1)

    with pytest.raises(ConfigError) as caught:
        land(world.source(table="custommer"), None)

    assert "customer" in caught.value.help()


def test_a_locked_database_is_worth_a_retry(tmp_path: Path) -> None:
    world = World(SqlOptions(url=f"sqlite:///{tmp_path / 'erp.db'}", busy="10ms"))
    customers(world, 2)
    other = engine(world.options, SETTING)
    with other.connect() as connection:
        connection.exec_driver_sql("begin exclusive")

        with pytest.raises(RetryableError) as caught:
            land(world.source(table="customer"), None)

        connection.rollback()
    other.dispose()
    assert caught.value.code == "NAVE-S031"


def test_a_database_that_is_gone_is_worth_a_retry_and_shows_no_password() -> None:
    options = SqlOptions(url="postgresql://127.0.0.1:1/x", user="hub", password="s3cret")

    with pytest.raises(RetryableError) as caught:
        land(lambda: SqlSource(options, SqlSourceOptions(query="select 1"), SETTING), None)

    assert caught.value.code == "NAVE-S030"
    assert "s3cret" not in f"{options!r}{caught.value.text()}{caught.value.__cause__!r}"


@pytest.mark.parametrize("position", ["7", "[]", '{"file":"x"}', '{"at":"x","kind":"int","seen":null}', "nonsense"])
def test_a_position_of_another_connector_is_a_configuration_error(world: World, position: str) -> None:
    with pytest.raises(ConfigError) as caught:
        land(world.source(query="select 1 as one"), position)

    assert caught.value.code == "NAVE-S003"


def test_a_relative_sqlite_file_starts_at_the_hubs_folder(tmp_path: Path) -> None:
    world = World(SqlOptions(url=f"sqlite:///{tmp_path / 'erp.db'}"))
    customers(world, 2)
    setting = Setting("erp.customers", tmp_path)

    found, _ = land(lambda: SqlSource(SqlOptions(url="sqlite:///erp.db"), SqlSourceOptions(table="CUSTOMER"), setting), None)

    assert len(found) == 2


MOMENTS = st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1))  # noqa: DTZ001 - naive, as databases have them


@given(moment=MOMENTS, minutes=st.integers(0, 60 * 24 * 400), digits=st.sampled_from([10, 16, 19, 23, 26]))
def test_an_overlap_taken_from_text_keeps_its_form_and_never_moves_forward(
    moment: datetime, minutes: int, digits: int
) -> None:
    for text in (moment.isoformat(" ", "microseconds")[:digits], moment.isoformat("T", "microseconds")[:digits]):
        earlier = back(text, timedelta(minutes=minutes))

        assert len(earlier) == len(text)
        assert earlier <= text
        wanted = datetime.fromisoformat(text) - timedelta(minutes=minutes)
        assert wanted.isoformat(text[10:11] or " ", "microseconds").startswith(earlier)


@pytest.mark.parametrize(
    ("mark", "earlier"),
    [
        ("2026-11-21T00:05:00Z", "2026-11-20T23:55:00Z"),
        ("2026-11-21 00:05:00.118+08:00", "2026-11-20 23:55:00.118+08:00"),
        ("20261121000500", "20261120235500"),
    ],
)
def test_zones_and_plain_digits_survive_an_overlap(mark: str, earlier: str) -> None:
    assert back(mark, timedelta(minutes=10)) == earlier


@pytest.mark.parametrize(
    "mark",
    ["text", 7, Decimal("1.50"), 2.5, date(2026, 11, 21), datetime(2026, 11, 21, 14, 20, 3, 118000, UTC), None],
)
def test_a_watermark_survives_its_checkpoint(mark: Any) -> None:
    again = Position.parse(Position.of(mark, None).text()).mark()

    assert again == mark
    assert type(again) is type(mark)


def test_a_watermark_must_be_something_that_rises() -> None:
    with pytest.raises(ConfigError):
        Position.of(b"bytes", None)


def test_times_are_written_as_short_as_they_are() -> None:
    moment = datetime(2026, 11, 21, 14, 20, 3, 118000)  # noqa: DTZ001 - naive, as databases have them

    assert iso(moment) == "2026-11-21 14:20:03.118"
    assert iso(moment.replace(microsecond=0)) == "2026-11-21 14:20:03"
    assert iso(moment.replace(microsecond=1, tzinfo=UTC)) == "2026-11-21 14:20:03.000001+00:00"


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"query": "select 1", "table": "t"},
        {"query": "select * from t where x > :since"},
        {"table": "t; drop table x"},
        {"table": "t", "since": {"column": "a b"}},
        {"table": "t", "children": {"L": {"query": "select 1", "on": "x"}}},
        {"table": "t", "batch": 1001},
        {"table": "t", "colour": "red"},
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        SqlSourceOptions.model_validate(options)


def test_permanent_errors_name_the_field() -> None:
    good, bad = raw_rows(["a", "b"], [(1, 2.5), (2, float("nan"))])

    assert good == {"a": 1, "b": Decimal("2.5")}
    assert isinstance(bad, PermanentError)
    assert bad.field == "b"
