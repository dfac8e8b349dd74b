"""Writes the order files that the plant's ERP drops: XML that says gb2312 and is GB18030, good and bad."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

from nave.config.plant import words
from nave.config.plant.dirt import day_text, plain_time
from nave.config.plant.drop import SECOND_WAVE, chunks, element, elements, put
from nave.config.plant.orders import say_order
from nave.config.plant.truth import Dead, TruthWriter
from nave.config.plant.world import Order, World

SOURCE = "erp.order_files"
_FOLDER = "drop/erp"
_REMARKS = (None, "加急", "联系人镕经理", "喆信代收", "𠮷日发货")
_BAD: tuple[tuple[str, str, str, str], ...] = (
    ("State", "99", "NAVE-M104", "status"),
    ("Total", "壹万元整", "NAVE-M103", "total.amount"),
)
"""Element, value, and the code and field of the dead letter that it must become."""


def write_erp_files(folder: Path, world: World, truth: TruthWriter) -> None:
    """Order files of up to 500 orders, one of them twice, and a last one with what is out of date already."""
    orders = [order for order in world.orders if order.in_file]
    for order in orders:
        say_order(order, truth, _remark(order))
    parts = list(chunks(orders, min(500, max(8, len(orders) // 4))))
    for number, part in enumerate(parts):
        _put_orders(folder, number, part, truth)
    _repeat(folder, parts[1], truth)
    stale = [_older(order) for order in orders[::10]]
    _write(folder / _FOLDER, f"orders_{len(parts):04d}_late.xml", [_order(order) for order in stale], 900, truth)
    truth.dirtied("stale after newer", len(stale))


def _put_orders(folder: Path, number: int, orders: Sequence[Order], truth: TruthWriter) -> None:
    texts = [_order(order) for order in orders]
    again = orders[::15]
    texts += [_order(order) for order in again] + [_order(_older(order)) for order in again]
    truth.dirtied("twice in one file", len(again))
    truth.dirtied("stale after newer", len(again))
    name = f"orders_{number:04d}.xml"
    if number % 2 == 0:
        _spoil(name, texts, orders[0], truth)
    _write(folder / _FOLDER, name, texts, 60 + number, truth)


def _spoil(name: str, texts: list[str], model: Order, truth: TruthWriter) -> None:
    """Put two bad orders in a thousand, at least two, among the good ones."""
    for count in range(max(2, round(len(texts) * 0.002))):
        tag, value, code, field = _BAD[count % len(_BAD)]
        bad = replace(model, number=f"{model.number}-X{count}")
        good = {"State": words.ORDER_STATE[bad.status], "Total": f"{bad.total:,.2f}"}[tag]
        place = (count + 1) * len(texts) // 4
        texts.insert(place, _order(bad).replace(element(tag, good), element(tag, value), 1))
        truth.dirtied("bad record in a good file")
        truth.died(Dead(SOURCE, code, key=bad.number, file=name, number=place + 1, field=field))


def _repeat(folder: Path, orders: Sequence[Order], truth: TruthWriter) -> None:
    """The same content under another name at once, and under the same name later."""
    content = (folder / _FOLDER / "orders_0001.xml").read_bytes()
    put(folder / _FOLDER, "orders_0001_copy.xml", content, 600)
    put(folder / SECOND_WAVE / "erp", "orders_0001.xml", content, 1_200)
    truth.wrote(SOURCE, content.count(b"</Order>"))
    truth.dirtied("file repeated", 2)


def _write(folder: Path, name: str, texts: Sequence[str], minute: int, truth: TruthWriter) -> None:
    put(folder, name, _document(texts).encode("gb18030"), minute)
    truth.wrote(SOURCE, len(texts))
    truth.dirtied("gb2312 declared, GB18030 written")


def _document(texts: Sequence[str]) -> str:
    head = (
        '<?xml version="1.0" encoding="gb2312"?>\n<Orders>\n<Header><Sender>ERP</Sender><Title>销售订单</Title></Header>\n'
    )
    return head + "\n".join(texts) + f"\n<Trailer>{element('Count', len(texts))}</Trailer>\n</Orders>\n"


def _order(order: Order) -> str:
    head = elements(
        {
            "OrderNo": order.number,
            "CustCode": order.company.known["erp"].key,
            "OrderDate": day_text(order.date, order.index),
            "State": words.ORDER_STATE[order.status],
            "Total": f"{order.total:,.2f}",
            "Currency": "CNY",
            "Salesman": order.salesperson,
            "Remark": _remark(order),
        }
    )
    return f"<Order>{head}<Lines>{_lines(order)}</Lines>{element('UpdatedAt', plain_time(order.at))}</Order>"


def _lines(order: Order) -> str:
    return "".join(
        f'<Line No="{line.number}">'
        + elements(
            {
                "PartNo": line.product.code,
                "Qty": line.quantity,
                "Unit": line.product.unit,
                "Price": _price(line.price, order.index),
                "Amount": f"{line.amount:.2f}",
                "DueDate": day_text(line.due, line.number // 10),
            }
        )
        + "</Line>"
        for line in order.lines
    )


def _price(price: Decimal, index: int) -> str:
    return f"￥{price:,.2f}" if index % 3 == 0 else f"{price:.2f}"


def _remark(order: Order) -> str | None:
    return _REMARKS[order.index // 10 % len(_REMARKS)]


def _older(order: Order) -> Order:
    """The order as it was two days before, when nobody had released it yet."""
    return replace(order, at=order.at - timedelta(days=2), status="open", lines=order.lines[:1])
