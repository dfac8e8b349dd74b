"""The papers in the plant's ERP database: orders, bills of materials, production, stock and shipments."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from nave.config.plant import words
from nave.config.plant.dirt import day_text, plain_time
from nave.config.plant.orders import say_order
from nave.config.plant.sayings import instant, pieces, ref
from nave.config.plant.truth import TruthWriter
from nave.config.plant.world import BASE, Line, Order, Product, World, product_level

Row = tuple[Any, ...]


def orders(orders: Sequence[Order], truth: TruthWriter) -> Iterator[Row]:
    """Order heads; the truth hears of each."""
    for order in orders:
        say_order(order, truth, None)
        truth.dirtied("mixed date forms", order.index % 4 != 0)
        yield (
            order.number,
            order.company.known["erp"].key,
            day_text(order.date, order.index),
            words.ORDER_STATE[order.status],
            f"{order.total:,.2f}",
            "CNY",
            order.salesperson,
            plain_time(order.at),
        )


def order_lines(orders: Sequence[Order]) -> Iterator[Row]:
    """Their lines."""
    for order in orders:
        for line in order.lines:
            yield (
                order.number,
                line.number,
                line.product.code,
                line.quantity,
                line.product.unit,
                f"{line.price:.2f}",
                f"{line.amount:.2f}",
                day_text(line.due, order.index + line.number),
            )


def boms(world: World, truth: TruthWriter) -> Iterator[tuple[Row, list[Row]]]:
    """Heads with lines: what a product is made of, and what it was made of for one order."""
    for product in world.products:
        if product.erp_at is not None and product.components and product.kind == "make":
            yield _bom(world, truth, product, product.erp_at, None)
    for order in world.orders:
        if order.index % 7 == 0 and order.lines[0].product.components:
            yield _bom(world, truth, order.lines[0].product, order.at, order)


def _bom(world: World, truth: TruthWriter, product: Product, at: datetime, order: Order | None) -> tuple[Row, list[Row]]:
    number = f"OB{order.index:07d}" if order else f"PB{product.index:07d}"
    parts = [(world.products[index], quantity) for index, quantity in product.components]
    values = {
        "code": number,
        "kind": "order" if order else "production",
        "product": ref("erp", product.code),
        "revision": "A",
        "order": ref("erp", order.number) if order else None,
        "status": "released",
        "valid_from": BASE.date().isoformat(),
        "lines": [_bom_line(place, part, quantity) for place, (part, quantity) in enumerate(parts, 1)],
    }
    truth.alone("bom", "erp", number, values)
    head = (
        number,
        "O" if order else "P",
        product.code,
        "A",
        order.number if order else None,
        "30",
        day_text(BASE.date(), product.index),
        plain_time(at),
    )
    return head, [_bom_row(number, place, part, quantity) for place, (part, quantity) in enumerate(parts, 1)]


def _bom_line(place: int, part: Product, quantity: Decimal) -> dict[str, Any]:
    return {
        "line": str(place * 10),
        "component": ref("erp", part.code),
        "quantity": pieces(quantity, part.unit),
        "scrap_rate": "0.02",
        "position": f"P{place}",
    }


def _bom_row(number: str, place: int, part: Product, quantity: Decimal) -> Row:
    return number, place * 10, part.code, float(quantity), part.unit, 0.02, f"P{place}"


def _made(world: World) -> Iterator[tuple[Order, Line]]:
    for order in world.orders:
        if order.status != "open" and order.index % 2:
            yield order, order.lines[0]


def progress(world: World, truth: TruthWriter) -> Iterator[Row]:
    """Reports from the shop floor, by operation."""
    for order, line in _made(world):
        for place, (operation, name) in enumerate(words.OPERATIONS[: 1 + order.index % 4]):
            at = order.at + timedelta(hours=place + 1)
            done = line.quantity if order.status != "released" else max(1, line.quantity - place)
            values = {
                "order": ref("erp", order.number),
                "line": str(line.number),
                "product": ref("erp", line.product.code),
                "operation": operation,
                "planned": pieces(line.quantity, line.product.unit),
                "done": pieces(done, line.product.unit),
                "status": "done" if done == line.quantity else "running",
                "at": instant(at),
            }
            truth.alone("progress", "erp", f"{order.number}/{line.number}/{operation}", values)
            counts = (line.quantity, done, line.product.unit)
            yield (order.number, line.number, line.product.code, operation, name, *counts, plain_time(at), plain_time(at))


def stock_in(world: World, truth: TruthWriter) -> Iterator[Row]:
    """Finished goods that came into a warehouse."""
    for order, line in _made(world):
        if order.status == "released":
            continue
        at = order.at + timedelta(hours=6)
        number, warehouse = f"RK{order.index:07d}", words.WAREHOUSES[order.index % 3]
        values = {
            "number": number,
            "kind": "in",
            "product": ref("erp", line.product.code),
            "quantity": pieces(line.quantity, line.product.unit),
            "warehouse": warehouse,
            "lot": f"L{order.index:05d}",
            "order": ref("erp", order.number),
            "at": instant(at),
        }
        truth.alone("stock_movement", "erp", number, values)
        goods = (line.product.code, line.quantity, line.product.unit)
        yield (number, *goods, warehouse, f"L{order.index:05d}", order.number, plain_time(at), plain_time(at))


def shipped(world: World) -> Iterator[Order]:
    """Orders whose goods have left."""
    return (order for order in world.orders if order.status in ("shipped", "closed"))


def left(order: Order) -> date:
    """The day on which its goods left."""
    return (order.at + timedelta(days=1)).date()


def shipments(world: World, truth: TruthWriter) -> Iterator[Row]:
    """Goods that left."""
    for order in shipped(world):
        day = left(order)
        number, carrier = f"FH{order.index:07d}", words.CARRIERS[order.index % 3]
        customer = order.company.known["erp"].key
        tracking = f"DB{order.index:010d}" if carrier != "自提" else None
        values = {
            "number": number,
            "order": ref("erp", order.number),
            "customer": ref("erp", customer),
            "date": day.isoformat(),
            "carrier": carrier,
            "tracking": tracking,
            "status": order.status,
            "lines": [
                {
                    "line": str(line.number),
                    "product": ref("erp", line.product.code),
                    "quantity": pieces(line.quantity, line.product.unit),
                    **({"serials": found} if (found := serials(order, line)) else {}),
                }
                for line in order.lines
            ],
        }
        truth.alone("shipment", "erp", number, values)
        state, at = words.ORDER_STATE[order.status], plain_time(order.at + timedelta(days=1))
        yield number, order.number, customer, day_text(day, order.index), carrier, tracking, state, at


def shipment_lines(world: World) -> Iterator[Row]:
    """Their lines."""
    for order in shipped(world):
        for line in order.lines:
            told = ",".join(serials(order, line)) or None
            yield f"FH{order.index:07d}", line.number, line.product.code, line.quantity, line.product.unit, told


def serials(order: Order, line: Line) -> list[str]:
    """Every machine has a number of its own; what goes into machines has none."""
    if product_level(line.product.index) != "finished":
        return []
    return [f"SN{order.index:06d}-{line.number}-{one}" for one in range(1, line.quantity + 1)]
