"""How long it takes to look around a customer among a million documents, and to explode a bill of 100,000 lines.

    python -m bench.documents [STORE-URL] [--documents N] [--lines N]

The store must be empty; it is filled by bulk inserts that leave what a hub would leave there. Times are of warm look-ups.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from typing import Any

from bench.rows import RECORD, SOURCE
from nave.core.around import around
from nave.core.bills import Asked, bill
from nave.core.entities import encode
from nave.core.explosion import rows, sums
from nave.core.store import Store, Transaction, open_store
from nave.core.store import schema as t
from nave.core.structure import structure
from nave.core.uses import uses

_CHUNK = 20_000
_KINDS = ("order", "invoice", "payment", "shipment")
_ON = date(2026, 11, 21)
_REFERENCE = ("record_id", "path", "entity", "system", "key", "link", "waiting", "since")
Told = tuple[str, str, dict[str, Any], list[tuple[str, str, str]]]
"""(entity, key, document, links as (path, kind, "entity/key"))"""


def ref(key: str) -> dict[str, str]:
    return {"system": "erp", "key": key}


def world(documents: int, lines: int) -> Iterator[Told]:
    """Customers, goods and documents; and a deep bill with as many lines as asked for."""
    chance = random.Random(1)
    customers, goods = max(10, documents // 100), max(10, documents // 200)
    for number in range(customers):
        yield "customer", f"C{number}", {"code": f"C{number}", "name": f"客户 {number}", "tax_id": f"T{number}"}, []
    for number in range(goods):
        yield "product", f"P{number}", {"code": f"P{number}", "name": f"产品 {number}", "unit": "件"}, []
    for number in range(documents):
        yield paper(_KINDS[number % len(_KINDS)], number, chance.randrange(customers), chance.randrange(goods))
    yield from bills(lines)


def paper(kind: str, number: int, buyer: int, product: int) -> Told:
    key, amount = f"{kind}{number}", {"amount": f"{number % 9973}.25", "currency": "CNY"}
    document: dict[str, Any] = {
        "number": key,
        "customer": ref(f"C{buyer}"),
        "date": f"2026-{1 + number % 12:02d}-{1 + number % 28:02d}",
    }
    links = [("customer", f"{kind}.customer", f"customer/C{buyer}")]
    if kind == "payment":
        return kind, key, {**document, "amount": amount}, links
    line = {"line": "1", "product": ref(f"P{product}"), "quantity": {"value": "2", "unit": "件"}, "net": amount}
    document |= {"lines": [line], **({} if kind == "shipment" else {"total": amount})}
    return kind, key, document, [*links, ("lines[0].product", f"{kind}.lines[].product", f"product/P{product}")]


def bills(lines: int) -> Iterator[Told]:
    """A flat bill with all lines; and a tree of three levels with about as many bought parts."""
    for number in range(lines):
        yield "product", f"L{number}", {"code": f"L{number}", "name": f"零件 {number}"}, []
    names = ["FLAT", "TREE", *(f"A{number}" for number in range(100))]
    for name in names:
        yield "product", name, {"code": name, "name": name}, []
    yield bom("FLAT", [f"L{number}" for number in range(lines)])
    yield bom("TREE", names[2:])
    per = max(1, lines // 100)
    for place, name in enumerate(names[2:]):
        yield bom(name, [f"L{number}" for number in range(place * per, (place + 1) * per)])


def bom(of: str, parts: list[str]) -> Told:
    lines = [
        {"line": str(n), "component": ref(one), "quantity": {"value": "1.5", "unit": "件"}, "scrap_rate": "0.02"}
        for n, one in enumerate(parts)
    ]
    links = [("product", "bom.product", f"product/{of}")]
    links += [(f"lines[{n}].component", "bom.lines[].component", f"product/{one}") for n, one in enumerate(parts)]
    return "bom", f"B-{of}", {"code": f"B-{of}", "kind": "production", "product": ref(of), "lines": lines}, links


def fill(store: Store, told: Iterator[Told]) -> int:
    """Put all of it in; how many records there are."""
    number, left = 0, True
    while left:
        with store.write(durable=False) as tx:
            left = False
            chunk: list[tuple[int, Told]] = []
            for one in told:
                number += 1
                chunk.append((number, one))
                if len(chunk) == _CHUNK:
                    left = True
                    break
            put(tx, chunk)
    return number


def put(tx: Transaction, chunk: list[tuple[int, Told]]) -> None:
    records, sources, links = [], [], []
    for number, (entity, key, document, named) in chunk:
        text = encode(document)
        records.append((number, entity, 1, b"", text, 1.0, "apply", 1))
        sources.append((entity, "erp", key, "erp.x", number, "1", 1.0, 1, b"", text, 1, number))
        links += [(number, path, *_target(target), kind, 0, 1.0) for path, kind, target in named]
    tx.insert(t.record, RECORD, records)
    tx.insert(t.source_record, SOURCE, sources)
    tx.insert(t.reference, _REFERENCE, links)


def _target(text: str) -> tuple[str, str, str]:
    entity, _, key = text.partition("/")
    return entity, "erp", key


def timed(name: str, work: Callable[[], Any], times: int) -> None:
    taken, busy = [], []
    for _ in range(times):
        began, cpu = time.perf_counter(), time.process_time()
        work()
        taken.append((time.perf_counter() - began) * 1000)
        busy.append((time.process_time() - cpu) * 1000)
    print(
        f"{name:<40} median {statistics.median(taken):9.1f} ms, slowest of {times} {max(taken):9.1f} ms,"
        f" of it this process {statistics.median(busy):9.1f} ms",
        flush=True,
    )


def measure(store: Store, customers: int, goods: int, lines: int) -> None:
    chance = random.Random(2)

    def look(entity: str, count: int) -> None:
        with store.read() as tx:
            assert around(tx, entity, f"{entity[0].upper()}{chance.randrange(count)}", ["erp"])

    def explode(what: str, summed: bool) -> None:
        with store.read() as tx:
            whole = structure(tx, *bill(tx, Asked(what, ["erp"], _ON)))
        found = sums(whole, Decimal(1)) if summed else list(rows(whole, Decimal(1)))
        assert len(found) >= lines

    def used() -> None:
        with store.read() as tx:
            number = tx.rows(
                t.source_record.select().where(t.source_record.c.key == "L7").with_only_columns(t.source_record.c.record_id)
            )
            assert uses(tx, number[0][0], _ON)

    timed("around a customer", lambda: look("customer", customers), 200)
    timed("around a product", lambda: look("product", goods), 200)
    timed(f"explode {lines:,} lines, one level", lambda: explode("FLAT", False), 5)
    timed(f"explode {lines:,} lines, three levels", lambda: explode("TREE", False), 5)
    timed(f"sum {lines:,} lines, three levels", lambda: explode("TREE", True), 5)
    timed("where a part of both is used", used, 5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store", nargs="?")
    parser.add_argument("--documents", type=int, default=1_000_000)
    parser.add_argument("--lines", type=int, default=100_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(asked.store or f"sqlite:///{folder}/documents.db")
        began = time.perf_counter()
        count = fill(store, world(asked.documents, asked.lines))
        print(f"{count:,} records in {time.perf_counter() - began:.0f} s", flush=True)
        measure(store, max(10, asked.documents // 100), max(10, asked.documents // 200), asked.lines)
        store.close()


if __name__ == "__main__":
    main()
