"""A mapping that extends another one: what is its own, what it takes over, and what it takes away."""

from __future__ import annotations

from typing import Any

import pytest

from nave.core.errors import ConfigError
from nave.mappings import extended

BASE: dict[str, Any] = {
    "mapping": "nave/x",
    "from": "x.customers",
    "to": "customer",
    "key": "CODE",
    "drop": ["A"],
    "fields": {
        "name": "NAME",
        "status": {"from": "S", "table": "status"},
        "contacts": {"each": "C", "fields": {"name": "N", "phone": "T"}},
    },
}


def merged(own: dict[str, Any], **files: dict[str, Any]) -> dict[str, Any]:
    return extended({"mapping": "mine", "from": "nc.customers", "to": "customer", **own}, {"nave/x": BASE, **files}.get)


def test_a_field_is_overridden_and_the_rest_is_taken_over() -> None:
    whole = merged({"extends": "nave/x", "fields": {"name": "NAME | squeeze"}, "drop": ["B", "A"]})

    assert whole["mapping"] == "mine"
    assert whole["from"] == "nc.customers"
    assert whole["key"] == "CODE"
    assert whole["fields"] == {**BASE["fields"], "name": "NAME | squeeze"}
    assert whole["drop"] == ["A", "B"]
    assert "extends" not in whole


def test_a_member_of_a_list_is_overridden_without_copying_the_list() -> None:
    whole = merged({"extends": "nave/x", "fields": {"contacts": {"each": "C2", "fields": {"phone": None, "role": "R"}}}})

    assert whole["fields"]["contacts"] == {"each": "C2", "fields": {"name": "N", "role": "R"}}


def test_null_takes_away_and_another_form_replaces_the_whole() -> None:
    whole = merged({"extends": "nave/x", "key": None, "fields": {"name": None, "status": {"const": "active"}}})

    assert "key" not in whole
    assert whole["fields"] == {"status": {"const": "active"}, "contacts": BASE["fields"]["contacts"]}


def test_a_function_for_all_fields_takes_the_place_of_the_fields() -> None:
    assert "fields" not in merged({"extends": "nave/x", "python": "own:whole"})


def test_one_may_extend_one_that_extends_another() -> None:
    whole = merged({"extends": "b", "fields": {"x": "X"}}, b={"mapping": "b", "extends": "nave/x", "fields": {"name": "B"}})

    assert whole["fields"] == {**BASE["fields"], "name": "B", "x": "X"}


def test_a_circle_and_a_mapping_that_is_not_there_are_refused() -> None:
    with pytest.raises(ConfigError, match="NAVE-M034"):
        merged({"extends": "b"}, b={"mapping": "b", "extends": "c"}, c={"mapping": "c", "extends": "b"})
    with pytest.raises(ConfigError, match="NAVE-M033"):
        merged({"extends": "gone"})


def test_what_it_extends_stays_as_it_was() -> None:
    before = repr(BASE)

    merged({"extends": "nave/x", "drop": ["Z"], "fields": {"contacts": {"each": "C", "fields": {"name": "M"}}}})

    assert repr(BASE) == before
