"""The invoices and receipts of the example plant: blue ones, red ones that come too early, one that waits for ever."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from nave.config.plant import words
from nave.config.plant.sayings import money, pieces, ref
from nave.config.plant.truth import TruthWriter, Waiting
from nave.config.plant.world import Company, Order, Product, World

LOST_ORDER = "SO20269999999"
"""An order that never comes."""
_CENT = Decimal("0.01")
_METHODS = tuple(words.BALANCE)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of an invoice; `net` and `tax` are negative on red ones, as is `quantity`."""

    number: int
    product: Product
    quantity: int
    net: Decimal
    tax: Decimal


@dataclass(frozen=True, slots=True)
class Invoice:
    """A sales invoice."""

    number: str
    company: Company
    order: Order
    order_number: str
    date: date
    rows: tuple[Row, ...]
    red_of: str | None
    at: datetime

    @property
    def total(self) -> Decimal:
        return sum((row.net + row.tax for row in self.rows), Decimal("0.00"))


@dataclass(frozen=True, slots=True)
class Receipt:
    """Money that came in for an invoice."""

    number: str
    invoice: Invoice
    amount: Decimal
    method: str
    date: date
    at: datetime

    @property
    def balance_type(self) -> str:
        return words.BALANCE[self.method]


def invoices(world: World) -> Iterator[Invoice]:
    """One per shipped or closed order of a customer that finance knows; red ones stand before their blue ones."""
    lost = True
    for order in world.orders:
        if order.status not in ("shipped", "closed") or "nc" not in order.company.known:
            continue
        blue = _invoice(order, f"FP{order.index:08d}", 1, None)
        if order.index % 11 == 0:
            yield _invoice(order, f"HZ{order.index:08d}", -1, blue.number)
        yield blue
        if lost:
            yield _invoice(order, "FP99999999", 1, None, LOST_ORDER)
            lost = False


def receipts(papers: Sequence[Invoice]) -> Iterator[Receipt]:
    """The customer paid what was closed and not taken back."""
    for invoice in papers:
        order = invoice.order
        if order.status == "closed" and invoice.red_of is None and invoice.order_number == order.number:
            yield Receipt(
                number=f"SK{order.index:08d}",
                invoice=invoice,
                amount=invoice.total,
                method=_METHODS[order.index % len(_METHODS)],
                date=invoice.date + timedelta(days=order.index % 30),
                at=invoice.at + timedelta(days=1),
            )


def _invoice(order: Order, number: str, sign: int, red_of: str | None, order_number: str | None = None) -> Invoice:
    rows = []
    for line in order.lines:
        net = (line.amount / Decimal("1.13")).quantize(_CENT, ROUND_HALF_UP)
        rows.append(Row(line.number, line.product, sign * line.quantity, sign * net, sign * (line.amount - net)))
    return Invoice(
        number=number,
        company=order.company,
        order=order,
        order_number=order_number or order.number,
        date=order.date + timedelta(days=20),
        rows=tuple(rows),
        red_of=red_of,
        at=order.at.replace(second=23) + timedelta(hours=2),
    )


def say_invoice(invoice: Invoice, truth: TruthWriter) -> None:
    """Tell the truth what the invoice is."""
    values: dict[str, Any] = {
        "number": invoice.number,
        "kind": "red" if invoice.red_of else "blue",
        "customer": ref("nc", invoice.company.known["nc"].key),
        "order": ref("erp", invoice.order_number),
        "red_of": ref("nc", invoice.red_of) if invoice.red_of else None,
        "date": invoice.date.isoformat(),
        "total": money(invoice.total),
        "lines": [_line(row) for row in invoice.rows],
    }
    truth.alone("invoice", "nc", invoice.number, values)
    if invoice.order_number == LOST_ORDER:
        truth.waits(Waiting("invoice", invoice.number, "order", f"order {LOST_ORDER} of erp"))


def _line(row: Row) -> dict[str, Any]:
    return {
        "line": str(row.number),
        "product": ref("erp", row.product.code),
        "quantity": pieces(row.quantity, row.product.unit),
        "net": money(row.net),
        "tax": money(row.tax),
        "tax_rate": "0.13",
    }


def say_receipt(receipt: Receipt, truth: TruthWriter) -> None:
    """Tell the truth what was paid."""
    values = {
        "number": receipt.number,
        "customer": ref("nc", receipt.invoice.company.known["nc"].key),
        "invoice": ref("nc", receipt.invoice.number),
        "order": ref("erp", receipt.invoice.order_number),
        "date": receipt.date.isoformat(),
        "amount": money(receipt.amount),
        "method": receipt.method,
    }
    truth.alone("payment", "nc", receipt.number, values)
