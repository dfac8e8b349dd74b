"""A replay keeps its place in time: it mends what was broken, and never overwrites what is newer."""

from __future__ import annotations

import sqlalchemy as sa

from nave.core import repair
from nave.core.merge import Survivorship
from nave.core.protocols import Raw
from nave.core.store import Store
from nave.core.store import schema as t
from nave.workers.flows import SourceFlow
from nave.workers.sweep import trim_step
from tests.workers.world import Said, SmallInbound, World, customer, rules, world


class Mended(SmallInbound):
    """The mapping after somebody corrected it."""

    def _one(self, record: Raw) -> Said:
        said = super()._one({**record, "broken": None})
        assert isinstance(said, Said)
        return said


def broken(key: str, version: int | None = None, **values: object) -> Raw:
    return {**customer(key, version, **values), "broken": "mapping"}


def erp_and_crm(store: Store) -> World:
    return world(store, [rules("customer", exact=[("tax_id",)])], ["erp.customer", "crm.customer"])


def mended(hub: World) -> World:
    sources = {name: SourceFlow(name, one.system, one.rules, Mended()) for name, one in hub.hub.sources.items()}
    return hub.rebuilt(sources=sources)


def replay(hub: World, *letters: object) -> None:
    with hub.hub.store.write() as tx:
        for letter in letters or hub.letters():
            assert repair.replay(tx, letter, hub.actor())


def test_a_replay_after_the_fix_brings_the_record_in(store: Store) -> None:
    hub = erp_and_crm(store)
    hub.take("erp.customer", customer("A", 1), broken("B", 1))

    again = mended(hub)
    replay(again)
    again.apply()

    assert again.golden("customer", "erp", "B")["name"] == "customer B"
    books = again.books()["erp.customer"]
    assert (books.received, books.applied, books.dead) == (2, 2, 0)
    [letter] = again.letters(t.Letter.REPLAYED)
    assert letter.settled_by == "li.wei"
    assert [row.action for row in again.rows(sa.select(t.audit))] == ["dead.replayed"]


def test_an_old_replay_never_overwrites_what_came_later(store: Store) -> None:
    hub = erp_and_crm(store)
    hub.take("erp.customer", broken("A", remark="old"))
    hub.take("erp.customer", customer("A", remark="new"))

    again = mended(hub)
    replay(again)
    again.apply()

    assert again.golden("customer", "erp", "A")["remark"] == "new"
    assert again.books()["erp.customer"].superseded == 1


def test_an_old_replay_never_overwrites_what_was_only_said_again_later(store: Store) -> None:
    hub = erp_and_crm(store)
    hub.take("erp.customer", customer("A", remark="now and before"))
    hub.take("erp.customer", broken("A", remark="in between"))
    hub.take("erp.customer", customer("A", remark="now and before"))

    again = mended(hub)
    replay(again)
    again.apply()

    assert again.golden("customer", "erp", "A")["remark"] == "now and before"


def test_of_two_records_of_one_batch_the_later_one_wins_whichever_is_replayed_last(store: Store) -> None:
    hub = erp_and_crm(store)
    hub.take("erp.customer", broken("A", remark="first"), customer("A", remark="second"))
    hub.take("erp.customer", broken("B", remark="first"), broken("B", remark="second"))

    again = mended(hub)
    for letter in reversed(again.letters()):
        replay(again, letter)
        again.apply()

    assert again.golden("customer", "erp", "A")["remark"] == "second"
    assert again.golden("customer", "erp", "B")["remark"] == "second"


def test_a_replay_counts_as_old_as_it_is_where_the_most_recent_system_wins(store: Store) -> None:
    hub = world(
        store,
        [rules("customer", exact=[("tax_id",)], survivorship=Survivorship("most_recent"))],
        ["erp.customer", "crm.customer"],
    )
    hub.take("erp.customer", broken("A", tax_id="T", remark="erp said it first"))
    hub.take("crm.customer", customer("A", tax_id="T", remark="crm said it last"))

    again = mended(hub)
    again.clock.pass_by(3600)
    replay(again)
    again.apply()

    assert again.golden("customer", "erp", "A")["remark"] == "crm said it last"


def test_what_fails_again_is_a_letter_again(store: Store) -> None:
    hub = erp_and_crm(store)
    hub.take("erp.customer", broken("A"))

    replay(hub)
    hub.apply()

    assert [row.key for row in hub.letters()] == ["A"]
    assert hub.books()["erp.customer"].dead == 1
    assert hub.books()["erp.customer"].balanced


def test_a_letter_of_events_that_landed_together_holds_its_own_origin_only(store: Store) -> None:
    hub = erp_and_crm(store)
    from nave.core.protocols import Batch
    from nave.workers.land import land_batch

    origin = {"unit": "event", "events": [{"id": "1"}, {"id": "2"}, {"id": "3"}]}
    batch = Batch([customer("A"), broken("B"), customer("C")], [(1, None), (2, None), (3, None)], origin)
    land_batch(hub.hub, hub.hub.sources["erp.customer"], batch)
    hub.apply()

    [letter] = hub.letters()
    assert letter.origin == '{"events":[{"id":"2"}],"unit":"event"}'


def test_retention_forgets_what_is_applied_but_nothing_that_a_letter_needs(store: Store) -> None:
    hub = erp_and_crm(store)
    hub.take("erp.customer", customer("A", 1))
    hub.take("erp.customer", broken("B", 1), customer("C", 1))
    hub.clock.pass_by(91 * 86_400)
    hub.land("erp.customer", customer("D", 1))

    trimmed = trim_step(hub.hub)

    assert trimmed == 1
    bodies = [row[0] for row in hub.rows(sa.select(t.journal_body.c.journal_id).order_by(t.journal_body.c.journal_id))]
    assert len(bodies) == 2
    again = mended(hub)
    replay(again)
    again.apply()
    assert again.golden("customer", "erp", "B")["name"] == "customer B"
    assert again.golden("customer", "erp", "D")["name"] == "customer D"
    assert trim_step(again.hub) == 2
