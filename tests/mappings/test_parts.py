"""What a record holds besides itself, `also:` - split, mapped with the record around it, tested, refused."""

from __future__ import annotations

from typing import Any

import pytest

from nave.core.entities import shipped
from nave.mappings import (
    Mapped,
    MappingProblems,
    MappingSpec,
    Part,
    TestCase,
    compile_inbound,
    compile_outbound,
    compile_parts,
    run_case,
    untested,
)
from nave.mappings.parts import ways_of_part
from tests.mappings.setting import SHANGHAI, TABLES, THING, error, inbound, outbound

BUYER = {"to": "customer", "key": "CUST", "when": "CUST is not empty", "fields": {"name": "NAME | trim"}}
CONTACTS = {"each": "TEL", "fields": {"name": "parent.NAME", "phone": "item.N"}}
PEOPLE = {
    "to": "customer",
    "each": "TEAM.PEOPLE",
    "key": ["parent.NO", "loop.index"],
    "fields": {"name": "NAME", "remark": "parent.NO", "contacts": CONTACTS},
}
RECORD = {
    "NO": "A1",
    "AT": "2026-01-01 08:00:00",
    "CUST": "C1",
    "NAME": " Shop ",
    "TEAM": {"PEOPLE": [{"NAME": "Li", "TEL": [{"N": "1"}]}, {"NAME": "Wu", "TEL": []}]},
}


def spec(**parts: Any) -> MappingSpec:
    whole = {"mapping": "m", "from": "erp.orders", "to": "thing", "key": "NO", "version": "AT | datetime"}
    return MappingSpec.model_validate({**whole, "fields": {"name": "NO"}, "also": parts})


def parts(**said: Any) -> dict[str, Part]:
    return compile_parts(spec(**said), shipped(), system="erp", time_zone=SHANGHAI, tables=TABLES)


def test_a_part_reads_the_record_and_takes_over_its_version() -> None:
    part = parts(buyer=BUYER)["buyer"]

    (mapped,) = part.run(part.split(RECORD))

    assert isinstance(mapped, Mapped)
    assert (mapped.key, mapped.version, mapped.values) == ("C1", "2026-01-01T00:00:00.000000Z", {"name": "Shop"})


def test_each_item_is_a_record_with_the_whole_around_it() -> None:
    part = parts(people=PEOPLE)["people"]

    first, second = part.run(part.split(RECORD))

    assert isinstance(first, Mapped)
    assert isinstance(second, Mapped)
    assert (first.key, second.key) == ("A1/1", "A1/2")
    assert first.values == {"name": "Li", "remark": "A1", "contacts": [{"name": "Li", "phone": "1"}]}
    assert part.lineage["contacts[].phone"] == ["TEAM.PEOPLE[].TEL[].N"]
    assert part.lineage["remark"] == ["NO"]
    assert part.read(part.split(RECORD)[0], "TEAM.PEOPLE[].NAME") == ["Li"]
    assert part.read(part.split(RECORD)[0], "NO") == ["A1"]


@pytest.mark.parametrize("team", [{}, {"PEOPLE": None}, {"PEOPLE": []}, "text", None])
def test_a_list_that_is_not_there_has_no_items(team: Any) -> None:
    assert parts(people=PEOPLE)["people"].split({**RECORD, "TEAM": team}) == []


def test_one_item_alone_counts_as_a_list() -> None:
    assert len(parts(people=PEOPLE)["people"].split({**RECORD, "TEAM": {"PEOPLE": {"NAME": "Li"}}})) == 1


def test_when_leaves_out_and_one_that_fails_is_told_by_its_record() -> None:
    part = parts(buyer={**BUYER, "when": "CUST != ''"})["buyer"]

    assert part.split({**RECORD, "CUST": ""}) == []
    (refused,) = part.run(part.split({"NO": "A1"}))
    assert error(refused) == ("NAVE-M101", "when")
    assert part.run_wanted([{**RECORD, "CUST": ""}, RECORD])[0] is None


def test_the_number_of_an_item_stands_only_in_the_names_of_lists_of_the_record_itself() -> None:
    part = parts(people=PEOPLE)["people"]
    bad = {**RECORD, "TEAM": {"PEOPLE": [{"NAME": "a", "TEL": []}, {"NAME": "b", "TEL": [{"N": "1"}, {}]}]}}

    outcome = part.run(part.split(bad))[1]

    assert error(outcome) == ("NAVE-M101", "contacts[1].phone")


