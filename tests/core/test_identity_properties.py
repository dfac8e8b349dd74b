"""Whatever is said, dropped and decided, in whatever order and batches: the same golden records, as if all came at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from nave.core.decisions import Verdict
from nave.core.identity import Guards, Name
from nave.core.intake import EntityRules
from nave.core.store import Store, open_store
from nave.core.store import schema as t
from tests.core.crowd import Crowd, Statement, check_sound, customers, emptied, scored
from tests.servers.private import fresh_database

SYSTEMS = ("crm", "erp", "nc")


class Drop(NamedTuple):
    """A system has a key no more."""

    system: str
    key: str


class Choice(NamedTuple):
    """A steward decides about two records."""

    verdict: Verdict
    a: Name
    b: Name


class Back(NamedTuple):
    """A steward takes one of the earlier decisions back."""

    nth: int


names = st.tuples(st.sampled_from(SYSTEMS), st.sampled_from("1234"))
values = st.fixed_dictionaries(
    {"name": st.sampled_from(["aaaa", "aaab", "aabb", "bbbb", "abab"])},
    optional={
        "tax_id": st.sampled_from(["T1", "t1", "T2"]),
        "phone": st.sampled_from(["P1", "P2"]),
        "remark": st.sampled_from(["x", "y"]),
    },
)
statements = st.builds(lambda name, version, said: Statement(*name, version, said), names, st.integers(1, 3), values)
said_once = st.lists(statements, min_size=1, max_size=12, unique_by=lambda one: (one.name, one.version))
choices = st.tuples(st.sampled_from(["same", "apart"]), names, names).filter(lambda one: one[1] != one[2])
rulings = st.lists(choices.map(lambda one: Choice(*one)), max_size=4)
Event = Statement | Drop | Choice | Back
events = st.lists(
    st.one_of(
        statements,
        statements,
        names.map(lambda name: Drop(*name)),
        choices.map(lambda one: Choice(*one)),
        st.integers(0, 3).map(Back),
    ),
    min_size=1,
    max_size=16,
)
rules = st.builds(
    lambda exact, likes, crowd, guards: customers(*exact, likes=likes, crowd=crowd, guards=guards),
    st.sampled_from([(), ("tax_id",), ("tax_id", "phone")]),
    st.sampled_from([None, scored(), scored(0.5, 0.25)]),
    st.sampled_from([1, 2, 3, 200]),
    st.sampled_from([Guards(), Guards(False, 50), Guards(False, 3), Guards(True, 2)]),
)


@pytest.fixture(scope="module")
def embedded() -> Iterator[Store]:
    opened = open_store("sqlite://")
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def served(postgres_server: str) -> Iterator[Store]:
    """A database of its own on a server."""
    with fresh_database(postgres_server, driver="postgresql+psycopg", drop="WITH (FORCE)") as url:
        opened = open_store(url)
        yield opened
        opened.close()


def batches(order: Sequence[Statement], cuts: Sequence[bool]) -> list[list[Statement]]:
    """Runs of one system's statements, cut where it says so."""
    found: list[list[Statement]] = []
    for one, cut in zip(order, cuts, strict=True):
        if cut or not found or found[-1][0].system != one.system:
            found.append([])
        found[-1].append(one)
    return found


def happen(crowd: Crowd, events: Sequence[Event], *, checked: bool = True) -> None:
    decided: list[int] = []
    for event in events:
        if isinstance(event, Statement):
            crowd.take([event])
        elif isinstance(event, Drop):
            crowd.drop(event.system, event.key)
        elif isinstance(event, Choice):
            decided.append(crowd.decide(*event))
        elif event.nth < len(decided):
            number, decided[event.nth] = decided[event.nth], -1
            if number >= 0:
                crowd.undo(number)
        if checked:
            check_sound(crowd)


@st.composite
def arrivals(draw: st.DrawFn) -> Arrived:
    """What is said, a way for it to come, some of it twice, and after which batch each decision is taken."""
    said = draw(said_once)
    order = draw(st.permutations(said + draw(st.lists(st.sampled_from(said), max_size=3))))
    cuts = draw(st.lists(st.booleans(), min_size=len(order), max_size=len(order)))
    listed = batches(order, cuts)
    decisions = draw(rulings)
    places = sorted(draw(st.integers(0, len(listed))) for _ in decisions)
    return said, listed, decisions, places


