"""Who is the same, as the store keeps it: decisions, guards, scored pairs, crowded values, and keys that go."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from nave.core import decisions
from nave.core.identity import Guards, Name, Pair
from nave.core.intake import EntityRules
from nave.core.matching import Scored
from nave.core.pairs import Open, open_pairs, unmet
from nave.core.store import Query, Store, Transaction, open_store
from nave.core.store import schema as t
from tests.core.crowd import SINK, Alike, Crowd, Likes, Statement, check_sound, customers, emptied, scored

ERP, CRM, NC = ("erp", "1"), ("crm", "1"), ("nc", "1")


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    opened = open_store("sqlite://")
    yield opened
    opened.close()


def crowd(store: Store, rules: EntityRules) -> Crowd:
    return Crowd(emptied(store), rules)


def one(system: str, key: str, version: int = 1, **values: object) -> Statement:
    return Statement(system, key, version, {"name": f"{system} {key}", **values})


def three(hub: Crowd, **values: object) -> None:
    for name in (ERP, CRM, NC):
        hub.take([one(*name, **values)])


def states(hub: Crowd) -> dict[int, tuple[int | None, str, int]]:
    """By golden id: what it is merged into, why, and its version."""
    return {row.id: (row.merged_into, row.cause, row.version) for row in hub.rows(sa.select(t.record))}


def standing(hub: Crowd, *names: Name) -> list[decisions.Decision]:
    with hub.store.read() as tx:
        return decisions.between(tx, "customer", names)


def shown(hub: Crowd, limit: int = 100, after: Pair | None = None) -> list[Open]:
    with hub.store.read() as tx:
        return open_pairs(tx, "customer", hub.rules.identity, limit, after)


# Decisions


def test_what_a_steward_joins_stays_joined_and_comes_apart_when_taken_back(store: Store) -> None:
    hub = crowd(store, customers("tax_id"))
    hub.take([one(*ERP)])
    hub.take([one(*CRM)])
    before = hub.golden()

    number = hub.decide("same", ERP, CRM)
    joined = hub.parts()
    hub.take([one(*CRM, 2, tax_id="other")])
    still = hub.parts()
    hub.take([one(*CRM, 3)])
    hub.undo(number)

    assert joined == still == {frozenset({ERP, CRM})}
    assert hub.golden() == before
    check_sound(hub)


def test_what_a_steward_separates_stays_apart_from_the_rest_which_stays_together(store: Store) -> None:
    hub = crowd(store, customers("tax_id"))
    three(hub, tax_id="T")
    together = hub.home(ERP)

    hub.decide("apart", CRM, ERP)
    one_less, kept = hub.parts(), hub.home(ERP)
    number = hub.decide("apart", CRM, NC)
    two_less = hub.parts()
    hub.undo(number)

    assert one_less == hub.parts() == {frozenset({CRM, NC}), frozenset({ERP})}
    assert kept == together, "the id stays with the record it was given to, though the other part is larger"
    assert two_less == {frozenset({CRM}), frozenset({ERP, NC})}
    check_sound(hub)


@pytest.mark.parametrize("later", [CRM, NC])
def test_what_was_merged_and_comes_apart_has_the_id_that_it_had_before(store: Store, later: Name) -> None:
    """ERP's golden record is the older one; its name is neither the first nor the last."""
    hub = crowd(store, customers("tax_id"))
    hub.take([one(*ERP, tax_id="T")])
    first = hub.home(ERP)
    hub.take([one(*later)])
    hub.take([one(*later, 2, tax_id="T")])
    merged = (hub.home(ERP), hub.home(later))

    number = hub.decide("apart", ERP, later)
    apart = (hub.home(ERP), hub.home(later))
    hub.undo(number)
    hub.take([one(*later, 3, tax_id="other")])

    assert merged == (first, first)
    assert apart[0] == first != apart[1]
    assert hub.home(ERP) == first != hub.home(later)
    check_sound(hub)


@pytest.mark.parametrize("lost", [sa.delete(t.match_form), sa.update(t.match_form).values(form=b"made by another model")])
def test_what_is_not_kept_for_comparing_is_made_anew(store: Store, lost: sa.Executable) -> None:
    hub = crowd(store, customers(likes=Scored(Numbered(), 0.7, 0.4)))  # type: ignore[arg-type]
    hub.take([Statement("erp", "1", 1, {"name": "alpha", "remark": "x"})])
    hub.take([Statement("erp", "2", 1, {"name": "omega", "remark": "x"})])
    with store.write() as tx:
        tx.execute(lost)

    hub.take([Statement("crm", "1", 1, {"name": "alphb", "remark": "x"})])

    assert hub.parts() == {frozenset({ERP, CRM}), frozenset({("erp", "2")})}
    check_sound(hub)


