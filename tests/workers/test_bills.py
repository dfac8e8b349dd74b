"""Bills of materials in a store: loaded level by level, across systems and revisions, and watched for those without end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from nave.core import findings, structure
from nave.core.bills import Asked, bill
from nave.core.errors import NaveError
from nave.core.explosion import compare, plain, rows, sums
from nave.core.protocols import Raw
from nave.core.store import Store, Transaction
from nave.core.uses import uses
from nave.workers.notice import notice
from tests.workers.world import World, raw, rules, world

ON = date(2026, 11, 21)
SYSTEMS = ["erp", "pdm"]


def plant(store: Store) -> World:
    return world(
        store,
        [rules("product", exact=[("code",)]), rules("bom"), rules("order"), rules("customer")],
        ["erp.product", "pdm.product", "erp.bom", "pdm.bom"],
    )


def product(key: str, code: str | None = None) -> Raw:
    return raw(key, 1, {"code": code or key, "name": f"名称 {code or key}"})


def made_of(key: str, of: str, *needs: tuple[str, str], system: str = "erp", version: int = 1, **values: Any) -> Raw:
    lines = [
        {
            "line": str(place),
            "component": {"system": system, "key": component.partition("@")[0]},
            **({"revision": component.partition("@")[2]} if "@" in component else {}),
            "quantity": {"value": quantity, "unit": "PCS"},
        }
        for place, (component, quantity) in enumerate(needs, 1)
    ]
    kind = "design" if system == "pdm" else "production"
    head = {"code": key, "kind": kind, "product": {"system": system, "key": of}}
    return raw(key, version, {**head, **values, "lines": lines})


def exploded(store: Store, what: str, levels: int = structure.DEEPEST, **asked: Any) -> list[tuple[int, str, str]]:
    with store.read() as tx:
        root, choice = bill(tx, Asked(what, SYSTEMS, ON, **asked))
        whole = structure.structure(tx, root, choice, levels=levels)
    return [(row.level, row.product.code, plain(row.total)) for row in rows(whole, Decimal(1), levels)]


@contextmanager
def counting(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The statements that go to the store while the block runs."""
    said: list[str] = []

    def counted(original: Callable[..., Any]) -> Callable[..., Any]:
        def run(self: Transaction, statement: Any, *args: Any, **named: Any) -> Any:
            said.append(str(statement))
            return original(self, statement, *args, **named)

        return run

    for name in ("run", "run_many", "rows", "execute"):
        monkeypatch.setattr(Transaction, name, counted(getattr(Transaction, name)))
    yield said
    monkeypatch.undo()


def test_a_product_is_exploded_through_the_bills_of_its_components_in_whatever_order_they_came(store: Store) -> None:
    hub = plant(store)
    hub.take("erp.bom", made_of("B2", "P2", ("P3", "4"), ("P4", "0.5")), made_of("B1", "P1", ("P2", "2"), ("P4", "1")))
    hub.take("erp.product", *(product(f"P{n}") for n in (4, 2, 1, 3)))

    assert exploded(store, "P1") == [(1, "P2", "2"), (2, "P3", "8"), (2, "P4", "1"), (1, "P4", "1")]
    assert exploded(store, "B1", levels=1) == [(1, "P2", "2"), (1, "P4", "1")]