def test_the_whole_mapping_is_what_it_was_whatever_its_parts_say() -> None:
    fields = {"name": "NO"}

    assert inbound(fields, key="NO", also={"buyer": BUYER}).hash == inbound(fields, key="NO").hash
    changed = {**BUYER, "when": "true"}
    assert parts(buyer=BUYER)["buyer"].hash != parts(buyer=changed)["buyer"].hash


@pytest.mark.parametrize(
    ("said", "code", "path"),
    [
        ({**BUYER, "to": "custmer"}, "NAVE-M043", ("also", "x", "to")),
        ({**PEOPLE, "each": "TEAM.PEOPLE | length"}, "NAVE-M044", ("also", "x", "each")),
        ({**PEOPLE, "each": "TEAM["}, "NAVE-M001", ("also", "x", "each")),
        ({**BUYER, "fields": {"name": "NAME | tirm"}}, "NAVE-M012", ("also", "x", "fields", "name")),
        ({**BUYER, "fields": {"nam": "NAME"}}, "NAVE-M007", ("also", "x", "fields", "nam")),
        ({**BUYER, "when": "A ||"}, "NAVE-M001", ("also", "x", "when")),
    ],
)
def test_what_is_wrong_is_told_with_its_place_in_the_file(said: dict[str, Any], code: str, path: tuple[str, ...]) -> None:
    with pytest.raises(MappingProblems) as refused:
        parts(x=said)

    assert (code, path) in [(one.error.code, tuple(one.path)) for one in refused.value.problems]


def test_a_sink_has_no_parts() -> None:
    said = {"mapping": "m", "from": "customer", "to": "erp.x", "fields": {"n": "name"}, "also": {"buyer": BUYER}}

    with pytest.raises(MappingProblems, match="`also` has no meaning"):
        compile_outbound(MappingSpec.model_validate(said), shipped()["customer"], time_zone=SHANGHAI, tables={})


def case(**said: Any) -> TestCase:
    return TestCase.model_validate({"name": "c", "given": RECORD, **said})


def differences(**said: Any) -> list[tuple[str, str | None, str | None]]:
    mapping = inbound({"name": "NO"}, key="NO")
    result = run_case(mapping, shipped()["customer"], case(**said), parts(buyer=BUYER, people=PEOPLE))
    return [(one.field, one.expected, one.actual) for one in result.differences]


def test_a_case_says_what_the_parts_give() -> None:
    people = [{"key": "A1/1", "expect": {"name": "Li"}}, {"expect": {"name": "Wu"}}]

    assert differences(also={"buyer": [{"key": "C1", "expect": {"name": "Shop"}}], "people": people}) == []
    assert differences(also={"buyer": [{"key": "C2", "expect": {"name": "Shop"}}]}) == [("buyer[0].key", "C2", "C1")]
    assert differences(also={"buyer": [], "people": [{"expect": {"name": "Li"}}]}) == [
        ("buyer", "0", "1"),
        ("people", "1", "2"),
    ]
    assert differences(also={"nobody": []}) == [("nobody", "0", None)]
    refused = {"expect_error": {"field": "name", "code": "NAVE-D001"}}
    assert differences(also={"buyer": [refused]}) == [("buyer[0].name", "error NAVE-D001 in name", "Shop")]
    assert differences(given={**RECORD, "NAME": ""}, also={"buyer": [refused]}) == []


def test_fields_of_parts_that_no_case_looks_at_are_told() -> None:
    mapping = inbound({"name": "NO"}, key="NO")
    cases = [case(expect={"name": "A1"}, also={"people": [{"expect": {"name": "Li"}}]})]

    assert untested(mapping, cases, parts(buyer=BUYER, people=PEOPLE)) == ["buyer.name", "people.remark", "people.contacts"]


def test_the_ways_of_a_part_stand_at_its_own_lines_and_the_version_at_the_top() -> None:
    ways = {way.target: way for way in ways_of_part(spec(buyer=BUYER), parts(buyer=BUYER)["buyer"])}

    assert ways["name"].at == ("also", "buyer", "fields", "name")
    assert ways["version"].at == ("version",)
    assert (ways["name"].text, ways["name"].sources) == ("NAME | trim", ("NAME",))


VIEWS = {
    "NO": "A1",
    "AT": "2026-01-01 08:00:00",
    "V": [{"id": "v1", "ref": "#p2", "N": "1"}, {"id": "v2", "N": "2"}, {"id": "v3", "ref": "p1  #p2", "N": "3"}],
    "P": [{"id": "p1", "C": "bolt"}, {"id": "p2", "C": "nut"}],
    "REST": "x" * 1_000,
}
LINKED = {
    "to": "customer",
    "each": "V | follow(P, 'ref', 'id', 'part') | where('N', '1', '3')",
    "when": "part is not empty",
    "key": "N",
    "fields": {"name": "part.C if part is not list else part[1].C", "remark": "parent.NO"},
}


