"""A hub with one system of each kind: files, a database, and events, all about the same few customers."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from textwrap import dedent

FILES = {
    "hub.yaml": """
        hub: tiny
        http: {listen: "${env:NAVE_LISTEN:-127.0.0.1:18999}"}
    """,
    "systems/shop.yaml": """
        system: shop
        connections:
          drop: {type: files, url: ./drop}
        sources:
          customers:
            entity: customer
            from: drop
            pattern: "customers*.csv"
            format: {type: csv}
            ready: {quiet: 1ms}
            mapping: shop/customer
          orders:
            entity: order
            from: drop
            pattern: "orders*.csv"
            format: {type: csv}
            ready: {quiet: 1ms}
            mapping: shop/order
    """,
    "systems/erp.yaml": """
        system: erp
        connections:
          db: {type: sql, url: "sqlite:///erp.db"}
        sources:
          customers: {entity: customer, from: db, table: CUSTOMER, every: 1h, mapping: erp/customer}
        sinks:
          customers_out:
            entity: customer
            to: db
            table: IF_CUSTOMER
            key: ID
            version: VERSION
            create: true
            mapping: erp/customer-out
            when: status == "active"
    """,
    "systems/crm.yaml": """
        system: crm
        connections:
          api: {type: http, url: "http://127.0.0.1:18998"}
        sources:
          customers: {entity: customer, from: api, mapping: crm/customer}
    """,
    "entities/customer.yaml": """
        entity: customer
        extend: {fields: {secret_grade: {type: text, sensitive: true}}}
        identity: {exact: [tax_id]}
        survivorship: {name: [erp, shop]}
    """,
    "tables/status.csv": "from,to\nA,active\nX,blocked\n",
    "mappings/shop/customer.yaml": """
        mapping: shop/customer
        from: shop.customers
        to: customer
        key: CODE
        version: CHANGED | datetime
        fields:
          code: CODE
          name: NAME | squeeze
          tax_id: TAX | none_if("")
          status: {from: STATUS, table: status}
          secret_grade: {const: gold}
    """,
    "mappings/shop/customer.test.yaml": """
        cases:
          - name: blanks around a name are gone
            given: {CODE: S1, NAME: " A ", STATUS: A, CHANGED: 2026-11-01 10:00:00}
            expect: {name: A, status: active}
    """,
    "mappings/shop/order.yaml": """
        mapping: shop/order
        from: shop.orders
        to: order
        key: NO
        fields:
          number: NO
          customer: CUSTOMER
          date: DAY | date
          lines: {const: []}
    """,
    "mappings/erp/customer.yaml": """
        mapping: erp/customer
        from: erp.customers
        to: customer
        key: CODE
        version: CHANGED | datetime
        fields: {code: CODE, name: NAME, tax_id: TAX | optional, phone: PHONE | optional}
    """,
    "mappings/erp/customer-out.yaml": """
        mapping: erp/customer-out
        from: customer
        to: erp.customers_out
        fields: {ID: id, VERSION: version, NAME: name}
    """,
    "mappings/crm/customer.yaml": """
        mapping: crm/customer
        from: crm.customers
        to: customer
        key: id
        fields: {code: id, name: name, status: {const: active}}
    """,
}
_CUSTOMERS = """\
CODE,NAME,TAX,STATUS,CHANGED
S1, Alpha ,T-1,A,2026-11-01 10:00:00
S2,Beta,,X,2026-11-01 10:00:00
S3,Gamma,,Q,2026-11-01 10:00:00
a/b.c,Delta,,A,2026-11-01 10:00:00
"""
_ORDERS = "NO,CUSTOMER,DAY\nO1,S1,2026-11-02\nO2,S9,2026-11-02\n"


def write_hub(folder: Path) -> Path:
    """The hub's files, and a database with two customers, one of them also the shop's."""
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text).lstrip("\n"), encoding="utf-8")
    with closing(sqlite3.connect(folder / "erp.db")) as database, database:
        database.execute("CREATE TABLE CUSTOMER (CODE TEXT, NAME TEXT, TAX TEXT, PHONE TEXT, CHANGED TEXT)")
        rows = [
            ("E1", "Alpha Works", "T-1", "021-1", "2026-11-03 10:00:00"),
            ("E2", "Epsilon", None, None, "2026-11-03 10:00:00"),
        ]
        database.executemany("INSERT INTO CUSTOMER VALUES (?, ?, ?, ?, ?)", rows)
    return folder


def drop_files(folder: Path) -> None:
    """Customers, one of them with a status that is in no table, and orders, one of a customer that never comes."""
    (folder / "drop").mkdir(exist_ok=True)
    (folder / "drop" / "customers_1.csv").write_text(_CUSTOMERS, encoding="utf-8")
    (folder / "drop" / "orders_1.csv").write_text(_ORDERS, encoding="utf-8")


def rows_of(folder: Path, table: str) -> list[tuple[object, ...]]:
    """What a table of the hub's database target holds."""
    with closing(sqlite3.connect(folder / "erp.db")) as database:
        return database.execute(f"SELECT * FROM {table}").fetchall()


def teach_status(folder: Path, code: str) -> None:
    """Add a code to the value table of the shop's states."""
    with (folder / "tables/status.csv").open("a", encoding="utf-8") as table:
        table.write(f"{code},active\n")