class Numbered(Likes):
    """Knows its own forms from others."""

    def unpack(self, form: bytes) -> Alike | None:
        return None if form.startswith(b"made") else super().unpack(form)


def test_an_id_whose_first_record_is_elsewhere_stays_with_most_of_its_records(store: Store) -> None:
    hub = crowd(store, customers("tax_id"))
    three(hub, tax_id="T")
    hub.take([one("pdm", "1", tax_id="T")])
    together = hub.home(CRM)
    hub.drop("erp", "1")
    hub.take([one(*ERP, 2)])

    hub.decide("apart", CRM, NC)

    assert hub.parts() == {frozenset({ERP}), frozenset({CRM, ("pdm", "1")}), frozenset({NC})}
    assert hub.home(CRM) == together != hub.home(NC)
    check_sound(hub)


def test_a_decision_may_join_two_records_of_one_system_which_no_rule_does(store: Store) -> None:
    hub = crowd(store, customers("tax_id"))
    hub.take([one("erp", "1", tax_id="T"), one("erp", "2", tax_id="T")])
    by_rule = hub.parts()

    hub.decide("same", ("erp", "1"), ("erp", "2"))

    assert by_rule == {frozenset({("erp", "1")}), frozenset({("erp", "2")})}
    assert hub.parts() == {frozenset({("erp", "1"), ("erp", "2")})}


def test_the_newest_decision_about_a_pair_counts_and_the_one_before_stands_again_when_it_goes(store: Store) -> None:
    hub = crowd(store, customers())
    hub.take([one(*ERP)])
    hub.take([one(*CRM)])

    hub.decide("same", ERP, CRM)
    apart = hub.decide("apart", CRM, ERP)
    separated = hub.parts()
    hub.undo(apart)

    assert separated == {frozenset({ERP}), frozenset({CRM})}
    assert hub.parts() == {frozenset({ERP, CRM})}
    assert [found.verdict for found in standing(hub, ERP, CRM)] == ["same"]


def test_where_decisions_contradict_each_other_in_a_chain_nobody_is_with_whom_they_are_kept_from(store: Store) -> None:
    hub = crowd(store, customers())
    three(hub)

    older = hub.decide("same", ERP, CRM)
    hub.decide("same", CRM, NC)
    hub.decide("apart", ERP, NC)

    assert hub.parts() == {frozenset({CRM, NC}), frozenset({ERP})}
    with store.read() as tx:
        assert [found.id for found in unmet(tx, "customer")] == [older]


def test_a_decision_about_a_record_that_is_not_there_yet_waits_for_it(store: Store) -> None:
    hub = crowd(store, customers())
    hub.take([one(*ERP)])

    hub.decide("same", ERP, NC)
    hub.take([one(*NC)])

    assert hub.parts() == {frozenset({ERP, NC})}
    assert hub.home(NC) == min(states(hub))


def test_a_decision_is_taken_back_once_and_names_its_two_records(store: Store) -> None:
    hub = crowd(store, customers())
    number = hub.decide("same", NC, CRM)

    with store.write() as tx:
        first = decisions.undo(tx, number, actor="li", now=1.0)
        again = decisions.undo(tx, number, actor="li", now=1.0)

    assert (first, again) == (("customer", CRM, NC), None)
    with pytest.raises(ValueError, match="two records"):
        hub.decide("same", NC, NC)


def test_decisions_are_numbered_in_their_order_whatever_the_clock_says(store: Store) -> None:
    hub = crowd(store, customers())
    first = hub.decide("same", NC, CRM)
    hub.now -= 1000
    hub.ids = type(hub.ids)(lambda: hub.now, seed=2)

    assert hub.decide("apart", NC, CRM) > first


# Guards


def test_an_entity_may_have_several_records_of_one_system_in_one_golden_record_up_to_a_size(store: Store) -> None:
    hub = crowd(store, customers("tax_id", guards=Guards(one_per_system=False, max_size=3)))

    hub.take([one("erp", str(number), tax_id="T") for number in range(5)])

    assert sorted(map(len, hub.parts())) == [1, 1, 3]
    check_sound(hub)


# Scored pairs


def like(system: str, key: str, name: str, version: int = 1, block: str = "x", **values: object) -> Statement:
    return Statement(system, key, version, {"name": name, "remark": block, **values})


