"""Writes what the plant's finance system hands out: customers, invoices and receipts as `ufinterface` XML of NC 6x."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from nave.config.plant import words
from nave.config.plant.dirt import plain_time, stray_spaces, tax_number
from nave.config.plant.drop import SECOND_WAVE, chunks, elements, put
from nave.config.plant.invoices import Invoice, Receipt, invoices, receipts, say_invoice, say_receipt
from nave.config.plant.sayings import company_name, credit, landline
from nave.config.plant.truth import TruthWriter
from nave.config.plant.world import Company, World

NOTHING = "~"
"""How NC writes a reference that is not there."""
_FOLDER = "drop/nc"
_PER_FILE = 300


def write_nc_files(folder: Path, world: World, truth: TruthWriter) -> None:
    """Invoices first, receipts next, customers last; a file of receipts twice, and customers as they were before."""
    known = [company for company in world.companies if "nc" in company.known]
    papers = list(invoices(world))
    money = list(receipts(papers))
    for invoice in papers:
        say_invoice(invoice, truth)
    for receipt in money:
        say_receipt(receipt, truth)
    _put(folder, "32", "nc.invoices", [_invoice(one) for one in papers], 10, truth)
    _put(folder, "F2", "nc.receipts", [_receipt(one) for one in money], 20, truth)
    _put(folder, "customer", "nc.customers", [_customer(one, one.known["nc"].at) for one in known], 300, truth)
    _late(folder, known, truth)
    _repeat(folder, truth)
    truth.dirtied("invoice in an earlier file than its order", sum(one.order.in_file for one in papers))
    truth.dirtied("red invoice", sum(one.red_of is not None for one in papers))
    truth.dirtied("tax number missing", sum(one.known["nc"].tax == "missing" for one in known))


def _put(folder: Path, billtype: str, source: str, bills: Sequence[str], minute: int, truth: TruthWriter) -> None:
    for number, part in enumerate(chunks(bills, _PER_FILE), 1):
        name = f"{billtype}_{number:04d}.xml"
        put(folder / _FOLDER, name, _document(billtype, name, part), minute + number)
    truth.wrote(source, len(bills))


def _late(folder: Path, known: Sequence[Company], truth: TruthWriter) -> None:
    stale = [_customer(one, one.known["nc"].at - timedelta(days=3)) for one in known[::12]]
    name = "customer_late.xml"
    put(folder / _FOLDER, name, _document("customer", name, stale), 800)
    truth.wrote("nc.customers", len(stale))
    truth.dirtied("stale after newer", len(stale))


def _repeat(folder: Path, truth: TruthWriter) -> None:
    content = (folder / _FOLDER / "F2_0001.xml").read_bytes()
    put(folder / _FOLDER, "F2_0001_again.xml", content, 700)
    put(folder / SECOND_WAVE / "nc", "F2_0001.xml", content, 1_210)
    truth.wrote("nc.receipts", content.count(b"<bill "))
    truth.dirtied("file repeated", 2)


def _document(billtype: str, name: str, bills: Sequence[str]) -> bytes:
    head = (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<ufinterface account="A01" billtype="{billtype}" groupcode="G1" '
        f'isexchange="Y" replace="Y" roottag="" sender="NC01" filename="{name}">\n'
    )
    return (head + "\n".join(bills) + "\n</ufinterface>\n").encode()


def _bill(billtype: str, number: str, head: dict[str, object], rows: str = "") -> str:
    return f'<bill id="{billtype}-{number}"><billhead>{elements(head)}{rows}</billhead></bill>'


def _customer(company: Company, at: datetime) -> str:
    known = company.known["nc"]
    current = at == known.at
    limit = credit(company, "nc")
    head: dict[str, object] = {
        "pk_group": "G1",
        "pk_org": "0101",
        "code": known.key,
        "name": stray_spaces(company_name(company, "nc"), company.index + 1) if current else company.core,
        "taxpayerid": NOTHING if known.tax == "missing" else tax_number(str(company.tax_id), company.index + 2),
        "enablestate": words.ENABLE_STATE[company.status],
        "tel1": landline(company, "nc") if current else NOTHING,
        "creditmny": f"{limit:.8f}",
        "pk_currtype": "CNY",
        "payterm": words.PAY_TERMS[(company.index + 1) % 4],
        "ts": plain_time(at),
    }
    return _bill("customer", known.key, head)


def _invoice(invoice: Invoice) -> str:
    rows = "".join(
        "<item>"
        + elements(
            {
                "crowno": row.number,
                "cmaterialvid": row.product.code,
                "nastnum": row.quantity,
                "cunitid": row.product.unit,
                "ntaxrate": "13.00000000",
                "norigmny": f"{row.net:.8f}",
                "ntax": f"{row.tax:.8f}",
                "norigtaxmny": f"{row.net + row.tax:.8f}",
            }
        )
        + "</item>"
        for row in invoice.rows
    )
    head: dict[str, object] = {
        "pk_group": "G1",
        "pk_org": "0101",
        "vbillcode": invoice.number,
        "dbilldate": f"{invoice.date.isoformat()} 00:00:00",
        "cinvoicecustid": invoice.company.known["nc"].key,
        "corigcurrencyid": "CNY",
        "ntotalorigmny": f"{invoice.total:.8f}",
        "def1": invoice.red_of or NOTHING,
        "def2": invoice.order_number,
        "ts": plain_time(invoice.at),
    }
    return _bill("32", invoice.number, head, f"<so_saleinvoice_b>{rows}</so_saleinvoice_b>")


def _receipt(receipt: Receipt) -> str:
    customer = receipt.invoice.company.known["nc"].key
    item = elements({"customer": customer, "money_cr": f"{receipt.amount:.8f}", "pk_balatype": receipt.balance_type})
    head: dict[str, object] = {
        "pk_group": "G1",
        "pk_org": "0101",
        "pk_billtype": "F2",
        "billno": receipt.number,
        "billdate": f"{receipt.date.isoformat()} 00:00:00",
        "pk_currtype": "CNY",
        "money": f"{receipt.amount:.8f}",
        "customer": customer,
        "def1": receipt.invoice.number,
        "def2": receipt.invoice.order_number,
        "ts": plain_time(receipt.at),
    }
    return _bill("F2", receipt.number, head, f"<bodys><item>{item}</item></bodys>")
