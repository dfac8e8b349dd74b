"""Connector `tryton` against a real Tryton server: rows that were deleted are told as gone, once, and where it is likely."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from nave.connectors.contracts import OpenSource, land
from nave.connectors.tryton.held import MOST, Held
from nave.connectors.tryton.marks import Position
from nave.connectors.tryton.options import TrytonSourceOptions
from nave.connectors.tryton.peer import Peer
from nave.core.errors import ConfigError, RetryableError
from nave.core.protocols import Raw
from tests.connectors.tryton_rows import make, opening, options
from tests.servers.tryton import Erp

pytest_plugins = ["tests.servers.tryton_fixtures", "tests.connectors.tryton_fixtures"]


def followed(erp: Erp, prefix: str, **more: object) -> OpenSource:
    return opening(options(erp), prefix, **{"deletions": "0s", "most_gone": 0.9, **more})


def told(records: list[Raw]) -> list[tuple[int, bool]]:
    return [(one["id"], one.get("gone", False)) for one in records]


def test_what_was_deleted_is_told_as_gone_once(erp: Erp, peer: Peer, prefix: str) -> None:
    numbers = [make(peer, f"{prefix}{n}") for n in range(7)]
    opened = followed(erp, prefix)
    first, position = land(opened, None)
    nothing, position = land(opened, position)
    for number in (numbers[1], numbers[2], numbers[3], numbers[6]):
        peer.delete("party.party", number)

    second, position = land(opened, position)
    third, _ = land(opened, position)

    assert told(first) == [(number, False) for number in numbers]
    assert nothing == []
    assert told(second) == [(number, True) for number in (numbers[1], numbers[2], numbers[3], numbers[6])]
    assert min(one["changed"] for one in second) > max(one["changed"] for one in first)
    assert third == []


def test_what_the_domain_does_not_let_through_any_more_is_gone_and_comes_back_when_it_does(
    erp: Erp, peer: Peer, prefix: str
) -> None:
    numbers = [make(peer, f"{prefix}{n}") for n in range(3)]
    opened = followed(erp, prefix, inactive=False)
    _, position = land(opened, None)

    peer.write("party.party", numbers[0], {"active": False}, None)
    away, position = land(opened, position)
    peer.write("party.party", numbers[0], {"active": True}, None)
    back, _ = land(opened, position)

    assert (told(away), told(back)) == ([(numbers[0], True)], [(numbers[0], False)])


def test_a_read_that_was_cut_off_tells_the_rest_of_what_is_gone(erp: Erp, peer: Peer, prefix: str) -> None:
    numbers = [make(peer, f"{prefix}{n}") for n in range(9)]
    opened = followed(erp, prefix)
    _, position = land(opened, None)
    for number in numbers[:5]:
        peer.delete("party.party", number)
    with opened() as reading:
        part = next(iter(reading.read(position)))

    rest, _ = land(opened, part.position)

    assert told([*part.records, *rest]) == [(number, True) for number in numbers[:5]]


def test_changes_are_told_but_not_that_nearly_everything_is_gone(erp: Erp, peer: Peer, prefix: str) -> None:
    numbers = [make(peer, f"{prefix}{n}") for n in range(8)]
    _, position = land(followed(erp, prefix), None)
    for number in numbers[:4]:
        peer.delete("party.party", number)
    peer.write("party.party", numbers[7], {"name": "neu"}, None)

    with followed(erp, prefix, most_gone=0.3)() as opened:
        reading = opened.read(position)
        changes = next(reading)
        with pytest.raises(RetryableError) as caught:
            next(reading)
    position = changes.position
    after, _ = land(followed(erp, prefix), position)

    assert (caught.value.code, caught.value.params["count"]) == ("NAVE-K379", 4)
    assert told(list(changes.records)) == [(numbers[7], False)]
    assert told(after) == [(number, True) for number in numbers[:4]]


def test_a_read_that_was_cut_off_before_rows_that_are_gone_since_goes_on_to_later_changes(
    erp: Erp, peer: Peer, prefix: str
) -> None:
    numbers = [make(peer, f"{prefix}{n}") for n in range(6)]
    opened = opening(options(erp), prefix, batch=3)
    with opened() as reading:
        first = next(iter(reading.read(None)))
    for number in numbers[3:]:
        peer.delete("party.party", number)
    _, position = land(opened, first.position)
    peer.write("party.party", numbers[0], {"name": "neu"}, None)

    changed, _ = land(opened, position)

    assert [one["id"] for one in first.records] == numbers[:3]
    assert numbers[0] in [one["id"] for one in changed]


@given(st.sets(st.integers(1, 5000)), st.sets(st.integers(1, 9000)))
def test_a_set_of_ids_is_the_same_out_of_a_position(kept: set[int], others: set[int]) -> None:
    held = Held()
    held.add(kept, "party.party")

    again = Held.parse(held.text())

    assert (len(again), again.but([])) == (len(kept), sorted(kept))
    assert again.but(others) == sorted(kept - others)
    again.forget(others)
    assert again.but([]) == sorted(kept - others)


def test_ids_that_are_too_high_and_positions_that_are_none_are_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        Held().add([MOST + 1], "party.party")

    assert caught.value.code == "NAVE-K378"
    with pytest.raises(ConfigError):
        Held.parse("abc")
    for wrong in ('{"looked": "abc"}', '{"held": 5}'):
        with pytest.raises(ConfigError):
            Position.parse(wrong)
    with pytest.raises(ValidationError):
        TrytonSourceOptions(model="a", fields=["b"], snapshot=True, deletions="1h")