def any_order(store: Store, rules: EntityRules, arrived: Arrived) -> None:
    said, listed, decisions, places = arrived
    in_time = Crowd(emptied(store), rules)
    happen(in_time, [*sorted(said, key=lambda one: (one.version, one.name)), *decisions], checked=False)
    check_sound(in_time)
    expected = in_time.golden()

    hub = Crowd(emptied(store), rules)
    for number in range(len(listed) + 1):
        happen(hub, [one for one, place in zip(decisions, places, strict=True) if place == number], checked=False)
        if number < len(listed):
            hub.take(listed[number])
    check_sound(hub)

    assert hub.golden() == expected


def any_story(store: Store, rules: EntityRules, events: Sequence[Event]) -> None:
    happen(Crowd(emptied(store), rules), events)


def joined_and_back(store: Store, rules: EntityRules, events: Sequence[Event], a: Name, b: Name) -> None:
    hub = Crowd(emptied(store), rules)
    happen(hub, events, checked=False)
    before = hub.golden()

    hub.undo(hub.decide("same", a, b))

    assert hub.golden() == before
    check_sound(hub)


def never_there(store: Store, rules: EntityRules, said: Sequence[Statement], gone: set[Name]) -> None:
    """Both stories leave the same, but for golden ids."""
    without = Crowd(emptied(store), rules)
    happen(without, [one for one in said if one.name not in gone], checked=False)
    expected = (without.golden(), without.pairs(), without.crowded())

    hub = Crowd(emptied(store), rules)
    happen(hub, [*said, *(Drop(*name) for name in sorted(gone))], checked=False)

    assert (hub.golden(), hub.pairs(), hub.crowded()) == expected
    assert {row.record_id for row in hub.rows(sa.select(t.former))} <= {row.id for row in hub.rows(sa.select(t.record))}
    check_sound(hub)


both = st.tuples(names, names).filter(lambda pair: pair[0] != pair[1])
Arrived = tuple[list[Statement], list[list[Statement]], list[Choice], list[int]]
SOME, MANY, FEW = 60, 2500, 8


@pytest.mark.slow
@pytest.mark.timeout(900)
@settings(max_examples=SOME)
@given(rules=rules, arrived=arrivals())
def test_any_order_and_batching_gives_the_same_golden_records(embedded: Store, rules: EntityRules, arrived: Arrived) -> None:
    any_order(embedded, rules, arrived)


@pytest.mark.slow
@pytest.mark.timeout(900)
@settings(max_examples=SOME)
@given(rules=rules, events=events)
def test_after_any_story_all_is_as_if_it_had_come_at_once(embedded: Store, rules: EntityRules, events: list[Event]) -> None:
    any_story(embedded, rules, events)


@pytest.mark.slow
@pytest.mark.timeout(900)
@settings(max_examples=SOME)
@given(rules=rules, events=events, pair=both)
def test_joining_two_and_taking_it_back_restores_what_was(
    embedded: Store, rules: EntityRules, events: list[Event], pair: tuple[Name, Name]
) -> None:
    joined_and_back(embedded, rules, events, *pair)


@pytest.mark.slow
@pytest.mark.timeout(900)
@settings(max_examples=SOME)
@given(rules=rules, said=said_once, gone=st.sets(names, max_size=6))
def test_a_key_that_went_leaves_nothing_behind(
    embedded: Store, rules: EntityRules, said: list[Statement], gone: set[Name]
) -> None:
    never_there(embedded, rules, said, gone)


@pytest.mark.long
@pytest.mark.timeout(7200)
@settings(max_examples=MANY)
@given(rules=rules, arrived=arrivals(), events=events, pair=both, gone=st.sets(names, max_size=6))
def test_all_of_it_over_thousands_of_examples(
    embedded: Store,
    rules: EntityRules,
    arrived: Arrived,
    events: list[Event],
    pair: tuple[Name, Name],
    gone: set[Name],
) -> None:
    any_order(embedded, rules, arrived)
    any_story(embedded, rules, events)
    joined_and_back(embedded, rules, events, *pair)
    never_there(embedded, rules, arrived[0], gone)


@pytest.mark.slow
@pytest.mark.timeout(900)
@settings(max_examples=FEW)
@given(rules=rules, arrived=arrivals(), events=events, gone=st.sets(names, max_size=6))
def test_all_of_it_on_a_server(
    served: Store, rules: EntityRules, arrived: Arrived, events: list[Event], gone: set[Name]
) -> None:
    any_order(served, rules, arrived)
    any_story(served, rules, events)
    never_there(served, rules, arrived[0], gone)
