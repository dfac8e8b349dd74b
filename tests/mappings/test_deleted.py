"""`deleted` in a mapping: a record that says that its key is no more, and nothing else."""

from __future__ import annotations

import pytest

from nave.core.entities import shipped
from nave.core.errors import NaveError
from nave.core.snapshots import Deleted
from nave.mappings import Mapped, MappingProblems, TestCase, run_case
from tests.mappings.setting import inbound, outbound, problems

CUSTOMER = shipped()["customer"]
FIELDS = {"name": "NAME"}


def test_where_the_expression_holds_no_field_is_read() -> None:
    mapping = inbound(FIELDS, CUSTOMER, deleted="GONE == 1", version="V")

    outcomes = mapping.run([{"K": "1", "V": "7", "GONE": 1}, {"K": "2", "V": "8", "GONE": 0, "NAME": "Two"}])

    assert outcomes[0] == Deleted("1", "7", None)
    assert isinstance(outcomes[0], Deleted)
    assert isinstance(outcomes[1], Mapped)
    assert mapping.deletes


def test_a_record_of_which_that_cannot_be_told_is_bad() -> None:
    [outcome] = inbound(FIELDS, CUSTOMER, deleted="GONE == 1").run([{"K": "1", "NAME": "One"}])

    assert isinstance(outcome, NaveError)
    assert (outcome.code, outcome.field) == ("NAVE-M101", "deleted")


def test_the_type_of_events_is_known_to_the_mapping() -> None:
    mapping = inbound(FIELDS, CUSTOMER, deleted={"type": ".deleted"})

    assert (mapping.deletes, mapping.deleted_type) == (True, ".deleted")


def test_the_hash_changes_with_it() -> None:
    assert inbound(FIELDS, CUSTOMER).hash != inbound(FIELDS, CUSTOMER, deleted="GONE == 1").hash


def test_a_case_expects_it() -> None:
    mapping = inbound(FIELDS, CUSTOMER, deleted="GONE == 1")

    def passes(**case: object) -> bool:
        return run_case(mapping, CUSTOMER, TestCase.model_validate({"name": "c", **case})).passed

    assert passes(given={"K": "1", "GONE": 1}, deleted=True, key="1")
    assert not passes(given={"K": "1", "GONE": 1}, deleted=True, key="2")
    assert not passes(given={"K": "1", "GONE": 0, "NAME": "n"}, deleted=True)
    assert not passes(given={"K": "1", "GONE": 1}, expect={"name": "n"})


def test_on_the_way_out_it_means_nothing() -> None:
    with pytest.raises(MappingProblems) as caught:
        outbound({"NAME": "name"}, deleted="true")

    assert [one.error.code for one in caught.value.problems] == ["NAVE-E132"]


@pytest.mark.parametrize("expression", ["GONE ==", "nothing | nosuchfilter"])
def test_a_mistake_in_it_is_found(expression: str) -> None:
    [mistake] = problems(FIELDS, CUSTOMER, deleted=expression)

    assert tuple(mistake.path) == ("deleted",)
