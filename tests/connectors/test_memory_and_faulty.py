"""`memory` keeps the contracts, and `faulty` breaks them only in the ways it is told to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from nave.connectors.contracts import ErrorsCase, ErrorsContract, SinkCase, SinkContract, SourceCase, SourceContract, land
from nave.connectors.faulty import SPEC as FAULTY
from nave.connectors.faulty import errors as faulty_errors
from nave.connectors.faulty.options import FaultyOptions, FaultySinkOptions, FaultySourceOptions
from nave.connectors.memory import SPEC as MEMORY
from nave.connectors.memory import errors as memory_errors
from nave.connectors.memory.options import MemoryOptions, MemorySinkOptions, MemorySourceOptions
from nave.connectors.targets import target
from nave.core.errors import ConfigError, RetryableError
from nave.core.protocols import ConnectorSpec, Outbound, Outcome, Setting, Sink, Source
from nave.core.registry import connector

SETTING = Setting("crm.customers", Path())
RECORDS = [{"ID": str(number)} for number in range(25)]


@pytest.fixture(autouse=True)
def no_targets_left() -> Iterator[None]:
    target.cache_clear()
    yield
    target.cache_clear()


def faulty_source(**options: object) -> Source:
    made = FaultySourceOptions.model_validate({"records": RECORDS, "batch": 10, **options})
    assert FAULTY.source is not None
    return FAULTY.source(FaultyOptions(seed=7), made, SETTING)


def faulty_sink(**options: object) -> Sink:
    assert FAULTY.sink is not None
    return FAULTY.sink(FaultyOptions(), FaultySinkOptions.model_validate(options), SETTING)


def record(key: str, version: int = 1, text: str = "x") -> Outbound:
    return Outbound(key, version, {"name": text})


class TestMemorySource(SourceContract):
    @pytest.fixture
    def case(self) -> SourceCase:
        options = MemorySourceOptions(records=RECORDS, batch=10)
        assert MEMORY.source is not None
        source = MEMORY.source
        return SourceCase(world=lambda: lambda: source(MemoryOptions(), options, SETTING), expected=RECORDS)


class TestMemorySink(SinkContract):
    @pytest.fixture
    def case(self) -> SinkCase:
        return sink_case(MEMORY, MemoryOptions(), MemorySinkOptions(), "memory")


class TestFaultySourceWithoutFaults(SourceContract):
    @pytest.fixture
    def case(self) -> SourceCase:
        return SourceCase(world=lambda: faulty_source, expected=RECORDS)


class TestFaultySinkWithoutFaults(SinkContract):
    @pytest.fixture
    def case(self) -> SinkCase:
        return sink_case(FAULTY, FaultyOptions(), FaultySinkOptions(), "faulty")


class TestErrors(ErrorsContract):
    @pytest.fixture(params=[memory_errors.translating, faulty_errors.translating])
    def case(self, request: pytest.FixtureRequest) -> ErrorsCase:
        return ErrorsCase(translating=lambda: request.param("not a number"), vendor=[ValueError("no number")])


def sink_case(spec: ConnectorSpec, connection: object, options: object, name: str) -> SinkCase:
    assert spec.sink is not None
    sink = spec.sink
    return SinkCase(
        open=lambda: sink(connection, options, SETTING),
        held=lambda: target(name).tables[SETTING.name],
        effects=lambda: len(target(name).effects),
        record=record,
    )


@pytest.mark.parametrize("name", ["memory", "faulty", "files", "sql", "http"])
def test_every_connector_is_found_by_name_and_refuses_unknown_options(name: str) -> None:
    spec = connector(name)

    assert spec.name == name
    for options in (spec.options, spec.source_options, spec.sink_options):
        assert options is not None
        assert options.model_config.get("extra") == "forbid"
        assert options.model_json_schema()["additionalProperties"] is False
        assert all("description" in field for field in options.model_json_schema()["properties"].values())


def test_the_inbox_is_read_on_behind_the_position_when_more_arrives() -> None:
    target("memory").inbox += [{"ID": "1"}]
    assert MEMORY.source is not None

    def opened() -> Source:
        assert MEMORY.source is not None
        return MEMORY.source(MemoryOptions(), MemorySourceOptions(), SETTING)

    _, position = land(opened, None)
    target("memory").inbox += [{"ID": "2"}]
    more, _ = land(opened, position)

    assert more == [{"ID": "2"}]


def test_a_position_of_another_connector_is_a_configuration_error() -> None:
    with pytest.raises(ConfigError) as caught:
        land(faulty_source, '{"file":"a.xml"}')

    assert caught.value.code == "NAVE-S003"
    assert "a.xml" in caught.value.text()


def test_a_source_fails_after_as_many_batches_as_told_and_resumes() -> None:
    with faulty_source(fail_after=1) as source:
        reading = source.read(None)
        first = next(reading)
        with pytest.raises(RetryableError):
            next(reading)

    rest, _ = land(faulty_source, first.position)

    assert [*first.records, *rest] == RECORDS


def test_duplicates_and_another_order_are_the_same_in_every_run_of_a_seed() -> None:
    def opened() -> Source:
        return faulty_source(duplicates="40%", reorder=5)

    once, _ = land(opened, None)
    again, _ = land(opened, None)

    assert once == again
    assert len(once) > len(RECORDS)
    assert once != sorted(once, key=lambda one: int(one["ID"]))
    assert {one["ID"] for one in once} == {one["ID"] for one in RECORDS}


def test_a_failed_call_has_no_effect_and_the_next_one_has() -> None:
    with faulty_sink(fail_every=2) as sink:
        sink.write([record("a")])
        with pytest.raises(RetryableError):
            sink.write([record("b")])
        before = set(target("faulty").tables[SETTING.name])
        sink.write([record("b")])

    assert before == {"a"}
    assert set(target("faulty").tables[SETTING.name]) == {"a", "b"}


def test_a_lost_reply_leaves_the_outcome_unknown_and_the_probe_knows_it() -> None:
    with faulty_sink(drop_reply_every=1) as sink:
        receipts = sink.write([record("a", 3)])

    assert [receipt.outcome for receipt in receipts] == [Outcome.UNKNOWN]
    assert FAULTY.probe is not None
    with FAULTY.probe(FaultyOptions(), FaultySinkOptions(), SETTING) as probe:
        found = probe(record("a", 3))
        assert found is not None
        assert found.outcome is Outcome.DUPLICATE
        assert probe(record("a", 4)) is None
        assert probe(record("b", 1)) is None


def test_a_lost_reply_that_shows_as_a_failed_call_has_one_effect_when_tried_again() -> None:
    with faulty_sink(drop_reply_every=1, lost_reply="retry") as sink, pytest.raises(RetryableError):
        sink.write([record("a")])
    with faulty_sink() as sink:
        receipts = sink.write([record("a")])

    assert receipts[0].outcome is Outcome.DUPLICATE
    assert target("faulty").effects == [(SETTING.name, "a", 1)]
    assert target("faulty").attempts[SETTING.name, "a", 1] == 2


def test_the_same_keys_are_refused_every_time_and_their_neighbours_are_not() -> None:
    records = [record(str(number)) for number in range(100)]

    with faulty_sink(reject_every=10) as sink:
        once, again = sink.write(records), sink.write(records)

    refused = [receipt.outcome is Outcome.REJECTED for receipt in once]
    assert 2 <= sum(refused) <= 25
    assert refused == [receipt.outcome is Outcome.REJECTED for receipt in again]
    assert all(receipt.error is not None for receipt in once if receipt.outcome is Outcome.REJECTED)