def test_each_level_is_one_statement(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = plant(store)
    hub.take("erp.product", *(product(f"P{n}") for n in range(1, 302)))
    wide = [(f"P{n}", "1") for n in range(3, 301)]
    hub.take("erp.bom", made_of("B1", "P1", ("P2", "1")), made_of("B2", "P2", *wide), made_of("B3", "P300", ("P301", "1")))
    with store.read() as tx:
        root, choice = bill(tx, Asked("B1", SYSTEMS, ON))
        with counting(monkeypatch) as said:
            structure.structure(tx, root, choice)

    assert len(said) == 3


def test_a_product_that_nobody_has_told_stands_there_by_its_key(store: Store) -> None:
    hub = plant(store)
    hub.take("erp.product", product("P1"))
    hub.take("erp.bom", made_of("B1", "P1", ("NOBODY", "2")))

    assert exploded(store, "P1") == [(1, "NOBODY", "2")]


def test_design_and_production_of_one_product_are_compared_though_the_systems_call_things_otherwise(store: Store) -> None:
    hub = plant(store)
    hub.take("erp.product", product("P1"), product("P2"), product("P3"))
    hub.take("pdm.product", product("T1", "P1"), product("T2", "P2"))
    hub.take("erp.bom", made_of("PB1", "P1", ("P2", "2"), ("P3", "1")))
    hub.take("pdm.bom", made_of("T1/A", "T1", ("T2", "1"), system="pdm", revision="A"))

    with store.read() as tx:
        sides = [structure.structure(tx, *bill(tx, Asked(f"P1:{kind}", SYSTEMS, ON))) for kind in ("design", "production")]

    told = [(change.kind, change.product.code, change.before, change.after) for change in compare(*sides)]
    assert told == [("changed", "P2", Decimal(1), Decimal(2)), ("added", "P3", None, Decimal(1))]


def test_a_revision_is_asked_for_and_an_older_one_that_comes_late_does_not_count(store: Store) -> None:
    hub = plant(store)
    hub.take("pdm.product", product("T1"), product("T2"))
    hub.take("pdm.bom", made_of("T1/B", "T1", ("T2", "5"), system="pdm", revision="B"))
    hub.take("pdm.bom", made_of("T1/A", "T1", ("T2", "3"), system="pdm", revision="A"))

    assert exploded(store, "T1") == [(1, "T2", "5")]
    assert exploded(store, "T1@A") == [(1, "T2", "3")]
    assert exploded(store, "T1:design@A") == [(1, "T2", "3")]
    with pytest.raises(NaveError) as refused:
        exploded(store, "T1@C")
    assert (refused.value.code, refused.value.params["known"]) == ("NAVE-E121", "design T1/A@A, design T1/B@B")


def test_an_older_statement_of_one_bill_changes_nothing(store: Store) -> None:
    hub = plant(store)
    hub.take("erp.product", product("P1"), product("P2"))
    hub.take("erp.bom", made_of("B1", "P1", ("P2", "5"), version=2, revision="B"))
    hub.take("erp.bom", made_of("B1", "P1", ("P2", "3"), version=1, revision="A"))

    assert exploded(store, "P1") == [(1, "P2", "5")]


def test_a_line_that_names_a_revision_gets_the_bill_of_that_revision(store: Store) -> None:
    hub = plant(store)
    hub.take("pdm.product", product("T1"), product("T2"), product("T3"))
    hub.take("pdm.bom", made_of("T1/A", "T1", ("T2@A", "1"), system="pdm", revision="A"))
    hub.take("pdm.bom", made_of("T2/A", "T2", ("T3", "7"), system="pdm", revision="A"))
    hub.take("pdm.bom", made_of("T2/B", "T2", ("T3", "9"), system="pdm", revision="B"))

    assert exploded(store, "T1") == [(1, "T2", "1"), (2, "T3", "7")]


def test_codes_are_found_though_somebody_types_them_in_full_width(store: Store) -> None:
    hub = plant(store)
    hub.take("erp.product", product("P1"), product("P2"))
    hub.take("erp.bom", made_of("B1", "P1", ("P2", "1")))

    assert exploded(store, "Ｐ１") == [(1, "P2", "1")]


def test_keys_with_signs_in_them_are_keys_first(store: Store) -> None:
    hub = plant(store)
    hub.take("erp.product", product("P1"), product("P:1@A"), product("P2"))
    hub.take("erp.bom", made_of("B/1:x@y", "P:1@A", ("P2", "3")), made_of("B2", "P1", ("P2", "1")))

    assert exploded(store, "P:1@A") == exploded(store, "B/1:x@y") == exploded(store, "bom/B/1:x@y") == [(1, "P2", "3")]
    with pytest.raises(NaveError) as refused:
        exploded(store, "nobody")
    assert refused.value.code == "NAVE-E204"


def test_where_a_product_is_used_up_to_what_nobody_uses(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = plant(store)
    hub.take("erp.product", *(product(f"P{n}") for n in range(1, 5)))
    hub.take("erp.bom", made_of("B1", "P1", ("P2", "2")), made_of("B2", "P2", ("P4", "3"), ("P4", "1")))
    hub.take("erp.bom", made_of("B3", "P3", ("P4", "5"), valid_to="2026-01-01"))
    number = hub.record_of("product", "erp", "P4")

    with store.read() as tx, counting(monkeypatch) as said:
        found = uses(tx, number, ON)

    told = [(use.level, use.parent.code, plain(use.quantity), use.valid) for use in found]
    assert sorted(told) == [(1, "P2", "1", True), (1, "P2", "3", True), (1, "P3", "5", False), (2, "P1", "2", True)]
    assert len(said) == 3


def test_where_used_ends_in_a_structure_that_contains_itself(store: Store) -> None:
    hub = plant(store)
    hub.take("erp.product", product("P1"), product("P2"))
    hub.take("erp.bom", made_of("B1", "P1", ("P2", "1")), made_of("B2", "P2", ("P1", "1")))

    with store.read() as tx:
        found = uses(tx, hub.record_of("product", "erp", "P1"), ON)

    assert [(use.level, use.parent.code, use.again) for use in found] == [(1, "P2", False), (2, "P1", True)]


def open_loops(store: Store) -> list[str]:
    with store.read() as tx:
        return sorted(row.params for row in findings.open_findings(tx, code="NAVE-E122"))


def test_a_bill_that_contains_itself_is_a_finding_with_its_way_until_it_is_mended(store: Store) -> None:
    hub = plant(store)
    hub.take("erp.product", product("P1"), product("P2"), product("P3"))
    hub.take("erp.bom", made_of("B1", "P1", ("P2", "1")), made_of("B3", "P3", ("P1", "1")))
    notice(hub.hub)
    assert open_loops(store) == []

    hub.take("erp.bom", made_of("B2", "P2", ("P3", "1")))
    notice(hub.hub)
    assert open_loops(store) == ['{"path":"P1 > P2 > P3 > P1"}']
    with pytest.raises(NaveError) as refused:
        exploded(store, "P1")
    assert refused.value.params["path"] == "P1 > P2 > P3 > P1"

    hub.take("erp.bom", made_of("B2", "P2", version=2))
    notice(hub.hub)
    assert open_loops(store) == []
    assert exploded(store, "P3") == [(1, "P1", "1"), (2, "P2", "1")]


def test_a_bill_with_itself_as_its_component_is_one(store: Store) -> None:
    hub = plant(store)
    hub.take("erp.product", product("P1"))
    hub.take("erp.bom", made_of("B1", "P1", ("P1", "1")))
    notice(hub.hub)

    assert open_loops(store) == ['{"path":"P1 > P1"}']


def test_more_bills_than_one_look_takes_are_all_looked_at(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    from nave.workers import notice as noticing

    monkeypatch.setattr(noticing, "_BILLS", 3)
    hub = plant(store)
    hub.take("erp.product", *(product(f"P{n}") for n in range(12)))
    for number in range(11):
        hub.take("erp.bom", made_of(f"B{number}", f"P{number}", (f"P{number}", "1")))
    for _ in range(40):
        hub.clock.pass_by(10)
        notice(hub.hub)

    assert len(open_loops(store)) == 11


def test_sums_of_a_stored_structure_are_exact(store: Store) -> None:
    hub = plant(store)
    hub.take("erp.product", *(product(f"P{n}") for n in range(1, 4)))
    hub.take("erp.bom", made_of("B1", "P1", ("P2", "0.1"), ("P2", "0.2")), made_of("B2", "P2", ("P3", "0.3")))

    with store.read() as tx:
        whole = structure.structure(tx, *bill(tx, Asked("P1", SYSTEMS, ON)))

    assert [(one.product.code, one.total) for one in sums(whole, Decimal(1))] == [
        ("P2", Decimal("0.3")),
        ("P3", Decimal("0.09")),
    ]