def test_a_list_may_be_made_by_filters_and_the_record_around_it_is_kept_as_far_as_it_is_read() -> None:
    part = parts(x=LINKED)["x"]

    raws = part.split(VIEWS)
    first, second = part.run_wanted(raws)

    assert isinstance(first, Mapped)
    assert isinstance(second, Mapped)
    assert [first.values, second.values] == [{"name": "nut", "remark": "A1"}, {"name": "nut", "remark": "A1"}]
    assert raws[0]["parent"] == {"NO": "A1", "AT": VIEWS["AT"]}
    assert "V[].part.C" in part.lineage["name"]
    assert part.unread([{**VIEWS, "REST": None}]) <= {"V[].id"}


def test_a_list_that_cannot_be_made_is_one_record_that_tells_why() -> None:
    part = parts(x=LINKED)["x"]
    torn = {**VIEWS, "P": [{"id": "p1", "C": "bolt"}]}

    (raw,) = part.split(torn)
    (refused,) = part.run_wanted([raw])
    (mended,) = part.run_wanted([{**raw, "parent": VIEWS}])

    assert error(refused) == ("NAVE-M125", "each")
    assert raw["parent"] == torn
    assert error(mended)[0] == "NAVE-M126"
    assert part.split({**VIEWS, "V": None}) == []


def test_a_record_that_is_only_taken_apart_is_left_out_itself() -> None:
    whole = MappingSpec.model_validate({"mapping": "m", "from": "erp.orders", "to": "thing", "also": {"buyer": BUYER}})
    mapping = compile_inbound(whole, THING, system="erp", time_zone=SHANGHAI, tables=TABLES)

    assert mapping.run([RECORD, {}]) == [None, None]
    assert mapping.keys([RECORD]) == [""]


@pytest.mark.parametrize(("kind", "expected"), [("C", True), ("P", False)])
def test_when_leaves_records_out(kind: str, expected: bool) -> None:
    mapping = inbound({"name": "A"}, when="T == 'C'")

    (result,) = mapping.run([{"K": "1", "A": "x", "T": kind}])

    assert isinstance(result, Mapped) == expected
    assert (result is None) != expected
    case = TestCase.model_validate({"name": "x", "given": {"K": "1", "A": "x", "T": kind}, "left_out": True})
    assert run_case(mapping, THING, case).passed != expected


def test_a_when_that_fails_is_the_error_of_its_record_alone() -> None:
    mapping = inbound({"name": "A"}, when="T > 1")

    first, second = mapping.run([{"K": "1", "A": "x", "T": "t"}, {"K": "2", "A": "y", "T": 2}])

    assert error(first) == ("NAVE-M116", "when")
    assert isinstance(second, Mapped)


def test_when_is_part_of_what_a_mapping_is_and_only_for_the_way_in() -> None:
    assert inbound({"name": "A"}, when="T == 1").hash != inbound({"name": "A"}, when="T == 2").hash
    assert inbound({"name": "A"}, when="T == 1").unread([{"K": "1", "A": "x", "T": 1}]) == set()
    with pytest.raises(MappingProblems) as refused:
        outbound({"x": "name"}, when="name")
    assert [one.error.code for one in refused.value.problems] == ["NAVE-M047"]


def test_what_is_referred_to_a_thousand_times_is_refused_before_it_is_written_out() -> None:
    """A few hundred kilobytes of references to one large item would be gigabytes in the journal."""
    part = parts(x={**LINKED, "each": "V | follow(P, 'ref', 'id', 'part')"})["x"]
    bomb = {**VIEWS, "V": [{"id": "v", "N": "1", "ref": "p1 " * 100}] * 100, "P": {"id": "p1", "C": "x" * 100_000}}

    (refused,) = part.run_wanted(part.split(bomb))

    assert error(refused) == ("NAVE-M114", "each")


def test_texts_that_are_joined_make_keys_versions_and_conditions_of_items_too() -> None:
    people = {
        "to": "customer",
        "each": "TEAM.PEOPLE",
        "when": '(NAME ~ "!") != "Wu!"',
        "key": 'parent.NO ~ "/" ~ NAME',
        "version": 'NAME ~ "." ~ loop.index',
        "fields": {"name": "NAME"},
    }
    part = parts(people=people)["people"]

    (mapped,) = part.run(part.split(RECORD))

    assert isinstance(mapped, Mapped)
    assert (mapped.key, mapped.version) == ("A1/Li", "Li.1")
