"""Entities are data: a batch is checked as a whole, the bad ones named, the good ones kept to the last digit."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nave.core.entities import Document, EntityType, FieldSpec, defined, encode, extended, field_types, shipped
from nave.core.errors import ConfigError, NaveError
from nave.core.references import Link, links

CUSTOMER = shipped()["customer"]
PRODUCT = shipped()["product"]
ORDER = shipped()["order"]


def one(entity: EntityType, **values: Any) -> Document | NaveError:
    [document] = entity.validate([values])
    return document


def good(entity: EntityType, **values: Any) -> Document:
    document = one(entity, **values)
    assert not isinstance(document, NaveError), document
    return document


def weight(number: object) -> Document | NaveError:
    return one(PRODUCT, code="P", name="n", weight={"value": number, "unit": "KG"})


def test_every_entity_has_a_title_in_both_languages_and_says_what_its_fields_are() -> None:
    for name, entity in shipped().items():
        assert set(entity.title) == {"en", "zh"}, name
        assert entity.model.__doc__, name
        assert all(target in shipped() for target in entity.refs.values()), name


def test_good_and_bad_of_a_batch_come_back_in_order_each_with_its_field() -> None:
    batch = [
        {"name": "A"},
        {"code": "1"},
        {"name": "B", "credit": {"amount": "x", "currency": "CNY"}},
        {"name": "C", "contacts": [{"name": "Li"}, {"phone": "1"}]},
        {"name": "D", "nmae": "D"},
        {"name": "E", "code": "007"},
    ]

    found = CUSTOMER.validate(batch)

    errors = {place: (error.code, error.field) for place, error in enumerate(found) if isinstance(error, NaveError)}
    assert errors == {
        1: ("NAVE-D001", "name"),
        2: ("NAVE-D002", "credit.amount"),
        3: ("NAVE-D001", "contacts[1].name"),
        4: ("NAVE-D005", "nmae"),
    }
    assert found[0] == {"name": "A"}
    assert found[5] == {"name": "E", "code": "007"}


def test_a_long_wrong_value_is_cut_in_what_people_read() -> None:
    error = one(CUSTOMER, name="A", credit={"amount": "x" * 500, "currency": "CNY"})

    assert isinstance(error, NaveError)
    assert len(error.text()) < 250


def test_references_are_found_however_deep_they_are() -> None:
    assert dict(ORDER.refs) == {"customer": "customer", "salesperson": "employee", "lines[].product": "product"}
    document = {
        "customer": {"system": "erp", "key": "C1"},
        "lines": [{"product": {"system": "pdm", "key": "P1"}}, {}, {"product": {"system": "pdm", "key": "P2"}}],
    }

    assert list(links(7, document, ORDER)) == [
        Link(7, "customer", "customer", "erp", "C1", "order.customer"),
        Link(7, "lines[0].product", "product", "pdm", "P1", "order.lines[].product"),
        Link(7, "lines[2].product", "product", "pdm", "P2", "order.lines[].product"),
    ]


def test_a_school_describes_its_students_and_courses() -> None:
    student = defined("student", {"en": "Student", "zh": "学生"}, {"name": FieldSpec("text", required=True)})
    course = defined(
        "course",
        {"en": "Course", "zh": "课程"},
        {
            "title": FieldSpec("text", required=True),
            "teacher": FieldSpec({"ref": "employee"}),
            "seats": FieldSpec("integer"),
            "starts": FieldSpec("date"),
            "students": FieldSpec({"list": {"ref": "student"}}),
            "marks": FieldSpec({"list": {"object": {"of": {"type": {"ref": "student"}}, "mark": {"type": "number"}}}}),
        },
    )

    assert dict(course.refs) == {"teacher": "employee", "students[]": "student", "marks[].of": "student"}
    ref = {"system": "sis", "key": "S1"}
    document = good(
        course, title="数学", seats="30", starts="2026-09-01", students=[ref], marks=[{"of": ref, "mark": "1.50"}]
    )
    assert document["starts"] == date(2026, 9, 1)
    assert [link.path for link in links(1, document, course)] == ["students[0]", "marks[0].of"]
    assert isinstance(one(student, nmae="x"), NaveError)
    assert course.typed([encode(document)]) == [document]


def test_an_extended_entity_keeps_its_own_fields_and_refuses_one_twice() -> None:
    wider = extended(CUSTOMER, {"plant_grade": FieldSpec("code"), "parent": FieldSpec({"ref": "customer"})})

    assert good(wider, name="A", plant_grade="1", tax_id="T")["plant_grade"] == "1"
    assert wider.refs["parent"] == "customer"
    assert wider.hash != CUSTOMER.hash
    assert isinstance(one(CUSTOMER, name="A", plant_grade="1"), NaveError)
    with pytest.raises(ConfigError) as caught:
        extended(CUSTOMER, {"name": FieldSpec("text")})
    assert caught.value.code == "NAVE-D003"


@pytest.mark.parametrize("spec", ["txt", {"ref": "customer", "list": "text"}, {"lists": "text"}, {}])
def test_a_type_that_is_none_is_refused_by_name(spec: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        defined("thing", {"en": "Thing", "zh": "物"}, {"a": FieldSpec(spec)})

    assert caught.value.code == "NAVE-D004"
    assert all(name in caught.value.text() + caught.value.help() for name in field_types())


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("1E+3", "1000"),
        ("1E+30", "1" + "0" * 30),
        ("12345678901234567890E+15", "12345678901234567890" + "0" * 15),
        ("1.50", "1.50"),
        ("-0", "0"),
        ("-0.00", "0.00"),
        ("0E+5", "0"),
        (Decimal("7"), "7"),
        (7, "7"),
        ("9" * 38, "9" * 38),
    ],
)
def test_a_number_has_one_spelling(given: object, kept: str) -> None:
    document = weight(given)

    assert isinstance(document, dict)
    assert f'"value":"{kept}"' in encode(document)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "sNaN", "1E+400", "1E-400", "9" * 39, "", "x", None, {}])
def test_what_is_no_number_of_this_world_is_refused(number: object) -> None:
    error = weight(number)

    assert isinstance(error, NaveError)
    assert error.field == "weight.value"


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+08:00", "9999-12-31T23:59:59-08:00", "2026-11-21T10:00:00", "soon"])
def test_a_moment_without_zone_or_beyond_the_calendar_is_refused(moment: str) -> None:
    error = one(shipped()["attendance"], employee={"system": "hr", "key": "1"}, at=moment)

    assert isinstance(error, NaveError)
    assert error.field == "at"


@given(
    st.datetimes(datetime.fromisoformat("0002-01-01"), datetime.fromisoformat("9998-01-01")),
    st.integers(-14 * 60, 14 * 60),
    st.decimals(min_value=-(10**20), max_value=10**20, places=4),
    st.text(min_size=1, max_size=20).filter(lambda text: text.strip() and text.isprintable()),
    st.dates(),
)
def test_documents_keep_their_types_through_the_store(
    naive: datetime, offset: int, number: Decimal, text: str, day: date
) -> None:
    told = naive.replace(tzinfo=timezone(timedelta(minutes=offset)))
    progress = good(
        shipped()["progress"],
        order={"system": "e", "key": text},
        operation=text,
        at=told,
        done={"value": number, "unit": "PCS"},
    )
    employee = good(shipped()["employee"], code=text, name=text, hired=day)

    assert shipped()["progress"].typed([encode(progress)]) == [progress]
    assert progress["at"] == told
    assert progress["at"].tzinfo is UTC
    assert shipped()["employee"].typed([encode(employee)]) == [employee]
    again = good(shipped()["progress"], **progress | {"at": told.astimezone(UTC)})
    assert encode(again) == encode(progress)


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_equal_numbers_of_equal_exactness_have_equal_text(number: Decimal) -> None:
    first = weight(number)
    if isinstance(first, NaveError):
        return

    second = weight(str(number))
    assert isinstance(second, dict)
    assert encode(first) == encode(second)
    [back] = PRODUCT.typed([encode(first)])
    assert encode(back) == encode(first)
    assert back["weight"]["value"] == number
