"""Writes what the plant's PDM hands out: the product master as a workbook, BOMs nested as SolidWorks PDM does."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

from nave.config.plant.dirt import full_width, stray_spaces, time_text
from nave.config.plant.drop import chunks, put
from nave.config.plant.sayings import pieces, ref, weight
from nave.config.plant.truth import TruthWriter
from nave.config.plant.workbook import Cell, workbook
from nave.config.plant.world import BASE, Product, World, product_level

_FOLDER = "drop/pdm"
HEADER = ("编号", "名称", "规格", "图号", "版本", "材料", "重量kg", "修改时间", "备注")
_PER_FILE = 60


def write_pdm_files(folder: Path, world: World, truth: TruthWriter) -> None:
    """The product master twice, and the design BOMs before the parts they need."""
    goods = designed(world)
    rows = [_row(product, truth) for product in goods]
    stale = [_stale_row(product, row) for product, row in zip(goods[::20], rows[::20], strict=True)]
    content = workbook("产品", "产品主数据", HEADER, rows + stale)
    put(folder / _FOLDER, "products.xlsx", content, 400)
    put(folder / _FOLDER, "products_copy.xlsx", content, 410)
    truth.wrote("pdm.products", 2 * len(rows + stale))
    truth.dirtied("file repeated")
    truth.dirtied("stale after newer", len(stale))
    write_boms(folder / _FOLDER, world, "pdm.boms", truth)


def designed(world: World) -> list[Product]:
    """What the designers know."""
    return [product for product in world.products if product.pdm_at is not None]


def _row(product: Product, truth: TruthWriter) -> tuple[Cell, ...]:
    assert product.pdm_at is not None
    return (
        _number_cell(product, truth),
        stray_spaces(f"{product.name}（{product.material}）", product.index),
        f"{product.specification} GB/T",
        product.drawing_no,
        product.revision,
        product.material,
        float(weight(product)),
        product.pdm_at if product.index % 3 == 0 else time_text(product.pdm_at, product.index),
        "受控",
    )


def _number_cell(product: Product, truth: TruthWriter) -> Cell:
    key, index = product.pdm_key, product.index
    if key.isdigit() and index % 2 == 0:
        truth.dirtied("leading zeros lost")
        return int(key)
    if index % 7 == 3:
        truth.dirtied("full width")
        return full_width(key)
    return stray_spaces(key, index + 1)


def _stale_row(product: Product, row: tuple[Cell, ...]) -> tuple[Cell, ...]:
    assert product.pdm_at is not None
    changed: dict[str, Cell] = {"名称": "旧名称", "修改时间": product.pdm_at - timedelta(days=30)}
    return tuple(changed.get(name, cell) for name, cell in zip(HEADER, row, strict=True))


def write_boms(folder: Path, world: World, source: str, truth: TruthWriter) -> None:
    """The design BOMs alone, into the folder that `source` reads."""
    goods = designed(world)
    tops = [product for product in goods if product_level(product.index) == "finished"]
    spare = [product for product in goods if product_level(product.index) == "assembly"]
    told: set[str] = set()
    for number, part in enumerate(chunks(tops + spare, _PER_FILE), 1):
        documents = "".join(_document(world, product, product.revision, None) for product in part)
        documents += "".join(_document(world, product, "A", None) for product in part if product.revision != "A")
        truth.wrote(source, documents.count("<document "))
        put(folder, f"boms_{number:04d}.xml", _transaction(documents), 30 + number)
        for product in part:
            _say_tree(world, product, truth, told)


def _transaction(documents: str) -> bytes:
    seconds = int((BASE - datetime(1970, 1, 1, 8)).total_seconds())  # noqa: DTZ001 - local time of the plant
    head = f'<transaction date="{seconds}" type="wf_export_document_attributes" vaultname="PLANT">'
    return f"<xml><transactions>{head}{documents}</transaction></transactions></xml>\n".encode()


def _document(world: World, product: Product, revision: str, quantity: str | None) -> str:
    inside = "".join(_document(world, part, part.revision, amount) for part, amount in _parts(world, product, revision))
    number = quoteattr(product.pdm_key)
    return (
        f'<document aliasset="" id={number} idattribute="Number" idcfgname="Default" pdmweid="{product.index + 5000}">'
        f'<configuration name="Default" quantity="{quantity or 1}">{_attributes(product, revision)}'
        f"{f'<references>{inside}</references>' if inside else ''}</configuration></document>"
    )


def _attributes(product: Product, revision: str) -> str:
    values = {
        "Number": product.pdm_key,
        "Revision": revision,
        "Description": product.name + ("\n" if product.index % 5 == 0 else ""),
        "Unit": product.unit,
        "ModifiedDate": time_text(changed(product, revision), product.index + 1),
        "Weight": "" if product.index % 4 == 0 else str(weight(product)),
        "Approved": _APPROVED[product.index % len(_APPROVED)],
        "Drawing No": product.drawing_no,
    }
    return "".join(f'<attribute name="{name}" value={quoteattr(value)}/>' for name, value in values.items())


_APPROVED = ("10.07.2026", "24-Nov-23", "7/15/2025", "")


def changed(product: Product, revision: str) -> datetime:
    """When this revision was released."""
    assert product.pdm_at is not None
    return product.pdm_at if revision == product.revision else product.pdm_at - timedelta(days=90)


def _parts(world: World, product: Product, revision: str) -> Iterator[tuple[Product, str]]:
    components = product.components if revision == product.revision else product.components[:1]
    return ((world.products[index], str(quantity)) for index, quantity in components)


def _say_tree(world: World, product: Product, truth: TruthWriter, told: set[str]) -> None:
    """Tell the truth of this BOM, its earlier revision, and of all that are inside; each once."""
    for revision in sorted({"A", product.revision}):
        _say(world, product, revision, truth, told)


def _say(world: World, product: Product, revision: str, truth: TruthWriter, told: set[str]) -> None:
    key = f"{product.pdm_key}/{revision}"
    if key in told:
        return
    told.add(key)
    parts = list(_parts(world, product, revision))
    for part, _ in parts:
        _say(world, part, part.revision, truth, told)
    values = {
        "code": key,
        "kind": "design",
        "product": ref("pdm", product.pdm_key),
        "revision": revision,
        "lines": [_line(place, part, quantity) for place, (part, quantity) in enumerate(parts, 1)],
    }
    truth.alone("bom", "pdm", key, values)


def _line(place: int, part: Product, quantity: str) -> dict[str, Any]:
    return {
        "line": str(place),
        "component": ref("pdm", part.pdm_key),
        "revision": part.revision,
        "quantity": {**pieces(1, part.unit), "value": quantity},
    }