def test_records_that_are_alike_enough_are_one_and_others_wait_for_a_person(store: Store) -> None:
    hub = crowd(store, customers(likes=scored(link=0.7, review=0.4)))
    hub.take([like(*ERP, "aaaa")])
    hub.take([like(*CRM, "aaab")])
    hub.take([like(*NC, "abbb"), like("nc", "2", "aaab", block="y")])

    assert hub.parts() == {frozenset({ERP, CRM}), frozenset({NC}), frozenset({("nc", "2")})}
    assert [(found.a, found.b) for found in shown(hub)] == [(CRM, NC)]
    check_sound(hub)


def test_the_best_pair_is_joined_first(store: Store) -> None:
    hub = crowd(store, customers(likes=scored(link=0.5, review=0.4)))

    hub.take([like("erp", "1", "aabb"), like("erp", "2", "aaab")])
    hub.take([like(*CRM, "aaaa")])

    assert frozenset({("erp", "2"), CRM}) in hub.parts()
    check_sound(hub)


def test_a_pair_goes_when_one_of_its_records_says_something_else(store: Store) -> None:
    hub = crowd(store, customers(likes=scored()))
    hub.take([like(*ERP, "aaaa")])
    hub.take([like(*CRM, "aaaa")])
    joined = hub.parts()

    hub.take([like(*CRM, "zzzz", 2)])

    assert joined == {frozenset({ERP, CRM})}
    assert (hub.parts(), hub.pairs()) == ({frozenset({ERP}), frozenset({CRM})}, set())
    check_sound(hub)


def test_a_record_that_says_something_else_is_found_as_it_is_now(store: Store) -> None:
    hub = crowd(store, customers(likes=scored()))
    hub.take([like(*ERP, "zzzz")])

    hub.take([like(*ERP, "aaaa", 2)])
    hub.take([like(*CRM, "aaaa")])

    assert hub.parts() == {frozenset({ERP, CRM})}
    check_sound(hub)


def test_a_record_of_which_the_index_tells_nothing_is_compared_all_the_same(store: Store) -> None:
    hub = crowd(store, customers(likes=scored()))
    hub.take([like(*ERP, "aaaa")])
    with store.write() as tx:
        tx.execute(sa.update(t.identity_key).values(sketch=None))

    hub.take([like(*CRM, "aaaa")])

    assert hub.parts() == {frozenset({ERP, CRM})}


def test_what_the_index_tells_of_a_record_spares_reading_it(store: Store) -> None:
    hub = crowd(store, customers(likes=scored()))
    hub.take([like(*ERP, "zzzz")])
    with store.write() as tx:
        tx.execute(sa.delete(t.match_form))

    hub.take([like(*CRM, "aaaa")])

    assert [(row.system, row.key) for row in hub.rows(sa.select(t.match_form))] == [CRM]


def test_the_list_for_people_tells_why_each_pair_is_not_linked_and_leaves_out_what_is_decided(store: Store) -> None:
    hub = crowd(store, customers(likes=scored(link=0.75, review=0.4), guards=Guards(max_size=2)))
    hub.take([like("crm", "1", "aaaa"), like("crm", "2", "aaaa")])
    hub.take([like("erp", "1", "aaaa")])
    hub.take([like("nc", "1", "aaaa"), like("nc", "2", "aabb")])

    listed = shown(hub)
    hub.decide("apart", ("erp", "1"), ("crm", "2"))
    decided = shown(hub)

    crm, erp, nc = (("crm", "1"), ("crm", "2")), ("erp", "1"), (("nc", "1"), ("nc", "2"))
    assert hub.parts() == {frozenset({crm[0], erp}), frozenset({crm[1], nc[0]}), frozenset({nc[1]})}
    assert {(found.a, found.b): found.why for found in listed} == {
        crm: "system",
        (crm[0], nc[0]): "system",
        (crm[1], erp): "system",
        (erp, nc[0]): "system",
        (crm[0], nc[1]): "score",
        (crm[1], nc[1]): "score",
        (erp, nc[1]): "score",
        nc: "score",
    }
    assert {(found.a, found.b) for found in decided} == {(found.a, found.b) for found in listed} - {(crm[1], erp)}
    assert {found.why for found in decided if found.score == 1.0} == {"apart"}
    assert [found.score for found in decided] == sorted((found.score for found in decided), reverse=True)
    assert [*shown(hub, 3), *shown(hub, 99, after=decided[2].pair)] == decided
    assert all(hub.home(found.a) == found.record_a != found.record_b == hub.home(found.b) for found in decided)


