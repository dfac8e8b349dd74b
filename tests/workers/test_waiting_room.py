"""The waiting room: who waits for what and since when, who goes first, who waits too long, and who waits in a circle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from nave.core import findings, waits
from nave.core.entities import Document
from nave.core.errors import NaveError, WaitingError
from nave.core.protocols import Outbound, Raw, Receipt
from nave.core.store import Store
from nave.core.store.schema import Due
from nave.core.waits import Waiting, circles_among
from nave.workers.sweep import sweep_step, woken_step
from tests.workers.world import SmallOutbound, Target, World, raw, rules, world

WEB = "web.bom"


def bom(key: str, *components: str, version: int = 1) -> Raw:
    lines = [{"component": {"system": "erp", "key": one}, "quantity": {"value": "1", "unit": "PCS"}} for one in components]
    return raw(key, version, {"code": key, "kind": "production", "product": {"system": "erp", "key": "P1"}, "lines": lines})


def product(key: str) -> Raw:
    return raw(key, 1, {"code": f"code {key}", "name": f"product {key}"})


def plant(store: Store, **policy: Any) -> World:
    own = replace(rules("bom", sinks=[WEB]), **policy)
    return world(
        store, [rules("product"), own, rules("order"), rules("customer")], ["erp.product", "erp.bom"], {WEB: Target()}
    )


def sent(hub: World) -> list[tuple[int, list[tuple[str, bool]]]]:
    """(version, (code, placeholder) of each line) of what the target holds."""
    return [
        (one.version, [(line["component"]["code"], line["component"]["placeholder"]) for line in one.values["lines"]])
        for one in hub.targets[WEB].held.values()
    ]


def test_a_bill_waits_whole_until_the_last_of_its_components_is_there(store: Store) -> None:
    hub = plant(store)
    hub.take("erp.product", product("P1"), product("P2"))
    hub.take("erp.bom", bom("B1", "P2", "P3", "P4"))
    hub.deliver_all(WEB)
    hub.take("erp.product", product("P3"))
    hub.deliver_all(WEB)
    assert sent(hub) == []

    hub.take("erp.product", product("P4"))
    hub.deliver_all(WEB)

    assert sent(hub) == [(1, [("code P2", False), ("code P3", False), ("code P4", False)])]


def test_a_bill_goes_with_placeholders_and_again_as_what_they_stand_for_comes(store: Store) -> None:
    hub = plant(store, placeholders=True)
    hub.take("erp.product", product("P1"), product("P2"))
    hub.take("erp.bom", bom("B1", "P2", "P3", "P4"))
    hub.deliver_all(WEB)
    assert sent(hub) == [(1, [("code P2", False), ("P3", True), ("P4", True)])]
    assert hub.books()["erp.bom"].waiting == 0

    hub.take("erp.product", product("P3"))
    hub.deliver_all(WEB)
    assert sent(hub) == [(2, [("code P2", False), ("code P3", False), ("P4", True)])]

    hub.take("erp.product", product("P4"))
    hub.deliver_all(WEB)
    assert sent(hub) == [(3, [("code P2", False), ("code P3", False), ("code P4", False)])]
    assert hub.targets[WEB].effects == [(hub.targets[WEB].effects[0][0], version) for version in (1, 2, 3)]
    assert hub.books()["erp.bom"].balanced
    assert not hub.deliver(WEB)


def test_what_comes_while_the_placeholder_is_on_its_way_is_told_after_it(store: Store) -> None:
    hub = plant(store, placeholders=True)
    hub.take("erp.product", product("P1"))
    hub.take("erp.bom", bom("B1", "P2"))

    def late(_record: Outbound) -> None:
        if not hub.targets[WEB].tried[1:]:
            hub.take("erp.product", product("P2"))

    hub.targets[WEB].answer = late
    hub.deliver_all(WEB)

    assert sent(hub) == [(2, [("code P2", False)])]


def test_a_bill_with_a_placeholder_can_change_before_what_it_stands_for_comes(store: Store) -> None:
    hub = plant(store, placeholders=True)
    hub.take("erp.product", product("P1"))
    hub.take("erp.bom", bom("B1", "P2"))
    hub.take("erp.bom", bom("B1", "P3", version=2))
    hub.deliver_all(WEB)
    hub.take("erp.product", product("P2"))
    hub.deliver_all(WEB)
    assert sent(hub) == [(2, [("P3", True)])]

    hub.take("erp.product", product("P3"))
    hub.take("erp.bom", bom("B1", "P3", "P2", version=3))
    hub.deliver_all(WEB)

    assert sent(hub) == [(4, [("code P3", False), ("code P2", False)])]


@pytest.mark.parametrize("step", [sweep_step, woken_step])
def test_those_that_wait_go_when_the_policy_comes_to_be_placeholders(store: Store, step: Any) -> None:
    hub = plant(store)
    hub.take("erp.product", product("P1"))
    hub.take("erp.bom", bom("B1", "P2"))
    hub.deliver_all(WEB)
    own = replace(rules("bom", sinks=[WEB]), placeholders=True)
    flow = replace(hub.hub.sinks[WEB], rules=own)
    changed = hub.rebuilt(entities={**hub.hub.entities, "bom": own}, sinks={WEB: flow})

    step(changed.hub)
    changed.deliver_all(WEB)

    assert sent(changed) == [(1, [("P2", True)])]


# --- who waits, and since when -----------------------------------------------------------------------------------


def test_the_room_names_what_is_missing_who_waits_and_since_when(store: Store) -> None:
    hub = plant(store)
    hub.take("erp.product", product("P1"))
    began = hub.clock.now
    hub.take("erp.bom", *(bom(f"B{n}", "P9") for n in range(7)))
    hub.clock.pass_by(3600)
    hub.take("erp.bom", bom("B0", "P9", "P8", version=2))

    with store.read() as tx:
        first, second = waits.missing(tx)

    assert (first.entity, first.system, first.key, first.records, first.held) == ("product", "erp", "P9", 7, 7)
    assert began <= first.since < began + 60
    assert first.who == tuple(sorted(hub.record_of("bom", "erp", f"B{n}") for n in range(7)))[:5]
    assert (second.key, second.records) == ("P8", 1)
    assert second.since >= began + 3600


def test_telling_a_record_again_does_not_begin_its_wait_anew(store: Store) -> None:
    hub = plant(store)
    hub.take("erp.bom", bom("B1", "P9"))
    with store.read() as tx:
        before = {one.key: one.since for one in waits.missing(tx)}
    hub.clock.pass_by(86_400)
    hub.take("erp.bom", bom("B1", "P8", "P9", version=2))

    with store.read() as tx:
        after = {one.key: one.since for one in waits.missing(tx)}

    assert after["P9"] == before["P9"]
    assert after["P8"] > before["P9"] + 86_000


def late(store: Store) -> list[str]:
    with store.read() as tx:
        return [row.field for row in findings.open_findings(tx, code="NAVE-E125")]


def test_a_wait_that_lasts_too_long_is_a_finding_until_it_is_over_and_the_record_stays(store: Store) -> None:
    hub = plant(store, escalate=2 * 86_400.0)
    hub.take("erp.product", product("P1"))
    hub.take("erp.bom", bom("B1", "P9"), bom("B2", "P9"))
    sweep_step(hub.hub)
    assert late(store) == []

    hub.clock.pass_by(2 * 86_400)
    sweep_step(hub.hub)
    sweep_step(hub.hub)
    assert late(store) == ["product/P9 (erp)"]
    assert hub.states(WEB) == [Due.WAITING, Due.WAITING]
    with store.read() as tx:
        [row] = findings.open_findings(tx)
    assert row.times == 1

    hub.take("erp.product", product("P9"))
    sweep_step(hub.hub)
    hub.deliver_all(WEB)
    assert late(store) == []
    assert hub.states(WEB) == [Due.DELIVERED, Due.DELIVERED]


def test_without_a_limit_nothing_is_ever_too_late(store: Store) -> None:
    hub = plant(store)
    hub.take("erp.bom", bom("B1", "P9"))
    hub.clock.pass_by(365 * 86_400)
    sweep_step(hub.hub)

    assert late(store) == []


# --- who goes first ----------------------------------------------------------------------------------------------


def region(key: str, parent: str | None = None) -> Raw:
    above = {"parent": {"system": "erp", "key": parent}} if parent else {}
    return raw(key, 1, {"code": key, "name": key, **above})


def needing_its_parents_key(document: Document) -> Document | NaveError:
    """As a target does that keeps its own keys: a child can only be written once its parent has one."""
    parent = document.get("parent")
    if parent is not None and "web" not in parent["keys"]:
        return WaitingError(
            "NAVE-M110", on=parent["record"], seen=parent["version"], key=parent["key"], system="web", known_by="erp"
        )
    return document


def tree(store: Store) -> World:
    """A target that tells its key of each record back by a source of its own."""
    return world(
        store,
        [rules("region", exact=[("code",)], sinks=["web.region"])],
        ["erp.region", "web.region"],
        {"web.region": Target()},
        mapping=SmallOutbound(needing_its_parents_key),
    )


def settled(hub: World) -> list[str]:
    """Deliver, and let the target tell its keys back, until nothing moves; the order in which records went out."""
    order: list[str] = []

    def noted(record: Outbound) -> Receipt:
        order.append(record.values["code"])
        return hub.targets["web.region"].put(record)

    hub.targets["web.region"].answer = noted
    told = 0
    for _ in range(20):
        hub.deliver_all("web.region")
        if told == len(order):
            break
        for code in order[told:]:
            hub.take("web.region", raw(f"W-{code}", 1, {"code": code, "name": code}))
        told = max(told, len(order))
    return list(dict.fromkeys(order))


@pytest.mark.parametrize("turn", [("C", "B", "A"), ("B", "C", "A"), ("A", "C", "B")], ids="-".join)
def test_a_chain_of_three_goes_out_from_its_root_in_whatever_order_it_came(store: Store, turn: tuple[str, ...]) -> None:
    hub = tree(store)
    parents: Mapping[str, str | None] = {"A": None, "B": "A", "C": "B"}
    for code in turn:
        hub.take("erp.region", region(code, parents[code]))

    assert settled(hub) == ["A", "B", "C"]


def test_what_two_wait_for_goes_before_both_and_what_waits_for_one_of_them_after(store: Store) -> None:
    hub = tree(store)
    for code, parent in (("D", "B"), ("E", "C"), ("B", "A"), ("C", "A"), ("A", None)):
        hub.take("erp.region", region(code, parent))

    order = settled(hub)

    assert order[0] == "A"
    assert set(order) == set("ABCDE")
    assert order.index("B") < order.index("D")
    assert order.index("C") < order.index("E")


# --- who waits in a circle ---------------------------------------------------------------------------------------


def test_two_records_that_wait_for_each_other_are_reported_until_one_can_go(store: Store) -> None:
    hub = tree(store)
    hub.take("erp.region", region("A", "B"), region("B", "A"), region("C", "B"))
    hub.clock.pass_by(120)  # until then the sweep wakes them, lest something came unseen
    hub.deliver_all("web.region")
    sweep_step(hub.hub)

    with store.read() as tx:
        [circle] = waits.circles(tx)
        [row] = findings.open_findings(tx, code="NAVE-E124")
    numbers = [hub.record_of("region", "erp", code) for code in "AB"]
    assert sorted(one.record_id for one in circle) == sorted(numbers)
    assert row.params in ('{"path":"region/A > region/B > region/A"}', '{"path":"region/B > region/A > region/B"}')
    assert hub.states("web.region") == [Due.WAITING] * 3

    hub.take("web.region", raw("W-A", 1, {"code": "A", "name": "A"}))
    hub.deliver_all("web.region")
    sweep_step(hub.hub)
    with store.read() as tx:
        assert waits.circles(tx) == []
        assert findings.open_findings(tx, code="NAVE-E124") == []


def test_circles_are_found_among_many_that_only_wait() -> None:
    chain = [Waiting("s", number, number + 1) for number in range(1000)]
    ring = [Waiting("s", 2000 + number, 2000 + (number + 1) % 50) for number in range(50)]
    tail = [Waiting("s", 3000 + number, 2000) for number in range(500)]
    alone = [Waiting("s", 4000, 4000)]

    found = circles_among([*chain, *ring, *tail, *alone])

    assert [[one.record_id for one in circle] for circle in found] == [list(range(2000, 2050)), [4000]]
    assert circles_among(chain) == []


def test_a_record_that_waits_twice_is_in_a_circle_if_one_of_both_leads_round() -> None:
    free = [Waiting("a", 1, 9), Waiting("b", 1, 2), Waiting("a", 2, 1)]

    assert [[one.record_id for one in circle] for circle in circles_among(free)] == [[1, 2]]
