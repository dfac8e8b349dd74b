"""Writes the plant's ERP database: state, not events, so its faults are in the values."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path

from nave.config.plant import erp_papers as papers
from nave.config.plant import words
from nave.config.plant.credit_code import wrong
from nave.config.plant.dirt import plain_time, stray_spaces, tax_number
from nave.config.plant.erp_papers import Row
from nave.config.plant.erp_tables import INDEXES, SCHEMA
from nave.config.plant.sayings import company_name, credit, landline, people, ref
from nave.config.plant.truth import Dead, TruthWriter
from nave.config.plant.world import BASE, Company, World

_TABLES = (
    ("REGION", "erp.regions"),
    ("CUSTOMER", "erp.customers"),
    ("PRODUCT", "erp.products"),
    ("SALES_ORDER", "erp.orders"),
    ("PROGRESS", "erp.progress"),
    ("STOCK_IN", "erp.stock_in"),
    ("SHIPMENT", "erp.shipments"),
)


def write_erp_database(folder: Path, world: World, truth: TruthWriter) -> None:
    """Make `data/erp.db` anew, with customers, goods, orders and all that follows from them."""
    path = folder / "data" / "erp.db"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    database = sqlite3.connect(path, isolation_level=None)
    try:
        database.executescript("PRAGMA synchronous=OFF;" + SCHEMA)
        database.execute("BEGIN")
        _fill(database, world, truth)
        database.execute("COMMIT")
        database.executescript(INDEXES)
        _count(database, truth)
    finally:
        database.close()


def _fill(database: sqlite3.Connection, world: World, truth: TruthWriter) -> None:
    orders = [order for order in world.orders if not order.in_file]
    _insert(database, "REGION", _regions(truth))
    _insert(database, "CUSTOMER", _customers(world, truth))
    _insert(database, "CUSTOMER_CONTACT", _contacts(world))
    _insert(database, "PRODUCT", _products(world))
    _insert(database, "SALES_ORDER", papers.orders(orders, truth))
    _insert(database, "SALES_ORDER_LINE", papers.order_lines(orders))
    boms = list(papers.boms(world, truth))
    _insert(database, "BOM_HEAD", [head for head, _ in boms])
    _insert(database, "BOM_LINE", [line for _, lines in boms for line in lines])
    _insert(database, "PROGRESS", papers.progress(world, truth))
    _insert(database, "STOCK_IN", papers.stock_in(world, truth))
    _insert(database, "SHIPMENT", papers.shipments(world, truth))
    _insert(database, "SHIPMENT_LINE", papers.shipment_lines(world))


def _insert(database: sqlite3.Connection, table: str, rows: Iterable[Row]) -> None:
    width = len(database.execute(f"PRAGMA table_info({table})").fetchall())
    database.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * width)})", rows)


def _count(database: sqlite3.Connection, truth: TruthWriter) -> None:
    for table, source in _TABLES:
        truth.wrote(source, database.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
    for source, kind in (("erp.production_boms", "P"), ("erp.order_boms", "O")):
        counted = database.execute("SELECT count(*) FROM BOM_HEAD WHERE BOM_TYPE = ?", (kind,))
        truth.wrote(source, counted.fetchone()[0])


def _regions(truth: TruthWriter) -> Iterator[Row]:
    for place in words.PLACES:
        yield place.region, place.name, "city", place.parent, plain_time(BASE)
        values = {"code": place.region, "name": place.name, "level": "city", "parent": ref("erp", place.parent)}
        truth.alone("region", "erp", place.region, values)
    for code, name in words.PROVINCES:
        yield code, name, "province", None, plain_time(BASE)
        truth.alone("region", "erp", code, {"code": code, "name": name, "level": "province"})


def _customers(world: World, truth: TruthWriter) -> Iterator[Row]:
    for company in world.companies:
        if "erp" not in company.known:
            continue
        if company.known["erp"].tax == "wrong":
            key = company.known["erp"].key
            truth.died(Dead("erp.customers", "NAVE-M107", key=key, field="tax_id"))
        yield _customer(company, truth)


def _customer(company: Company, truth: TruthWriter) -> Row:
    known, index = company.known["erp"], company.index
    limit = credit(company, "erp")
    return (
        known.key,
        stray_spaces(company_name(company, "erp"), index),
        company.core,
        _tax_number(company, truth),
        words.SEAL[company.status],
        company.place.area,
        company.grade,
        landline(company, "erp"),
        None if limit is None else f"{limit:,.2f}",
        None if limit is None else "CNY",
        words.PAY_TERMS[index % 4],
        company.salesperson,
        f"老客户 {index}",
        plain_time(known.at),
    )


def _tax_number(company: Company, truth: TruthWriter) -> str | None:
    tax = company.known["erp"].tax
    if tax != "good":
        truth.dirtied(f"tax number {tax}")
    if tax == "missing":
        return None if company.index % 2 else ""
    assert company.tax_id is not None
    return tax_number(company.tax_id if tax == "good" else wrong(company.tax_id), company.index)


def _contacts(world: World) -> Iterator[Row]:
    for company in world.companies:
        if "erp" in company.known:
            for seat, person in enumerate(people(company, "erp")):
                yield company.known["erp"].key, seat + 1, person["name"], _phone(person["phone"], company), person["role"]


def _phone(number: str, company: Company) -> str:
    return f"{number[:3]} {number[3:7]} {number[7:]}" if company.index % 3 == 0 else number


def _products(world: World) -> Iterator[Row]:
    for product in world.products:
        if product.erp_at is None:
            continue
        yield (
            product.code,
            product.name,
            product.specification,
            product.drawing_no,
            product.revision if product.pdm_key != product.code else "A",
            words.PART_TYPE[product.kind],
            product.unit,
            f"{product.price:.2f}",
            "1",
            plain_time(product.erp_at),
        )
