"""What an order of the plant must be in the hub, whether it came from the ERP's database or from one of its files."""

from __future__ import annotations

from typing import Any

from nave.config.plant import targets
from nave.config.plant.sayings import company_cluster, money, pieces, ref
from nave.config.plant.truth import TruthWriter, Waiting
from nave.config.plant.world import Line, Order

SINK = "crm.orders_db"


def say_order(order: Order, truth: TruthWriter, remark: str | None) -> None:
    """Tell the truth what the order is, and what the CRM's table must say of it; its customer must be known already."""
    values = order_values(order, remark)
    truth.alone("order", "erp", order.number, values)
    keys, customer = truth.customer(company_cluster(order.company, "erp"))
    if "crm" in keys:
        truth.target(SINK, targets.order_row(keys, customer, values))
    else:
        truth.waits(Waiting("order", order.number, "customer", f"customer {keys['erp']} in crm", sink=SINK))


def order_values(order: Order, remark: str | None) -> dict[str, Any]:
    """The canonical order."""
    return {
        "number": order.number,
        "customer": ref("erp", order.company.known["erp"].key),
        "date": order.date.isoformat(),
        "status": order.status,
        "total": money(order.total),
        "salesperson": ref("hr", order.salesperson),
        "lines": [_line(line) for line in order.lines],
        "remark": remark,
    }


def _line(line: Line) -> dict[str, Any]:
    return {
        "line": str(line.number),
        "product": ref("erp", line.product.code),
        "quantity": pieces(line.quantity, line.product.unit),
        "price": money(line.price),
        "amount": money(line.amount),
        "due": line.due.isoformat(),
    }
