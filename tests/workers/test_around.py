"""All around a customer or a product: in one statement, along indexes, with what is open to the cent."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from nave.core import around as looking
from nave.core.around import Around, Balance, around, balance
from nave.core.protocols import Raw
from nave.core.store import Query, Store, open_store
from nave.core.structure import _LEVEL
from nave.core.uses import _USES
from tests.workers.test_bills import counting
from tests.workers.world import World, customer, raw, rules, shown, world

SYSTEMS = ["erp", "nc", "crm", "hr"]
ENTITIES = ["product", "order", "progress", "shipment", "invoice", "payment", "contact", "employee", "attendance"]
ENTITIES += ["sold_product", "opportunity", "stock_movement", "bom", "activity"]


def company(store: Store) -> World:
    names = ["erp.customer", "nc.customer", *(f"erp.{name}" for name in ENTITIES)]
    return world(store, [rules("customer", exact=[("tax_id",)]), *(rules(name) for name in ENTITIES)], names)


def ref(key: str, system: str = "erp") -> dict[str, str]:
    return {"system": system, "key": key}


def money(amount: str, currency: str = "CNY") -> dict[str, str]:
    return {"amount": amount, "currency": currency}


def order(key: str, buyer: str, day: str, *products: str) -> Raw:
    goods = [
        {"line": str(n), "product": ref(one), "quantity": {"value": "1", "unit": "台"}} for n, one in enumerate(products, 1)
    ]
    return raw(key, 1, {"number": key, "customer": ref(buyer), "date": day, "total": money("1.00"), "lines": goods})


def invoice(key: str, buyer: dict[str, str], amount: str, currency: str = "CNY", **values: Any) -> Raw:
    return raw(key, 1, {"number": key, "customer": buyer, "date": "2026-11-01", "total": money(amount, currency), **values})


def payment(key: str, buyer: dict[str, str], amount: str, currency: str = "CNY", **values: Any) -> Raw:
    return raw(key, 1, {"number": key, "customer": buyer, "date": "2026-11-02", "amount": money(amount, currency), **values})


def activity(key: str, day: str, status: str, **names: dict[str, str]) -> Raw:
    return raw(key, 1, {"number": key, "subject": "visit", "at": f"{day}T01:00:00Z", "status": status, **names})


def filled(store: Store) -> World:
    """Customer C1 of the ERP is N1 of finance; C2 is somebody else."""
    hub = company(store)
    hub.take("erp.employee", raw("E1", 1, {"code": "E1", "name": "胡军"}))
    hub.take("erp.customer", customer("C1", 1, tax_id="T1", salesperson=ref("E1")), customer("C2", 1, tax_id="T2"))
    hub.take("nc.customer", customer("N1", 1, tax_id="T1"))
    hub.take("erp.product", *(raw(key, 1, {"code": key, "name": f"机床 {key}"}) for key in ("P1", "P2")))
    hub.take(
        "erp.order",
        *(order(f"O{n}", "C1", f"2026-10-{n:02d}", "P1") for n in range(1, 8)),
        order("X1", "C2", "2026-10-01", "P2"),
    )
    quantity = {"value": "1", "unit": "台"}
    hub.take(
        "erp.progress",
        raw("O1/10", 1, {"order": ref("O1"), "operation": "10", "done": quantity, "at": "2026-11-01T08:00:00Z"}),
    )
    lines = [
        {"product": ref("P1"), "quantity": quantity, "serials": ["SN-1", "SN-2"]},
        {"product": ref("P2"), "quantity": quantity, "serials": ["SN-9"]},
    ]
    hub.take("erp.shipment", raw("S1", 1, {"number": "S1", "order": ref("O1"), "date": "2026-11-03", "lines": lines}))
    kept = {
        "serial": "SN-1",
        "product": ref("P1"),
        "customer": ref("C1"),
        "sold": "2026-11-03",
        "warranty_until": "2027-11-03",
    }
    hub.take("erp.sold_product", raw("SN-1", 1, kept))
    hub.take(
        "erp.invoice",
        invoice("F1", ref("N1", "nc"), "100.10"),
        invoice("F2", ref("C1"), "-0.10"),
        invoice("F3", ref("C1"), "7", "USD"),
    )
    hub.take("erp.invoice", invoice("F4", ref("C1"), "5000", status="void"), invoice("F9", ref("C2"), "999"))
    hub.take("erp.payment", payment("Z1", ref("C1"), "60"), payment("Z2", ref("N1", "nc"), "0.01", kind="write_off"))
    hub.take("erp.contact", raw("K1", 1, {"name": "陈伟", "customer": ref("C1")}))
    hub.take("erp.opportunity", raw("M1", 1, {"number": "M1", "title": "新线", "customer": ref("C1")}))
    hub.take(
        "erp.activity",
        activity("V1", "2026-11-05", "held", customer=ref("C1")),
        activity("V2", "2026-11-07", "held", contact=ref("K1")),
        activity("V3", "2026-11-06", "planned", opportunity=ref("M1"), customer=ref("C1")),
        activity("V9", "2026-11-09", "held", customer=ref("C2")),
    )
    hub.take(
        "erp.attendance",
        *(raw(f"A{n}", 1, {"employee": ref("E1"), "at": f"2026-11-{n:02d}T00:00:00Z"}) for n in range(1, 4)),
    )
    return hub


def seen(store: Store, entity: str, key: str, limit: int = 20) -> list[Around]:
    with store.read() as tx:
        return around(tx, entity, key, SYSTEMS, limit)


def test_a_customer_with_all_that_belongs_to_it_whatever_system_calls_it_what(store: Store) -> None:
    filled(store)

    [one] = seen(store, "customer", "N1", limit=3)

    assert one.keys == [("erp", "C1"), ("nc", "N1")]
    counts = {entity: papers.count for entity, papers in one.papers.items()}
    expected = {"order": 7, "progress": 1, "shipment": 1, "invoice": 4, "payment": 2, "contact": 1}
    assert counts == {**expected, "opportunity": 1, "attendance": 3, "sold_product": 1, "activity": 3}
    assert [document["number"] for document in one.papers["order"].documents] == ["O7", "O6", "O5"]
    assert one.staff is not None
    assert one.staff["name"] == "胡军"
    assert [(sold.serial, sold.paper, sold.warranty_until) for sold in one.sold] == [
        ("SN-1", "sold_product/SN-1", "2027-11-03"),
        ("SN-2", "shipment/S1", None),
        ("SN-9", "shipment/S1", None),
    ]


def test_activities_are_found_also_by_contact_and_opportunity_those_to_come_before_the_latest(store: Store) -> None:
    filled(store)

    [one] = seen(store, "customer", "C1", limit=2)

    activities = one.papers["activity"]
    assert activities.count == 3
    assert [document["number"] for document in activities.documents] == ["V3", "V2"]


def test_a_thing_that_was_sold_leads_to_what_it_is_and_who_has_it(store: Store) -> None:
    filled(store)

    [one] = seen(store, "sold_product", "SN-1")

    assert one.document["serial"] == "SN-1"
    named = {entity: [document["name"] for document in papers.documents] for entity, papers in one.papers.items()}
    assert named == {"customer": ["customer C1"], "product": ["机床 P1"]}
    assert (one.balances, one.sold, one.staff) == ([], [], None)


def test_what_is_open_is_exact_and_apart_by_currency(store: Store) -> None:
    filled(store)

    [one] = seen(store, "customer", "C1", limit=1)

    assert [(each.currency, each.open) for each in one.balances] == [("CNY", Decimal("39.99")), ("USD", Decimal(7))]
    assert one.balances[0] == Balance("CNY", Decimal("100.00"), Decimal(60), Decimal("0.01"))


def test_a_product_with_the_documents_that_name_it_and_its_own_serial_numbers_only(store: Store) -> None:
    filled(store)

    [one] = seen(store, "product", "P1")

    assert {entity: papers.count for entity, papers in one.papers.items()} == {"order": 7, "shipment": 1, "sold_product": 1}
    assert [sold.serial for sold in one.sold] == ["SN-1", "SN-2"]
    assert one.balances == []


def test_both_keys_the_id_and_the_id_from_before_a_merge_lead_to_the_same_page(store: Store) -> None:
    hub = filled(store)
    hub.take("nc.customer", customer("N2", 1, tax_id="T7"))
    gone = hub.record_of("customer", "nc", "N2")
    hub.take("erp.invoice", invoice("F7", ref("N2", "nc"), "1"))
    hub.take("erp.customer", customer("C7", 1))
    hub.take("erp.customer", customer("C7", 2, tax_id="T7"))
    kept = hub.record_of("customer", "erp", "C7")
    dead = {hub.record_of("customer", "nc", "N2"), gone, kept}

    pages = [seen(store, "customer", key) for key in ("N2", "C7", *(shown(number) for number in dead))]

    assert len({page[0].id for page in pages}) == 1
    assert all(page[0].papers["invoice"].count == 1 for page in pages)
    assert seen(store, "customer", "nobody") == []


def test_a_document_that_became_part_of_another_is_counted_once(store: Store) -> None:
    hub = world(
        store,
        [rules("customer"), rules("contact", exact=[("code",)])],
        ["erp.customer", "erp.contact", "crm.contact"],
    )
    hub.take("erp.customer", customer("C1", 1))
    hub.take("erp.contact", raw("K1", 1, {"name": "陈伟", "code": "7", "customer": ref("C1")}))
    hub.take("crm.contact", raw("K2", 1, {"name": "陈伟", "customer": ref("C1")}))
    assert seen(store, "customer", "C1")[0].papers["contact"].count == 2

    hub.take("crm.contact", raw("K2", 2, {"name": "陈伟", "code": "7", "customer": ref("C1")}))

    assert seen(store, "customer", "C1")[0].papers["contact"].count == 1


def test_a_page_is_one_statement(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(store)

    for entity, key in (("customer", "C1"), ("product", "P1"), ("sold_product", "SN-1")):
        with store.read() as tx, counting(monkeypatch) as said:
            around(tx, entity, key, SYSTEMS)
        assert len(said) == 1


def test_all_invoices_count_for_the_balance_though_few_are_shown(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = company(store)
    hub.take("erp.customer", customer("C1", 1))
    hub.take("erp.invoice", *(invoice(f"F{n}", ref("C1"), "0.01") for n in range(looking.REACH + 50)))

    [one] = seen(store, "customer", "C1", limit=5)

    assert one.papers["invoice"].count == looking.REACH + 50
    assert len(one.papers["invoice"].documents) == 5
    assert one.balances[0].open == Decimal("2.50")


def test_nothing_is_open_where_nothing_is_invoiced() -> None:
    assert balance([], []) == []


QUERIES = [
    pytest.param(looking._query("customer"), id="customer"),
    pytest.param(looking._query("product"), id="product"),
    pytest.param(looking._query("sold_product"), id="sold product"),
    pytest.param(_LEVEL, id="level of a structure"),
    pytest.param(_USES, id="uses"),
]


@pytest.fixture
def new_store(store_url: str) -> Iterator[Store]:
    """One whose planner has not been told by earlier tests how few rows there are: it may well read few rows all."""
    opened = open_store(store_url)
    yield opened
    opened.close()


@pytest.mark.parametrize("query", QUERIES)
def test_no_table_is_read_from_end_to_end(new_store: Store, query: Query) -> None:
    store = new_store
    filled(store)

    with store.read() as tx:
        compiled = query.compiled(tx._connection.dialect, tx._dialect.named)
        given: dict[str, Any] = {"key": "C1", "number": 1, "systems": SYSTEMS, "keys": ["C1"], "ids": [1]}
        names = set(compiled.order or re.findall(r"%\((\w+)\)s", compiled.sql))
        values = compiled.arguments({name: value for name, value in given.items() if name in names}, tx._dialect.packed)
        cursor = tx._connection.connection.cursor()
        bad = (
            _sqlite_scans(cursor, compiled.sql, values) if store.embedded else _postgres_scans(cursor, compiled.sql, values)
        )

    assert bad == []


def _sqlite_scans(cursor: Any, sql: str, values: Any) -> list[str]:
    """Steps that go through a table, or through all of one entity in an index."""
    steps = [row[3] for row in cursor.execute(f"EXPLAIN QUERY PLAN {sql}", values).fetchall()]
    assert steps
    names = "|".join(
        sorted(
            set(re.findall(r"(?:source_record|reference|record) (?:AS )?(\w+)", sql))
            | {"source_record", "reference", "record"}
        )
    )
    return [step for step in steps if re.match(rf"SCAN ({names})\b(?! VIRTUAL)", step) or step.endswith("(entity=?)")]


def _postgres_scans(cursor: Any, sql: str, values: Any) -> list[str]:
    """Tables that are read without a condition on an index, where the planner may choose."""
    cursor.execute("SET LOCAL enable_seqscan = off")
    plan = cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}", values).fetchone()[0]
    plan = json.loads(plan) if isinstance(plan, str) else plan
    nodes = list(_nodes(plan[0]["Plan"]))
    assert nodes
    return [f"{node['Node Type']} {node.get('Relation Name')}" for node in nodes if _reads_all(node)]


def _reads_all(node: dict[str, Any]) -> bool:
    kind = node["Node Type"]
    return kind == "Seq Scan" or (
        kind in ("Index Scan", "Index Only Scan", "Bitmap Index Scan") and "Index Cond" not in node
    )


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for inner in node.get("Plans", ()):
        yield from _nodes(inner)