def test_a_pair_that_would_make_a_golden_record_too_large_is_shown_as_that(store: Store) -> None:
    hub = crowd(store, customers(likes=scored(), guards=Guards(max_size=2)))
    hub.take([like(*CRM, "aaaa")])
    hub.take([like(*ERP, "aaaa")])
    hub.take([like(*NC, "aaaa")])

    assert [(found.a, found.b, found.why) for found in shown(hub)] == [(CRM, NC, "size"), (ERP, NC, "size")]


# Crowded values


def test_a_value_that_too_many_share_links_nobody_and_counts_again_when_they_are_fewer(store: Store) -> None:
    hub = crowd(store, customers("phone", crowd=3))
    hub.take([one("erp", "1", phone="P"), one("erp", "2", phone="P")])
    hub.take([one("crm", "1", phone="P")])
    linked = hub.parts()

    hub.take([one("nc", "1", phone="P")])
    crowded = (hub.parts(), hub.crowded())
    hub.drop("nc", "1")

    assert linked == hub.parts() == {frozenset({("erp", "1"), CRM}), frozenset({("erp", "2")})}
    assert crowded == ({frozenset({name}) for name in (("erp", "1"), ("erp", "2"), CRM, NC)}, {("phone", "P")})
    assert hub.crowded() == set()
    check_sound(hub)


def test_a_batch_that_shares_a_crowded_value_asks_for_none_of_those_who_have_it(store: Store) -> None:
    hub = crowd(store, customers("phone", crowd=10))
    hub.take([one("erp", str(number), phone="P") for number in range(500)])
    asked: list[int] = []

    with store.write() as tx:
        run = tx.run

        def counting(query: object, **given: object) -> list[tuple[object, ...]]:
            rows = run(query, **given)  # type: ignore[arg-type]
            asked.append(len(rows))
            return rows

        tx.run = counting  # type: ignore[method-assign, assignment]
        hub.take_in(tx, [one("crm", str(number), phone="P") for number in range(20)])

    assert sum(asked) < 20
    check_sound(hub)


def test_a_key_that_too_many_share_brings_nobody_together_but_other_keys_do(store: Store) -> None:
    hub = crowd(store, customers(likes=scored(), crowd=2))
    hub.take([like(*ERP, "aaaa", city="c"), like("erp", "2", "bbbb", city="d")])
    hub.take([like(*CRM, "aaaa", city="c"), like("crm", "2", "bbbb", city="e")])

    assert hub.crowded() == {("~", "remark:x")}
    assert hub.pairs() == {Pair(1.0, CRM, ERP)}
    check_sound(hub)


def test_a_key_that_is_no_more_shared_by_too_many_brings_all_who_have_it_together(store: Store) -> None:
    hub = crowd(store, customers(likes=scored(), crowd=2))
    hub.take([like(*ERP, "aaaa"), like("erp", "2", "bbbb")])
    hub.take([like(*CRM, "aaaa")])
    crowded = (hub.parts(), hub.pairs())

    hub.take([like("erp", "2", "bbbb", version=2, block="y")])

    assert crowded == ({frozenset({ERP}), frozenset({("erp", "2")}), frozenset({CRM})}, set())
    assert hub.parts() == {frozenset({ERP, CRM}), frozenset({("erp", "2")})}
    check_sound(hub)


# Keys that go


def test_a_system_that_has_a_key_no_more_takes_its_word_back(store: Store) -> None:
    hub = crowd(store, customers("tax_id"))
    hub.take([one(*ERP, tax_id="T", remark="from erp")])
    alone = hub.golden()
    hub.take([one(*CRM, 2, tax_id="T", phone="1")])

    sinks = hub.drop(*CRM)

    assert (hub.golden(), sinks) == (alone, {SINK})
    check_sound(hub)


def test_what_a_record_that_went_had_kept_apart_comes_together(store: Store) -> None:
    hub = crowd(store, customers("tax_id", "phone"))
    hub.take([one("erp", "1", tax_id="T", phone="P"), one("erp", "2", phone="P")])
    hub.take([one(*CRM, tax_id="T")])
    hub.take([one(*NC, phone="P")])
    before = hub.parts()

    hub.drop("erp", "1")

    assert before == {frozenset({("erp", "1"), CRM, NC}), frozenset({("erp", "2")})}
    assert hub.parts() == {frozenset({CRM}), frozenset({("erp", "2"), NC})}
    check_sound(hub)


