"""What the ready-made targets of the plant must hold for a golden record: their mappings, written down a second time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from nave.config.plant import targets as plain

Row = dict[str, Any]
Keys = Mapping[str, str]
ACCOUNTS, CONTACTS = "espocrm.accounts_out", "espocrm.contacts_out"
ARCHIVES, RECEIVABLES = "nc.customers_out", "nc.receivables"
PRODUCTS = "erp.products_if"
IDENTITY: Mapping[str, tuple[str, ...]] = {
    ACCOUNTS: ("id", "cErpCode", "cNcCode"),
    CONTACTS: ("id",),
    ARCHIVES: ("code",),
    RECEIVABLES: ("def1",),
    PRODUCTS: plain.IDENTITY[PRODUCTS],
}
"""What says which record a row is. An account that the hub made has no `id` here: EspoCRM chose it."""


def rows(entity: str, keys: Keys, values: Mapping[str, Any]) -> list[tuple[str, Row]]:
    """Sink and row for every sink that a customer or product goes to."""
    return [(sink, _present(make(keys, values))) for sink, make in _MERGED[entity]]


def alone(entity: str, key: str, values: Mapping[str, Any]) -> list[tuple[str, Row]]:
    """The same of what only one system keeps."""
    return [(sink, _present(make(key, values))) for sink, make in _ALONE.get(entity, ())]


def account(keys: Keys, values: Mapping[str, Any]) -> Row:
    """What EspoCRM must show of a customer."""
    address: Row = next(iter(values.get("addresses", ())), {})
    return {
        "id": keys.get("espocrm"),
        "name": values["name"],
        "cTaxId": values.get("tax_id"),
        "cErpCode": keys.get("erp"),
        "cNcCode": keys.get("nc"),
        "cCredit": values.get("credit", {}).get("amount"),
        "phoneNumber": values.get("phone"),
        "emailAddress": values.get("email"),
        "billingAddressStreet": address.get("line"),
        "billingAddressPostalCode": address.get("postcode"),
    }


def contact(key: str, values: Mapping[str, Any]) -> Row:
    """What EspoCRM must show of a person."""
    return {
        "id": key,
        "lastName": values["name"],
        "accountId": values["customer"]["key"],
        "phoneNumber": values["phone"],
        "emailAddress": values["email"],
        "title": values["role"],
    }


def archive(keys: Keys, values: Mapping[str, Any]) -> Row:
    """The head of the document by which NC hears of a customer."""
    return {
        "pk_group": "G1",
        "pk_org": "0101",
        "code": keys.get("nc") or values["code"],
        "name": values["name"],
        "taxpayerid": values.get("tax_id"),
        "enablestate": "2" if values["status"] == "active" else "3",
        "tel1": values.get("phone"),
    }


def receivable(_key: str, values: Mapping[str, Any]) -> Row:
    """The document by which NC hears of an invoice: its head, and its rows under `items`."""
    return {
        "pk_billtype": "F0",
        "pk_group": "G1",
        "pk_org": "0101",
        "billdate": f"{values['date']} 00:00:00",
        "pk_currtype": values["total"]["currency"],
        "money": values["total"]["amount"],
        "customer": values["customer"]["key"],
        "def1": values["number"],
        "src_syscode": "17",
        "items": [_item(values, line) for line in values["lines"]],
    }


def _item(values: Mapping[str, Any], line: Mapping[str, Any]) -> Row:
    net, tax = (Decimal(line[name]["amount"]) for name in ("net", "tax"))
    return {
        "customer": values["customer"]["key"],
        "material": line["product"]["key"],
        "objtype": "0",
        "direction": "1",
        "pk_currtype": line["net"]["currency"],
        "taxrate": "13.00000000",  # with as many places as NC's own file has
        "contractno": values["order"]["key"],
        "money_de": f"{net + tax:.2f}",
        "notax_de": f"{net:.2f}",
        "quantity_de": line["quantity"]["value"],
        "postunit": line["quantity"]["unit"],
    }


def _present(row: Row) -> Row:
    return {name: value for name, value in row.items() if value is not None}


_MERGED: Mapping[str, tuple[tuple[str, Callable[[Keys, Mapping[str, Any]], Row]], ...]] = {
    "customer": ((ACCOUNTS, account), (ARCHIVES, archive)),
    "product": ((PRODUCTS, plain.product_row),),
}
_ALONE: Mapping[str, tuple[tuple[str, Callable[[str, Mapping[str, Any]], Row]], ...]] = {
    "contact": ((CONTACTS, contact),),
    "invoice": ((RECEIVABLES, receivable),),
}
