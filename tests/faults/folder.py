"""The hub folder of the fault runs: sales and customers in by HTTP and by files; out to three kinds of targets."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

_CUSTOMER = """
entity: customer
extend:
  fields:
    following: {type: code, description: The next in the ring}
    seq: {type: integer, description: The version that its source told}
    digest: {type: code, description: What its source made of all it says}
"""
_SALE = """
entity: sale
title: {en: Sale, zh: 销售}
fields:
  channel: {type: code, required: true}
  number: {type: code, required: true}
  customer: {type: {ref: customer}}
  amount: {type: money, required: true}
  seq: {type: integer, required: true}
  digest: {type: code, required: true}
"""
_WEB = """
system: web
connections: {events: {type: http}}
sources:
  customers: {entity: customer, from: events, mapping: web/customer}
  sales: {entity: sale, from: events, mapping: web/sale}
"""
_SHOP = """
system: shop
connections: {drop: {type: files, url: ./drop}}
sources:
  sales:
    entity: sale
    from: drop
    pattern: "*.jsonl"
    format: {type: jsonl}
    ready: {quiet: 0s}
    batch: 25
    mapping: shop/sale
"""
_BANK = """
system: bank
connections: {api: {type: http, url: "${env:FAULT_TARGET}", idle: 2s, timeout: 4s}}
sinks:
  sales: {entity: sale, to: api, path: /bank.sales, mapping: bank/sale, limits: {batch: 60}}
  customers: {entity: customer, to: api, path: /bank.customers, mapping: bank/customer, limits: {batch: 60}}
"""
_POST = """
system: post
connections: {api: {type: http, url: "${env:FAULT_TARGET}", idle: 2s, timeout: 4s}}
sinks:
  sales: {entity: sale, to: api, path: /post.sales, idempotent: false, mapping: post/sale, limits: {batch: 30}}
"""
_BOOKS = """
system: books
connections: {db: {type: sql, url: "sqlite:///books.db"}}
sinks:
  sales: {entity: sale, to: db, table: SALES, key: ID, version: VERSION, mapping: books/sale}
"""
_IN_SALE = """
mapping: {system}/sale
from: {system}.sales
to: sale
key: number
version: seq
fields:
  channel: {{const: {system}.sales}}
  number: number
  customer: {{key: customer, system: web}}
  amount: {{amount: amount | decimal(2), currency: currency}}
  seq: seq
  digest: digest
"""
_IN_CUSTOMER = """
mapping: web/customer
from: web.customers
to: customer
key: code
version: seq
fields: {code: code, name: name, following: next, seq: seq, digest: digest}
"""
_OUT_SALE = """
mapping: {system}/sale
from: sale
to: {system}.sales
fields:
  id: id
  version: version
  channel: channel
  number: number
  customer: customer.code
  amount: amount.amount | text
  currency: amount.currency
  seq: seq
  digest: digest
"""
_OUT_BOOKS = """
mapping: books/sale
from: sale
to: books.sales
fields:
  ID: id
  CHANNEL: channel
  NUMBER: number
  CUSTOMER: customer.code
  AMOUNT: amount.amount | text
  CURRENCY: amount.currency
  SEQ: seq
  DIGEST: digest
"""
_OUT_CUSTOMER = """
mapping: bank/customer
from: customer
to: bank.customers
fields:
  id: id
  version: version
  channel: {const: web.customers}
  number: code
  name: name
  next: following
  seq: seq
  digest: digest
"""
_FILES = {
    "entities/customer.yaml": _CUSTOMER,
    "entities/sale.yaml": _SALE,
    "systems/web.yaml": _WEB,
    "systems/shop.yaml": _SHOP,
    "systems/bank.yaml": _BANK,
    "systems/post.yaml": _POST,
    "systems/books.yaml": _BOOKS,
    "mappings/web/sale.yaml": _IN_SALE.format(system="web"),
    "mappings/shop/sale.yaml": _IN_SALE.format(system="shop"),
    "mappings/web/customer.yaml": _IN_CUSTOMER,
    "mappings/bank/sale.yaml": _OUT_SALE.format(system="bank"),
    "mappings/post/sale.yaml": _OUT_SALE.format(system="post"),
    "mappings/bank/customer.yaml": _OUT_CUSTOMER,
    "mappings/books/sale.yaml": _OUT_BOOKS,
}
_TABLES = """
create table SALES (ID text primary key, VERSION integer, CHANNEL text, NUMBER text, CUSTOMER text, AMOUNT text,
  CURRENCY text, SEQ integer, DIGEST text);
create table EFFECTS (CALL integer primary key autoincrement, ID text, VERSION integer, CHANNEL text, NUMBER text,
  CUSTOMER text, AMOUNT text, CURRENCY text, SEQ integer, DIGEST text);
create trigger ADDED after insert on SALES begin
  insert into EFFECTS values (null, new.ID, new.VERSION, new.CHANNEL, new.NUMBER, new.CUSTOMER, new.AMOUNT, new.CURRENCY,
    new.SEQ, new.DIGEST);
end;
create trigger CHANGED after update on SALES when new.VERSION is not old.VERSION begin
  insert into EFFECTS values (null, new.ID, new.VERSION, new.CHANNEL, new.NUMBER, new.CUSTOMER, new.AMOUNT, new.CURRENCY,
    new.SEQ, new.DIGEST);
end;
"""


_HUB = """
hub: faults
store: "${env:FAULT_STORE:-sqlite:///nave.db}"
broker: "${env:FAULT_BROKER:-memory://}"
http: {listen: "${env:FAULT_LISTEN}"}
limits: {attempts: 50}
"""


def write(folder: Path) -> None:
    """Make the folder, and the tables of the SQL target with a log that the target itself keeps."""
    for name, text in {**_FILES, "hub.yaml": _HUB}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    (folder / "drop").mkdir(exist_ok=True)
    with closing(sqlite3.connect(folder / "books.db")) as books:
        books.execute("pragma journal_mode=wal")
        books.executescript(_TABLES)