def test_a_golden_record_without_any_source_is_retired_and_those_who_have_it_are_told(store: Store) -> None:
    hub = crowd(store, customers("tax_id"))
    hub.take([one(*ERP, tax_id="T")])
    number = hub.home(ERP)
    has_it = sa.update(t.delivery).values(state=int(t.Due.DELIVERED), acked_version=1, present=1)
    with store.write() as tx:
        tx.execute(has_it)

    hub.drop(*ERP)

    assert states(hub) == {number: (t.GONE, "gone", 2)}
    [row] = hub.rows(sa.select(t.delivery))
    assert (row.state, row.due_version) == (t.Due.READY, 2)
    assert hub.rows(sa.select(t.identity_key)) == []
    check_sound(hub)


def test_a_key_that_comes_back_finds_its_golden_record_again_as_a_new_version(store: Store) -> None:
    hub = crowd(store, customers("tax_id"))
    hub.take([one(*ERP, tax_id="T")])
    number = hub.home(ERP)
    hub.drop(*ERP)

    hub.take([one(*ERP, tax_id="T")])

    assert states(hub) == {number: (None, "apply", 3)}
    [row] = hub.rows(sa.select(t.delivery))
    assert (row.state, row.due_version) == (t.Due.READY, 3)
    assert hub.rows(sa.select(t.former)) == []
    check_sound(hub)


def test_a_key_that_comes_back_belongs_where_it_belongs_by_now(store: Store) -> None:
    hub = crowd(store, customers("tax_id"))
    hub.take([one(*ERP, tax_id="T")])
    number = hub.home(ERP)
    hub.drop(*ERP)
    hub.take([one(*CRM, tax_id="T")])
    other = hub.home(CRM)

    hub.take([one(*ERP, tax_id="T")])

    assert hub.parts() == {frozenset({ERP, CRM})}
    kept, redirect = sorted((number, other))
    assert {id_: state[0] for id_, state in states(hub).items()} == {kept: None, redirect: kept}
    check_sound(hub)


def test_taking_out_what_is_not_there_changes_nothing(store: Store) -> None:
    hub = crowd(store, customers("tax_id"))
    hub.take([one(*ERP, tax_id="T")])
    before = states(hub)

    sinks = hub.drop("erp", "9", "8")

    assert (states(hub), sinks) == (before, frozenset())


# Golden ids


def test_redirects_always_lead_to_where_the_record_is_now(store: Store) -> None:
    hub = crowd(store, customers())
    three(hub)
    homes = {name: hub.home(name) for name in (ERP, CRM, NC)}
    oldest = min(homes.values())
    youngest, middle, first = sorted(homes, key=lambda name: -homes[name])

    hub.decide("same", youngest, middle)
    hub.decide("same", middle, first)

    assert {state[0] for number, state in states(hub).items() if number != oldest} == {oldest}
    check_sound(hub)


def test_a_part_that_comes_off_gets_a_new_golden_id_that_every_sink_hears_of(store: Store) -> None:
    hub = crowd(store, customers())
    three(hub)
    hub.decide("same", ERP, CRM)
    together = hub.home(ERP)
    known = set(states(hub))

    hub.decide("apart", ERP, CRM)

    new = ({hub.home(ERP), hub.home(CRM)} - {together}).pop()
    assert new not in known
    [row] = hub.rows(sa.select(t.delivery).where(t.delivery.c.record_id == new))
    assert (row.sink, row.state, row.due_version) == (SINK, t.Due.READY, 1)
    assert states(hub)[new][1] == "decision"
    check_sound(hub)


# What it costs


def test_no_statement_reads_more_than_the_records_it_asks_for(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = crowd(store, customers("tax_id", likes=scored()))
    three(hub, tax_id="T")
    hub.decide("same", ERP, ("nc", "9"))
    plans: list[str] = []

    def explained(self: Transaction, query: Query, **given: Any) -> list[tuple[Any, ...]]:
        compiled = query.compiled(self._connection.dialect, self._dialect.named)
        arguments = compiled.arguments(given, self._dialect.packed)
        plans.extend(row[3] for row in self._cursor().execute(f"EXPLAIN QUERY PLAN {compiled.sql}", arguments))
        return run(self, query, **given)

    run = Transaction.run
    monkeypatch.setattr(Transaction, "run", explained)
    hub.take([like("erp", "1", "aaaa", 2, tax_id="T"), like("erp", "2", "aaab")])
    hub.drop(*NC)

    looked = [plan for plan in plans if "source_record" in plan or "match_pair" in plan or "identity_key" in plan]
    assert len(looked) > 10
    assert [plan for plan in looked if plan.startswith("SCAN") or plan.endswith("(entity=?)")] == []
