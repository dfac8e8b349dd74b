"""Writes the databases of the plant's PDM and HR: staging tables that wait to be taken, and tables that are polled."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

from nave.config.plant import words
from nave.config.plant.dirt import day_text, full_width, plain_time, stray_spaces
from nave.config.plant.hr_files import MONTH, goal, say_sales, sold
from nave.config.plant.pdm_files import designed
from nave.config.plant.sayings import weight
from nave.config.plant.truth import TruthWriter
from nave.config.plant.world import BASE, Employee, Product, World

STAGING, HR = "data/staging.db", "data/hr.db"
_SITE = "ALTER TABLE PDM_PRODUCT ADD COLUMN WEIGHT_KG DECIMAL(12, 3);"
"""What this site's staging tables have beside those of the ready-made system."""
_HR = """
CREATE TABLE HR_EMPLOYEE (
  EMP_NO TEXT PRIMARY KEY, EMP_NAME TEXT, DEPT_NAME TEXT, POST_NAME TEXT, EMP_STATUS TEXT, MOBILE TEXT, EMAIL TEXT,
  HIRE_DATE TEXT, UPDATED_AT TEXT);
CREATE TABLE HR_PUNCH (
  ID INTEGER PRIMARY KEY, EMP_NO TEXT, CHECK_TIME TEXT, CHECK_TYPE TEXT, VERIFY_CODE TEXT, DEVICE_NO TEXT);
CREATE TABLE HR_SALES_MONTH (
  EMP_NO TEXT, SALES_MONTH TEXT, AMOUNT TEXT, ORDER_COUNT INTEGER, TARGET TEXT, UPDATED_AT TEXT,
  PRIMARY KEY (EMP_NO, SALES_MONTH));
"""
_MONTHS = (MONTH, "2026年10月", "2026/10")
Row = tuple[Any, ...]


def write_staging(folder: Path, world: World, truth: TruthWriter) -> None:
    """`data/staging.db`: some products twice, first as they were; the table of BOMs is empty, the vault writes files."""
    goods = designed(world)
    old = [_product(one, "旧名称") for one in goods[::20]]
    rows = [*old, *(_product(one, None) for one in goods)]
    tables = files("nave.config").joinpath("ready", "pdm-staging", "samples", "staging_tables.sql").read_text("utf-8")
    _make(folder / STAGING, tables + _SITE, {"PDM_PRODUCT": _numbered(rows)})
    truth.wrote("staging.products", len(rows))
    truth.dirtied("stale before newer", len(old))
    truth.dirtied("full width", sum(one.index % 7 == 3 for one in goods))


def write_hr_database(folder: Path, world: World, truth: TruthWriter) -> None:
    """`data/hr.db`: who works here, and what the sellers sold; the punches come from the clock."""
    sales = list(sold(world))
    tables = {
        "HR_EMPLOYEE": [_employee(one) for one in world.employees],
        "HR_SALES_MONTH": [_sales(number, *one) for number, one in enumerate(sales)],
    }
    _make(folder / HR, _HR, tables)
    for one in sales:
        say_sales(*one, truth)
    truth.wrote("hr-db.employees", len(world.employees))
    truth.wrote("hr-db.sales", len(sales))


def _make(path: Path, schema: str, tables: Mapping[str, Sequence[Row]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as database, database:
        database.executescript("PRAGMA synchronous=OFF;" + schema)
        for table, rows in tables.items():
            database.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})", rows)


def _numbered(rows: Sequence[Row]) -> list[Row]:
    return [(number, *row) for number, row in enumerate(rows, 1)]


def _product(product: Product, name: str | None) -> Row:
    assert product.pdm_at is not None
    at = product.pdm_at - timedelta(days=30 if name else 0)
    code = full_width(product.pdm_key) if product.index % 7 == 3 else stray_spaces(product.pdm_key, product.index + 1)
    return (
        code,
        name or stray_spaces(f"{product.name}（{product.material}）", product.index),
        f"{product.specification} GB/T",
        product.drawing_no,
        product.revision,
        product.material,
        None,  # UNIT and MAKE_BUY: the ERP's business
        None,
        f"ECN-{product.index}",
        0,
        None,
        plain_time(at),
        None,
        str(weight(product)),
    )


def _employee(person: Employee) -> Row:
    index = person.index
    return (
        person.code,
        person.name,
        person.department,
        person.position,
        words.HR_STATE[person.status],
        full_width(person.phone) if index % 6 == 1 else person.phone,
        None,
        day_text(person.hired, index),
        plain_time(person.at),
    )


def _sales(number: int, person: Employee, amount: Any, count: int) -> Row:
    month = _MONTHS[number % len(_MONTHS)]
    return person.code, month, f"￥{amount:,.2f}", count, f"{goal(person):.2f}", plain_time(BASE)
