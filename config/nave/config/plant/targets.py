"""What each target of the plant must hold for a golden record: the outbound mappings, written down a second time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Row = dict[str, Any]
Keys = Mapping[str, str]


def rows(entity: str, keys: Keys, values: Mapping[str, Any]) -> list[tuple[str, Row]]:
    """Sink and row for every sink that a customer or product goes to."""
    return [(sink, make(keys, values)) for sink, wants, make in _SINKS[entity] if wants(values)]


def _always(_values: Mapping[str, Any]) -> bool:
    return True


def _active(values: Mapping[str, Any]) -> bool:
    return bool(values.get("status") == "active")


def customer_document(keys: Keys, values: Mapping[str, Any]) -> Row:
    """The JSON document that the CRM's HTTP interface gets."""
    row: Row = {
        "code": values.get("code"),
        "name": values["name"],
        "shortName": values.get("short_name"),
        "taxId": values.get("tax_id"),
        "status": values.get("status"),
        "region": values.get("region"),
        "phone": values.get("phone"),
        "salesperson": _key(values, "salesperson"),
        "credit": values.get("credit"),
        "contacts": [{"name": one["name"], "phone": one.get("phone")} for one in values.get("contacts", ())],
        "sourceKeys": {name: keys[name] for name in ("erp", "nc", "crm") if name in keys},
    }
    return _present(row)


def customer_row(keys: Keys, values: Mapping[str, Any]) -> Row:
    """The row of CRM_CUSTOMER."""
    return _present(
        {
            "ERP_CODE": keys.get("erp"),
            "NC_CODE": keys.get("nc"),
            "CRM_CODE": keys.get("crm"),
            "CODE": values.get("code"),
            "NAME": values["name"],
            "TAX_ID": values.get("tax_id"),
            "PHONE": values.get("phone"),
            "REGION": values.get("region"),
            "GRADE": values.get("grade"),
            "PLANT_GRADE": values.get("plant_grade"),
            "CREDIT": _part(values, "credit", "amount"),
            "CURRENCY": _part(values, "credit", "currency"),
            "SALESPERSON": _key(values, "salesperson"),
            "CONTACTS": len(values.get("contacts", ())),
        }
    )


def product_row(_keys: Keys, values: Mapping[str, Any]) -> Row:
    """The row of the ERP's interface table IF_PRODUCT."""
    return _present(
        {
            "PART_NO": values["code"],
            "PART_NAME": values["name"],
            "SPEC": values.get("specification"),
            "DRAWING_NO": values.get("drawing_no"),
            "REV": values.get("revision"),
            "MATERIAL": values.get("material"),
            "WEIGHT_KG": _part(values, "weight", "value"),
            "PRICE": _part(values, "price", "amount"),
        }
    )


def order_row(customer_keys: Keys, customer: Mapping[str, Any], values: Mapping[str, Any]) -> Row:
    """The row of CRM_ORDER; its customer is known there by the CRM's own key."""
    return _present(
        {
            "ORDER_NO": values["number"],
            "CUSTOMER_CRM": customer_keys["crm"],
            "CUSTOMER_CODE": customer["code"],
            "ORDER_DATE": values["date"],
            "STATUS": values.get("status"),
            "TOTAL": _part(values, "total", "amount"),
            "LINES": len(values["lines"]),
        }
    )


def _key(values: Mapping[str, Any], name: str) -> Any:
    return _part(values, name, "key")


def _part(values: Mapping[str, Any], name: str, part: str) -> Any:
    whole = values.get(name)
    return None if whole is None else whole[part]


def _present(row: Row) -> Row:
    return {name: value for name, value in row.items() if value is not None}


_SINKS: dict[str, tuple[tuple[str, Callable[[Mapping[str, Any]], bool], Callable[[Keys, Mapping[str, Any]], Row]], ...]]
_SINKS = {
    "customer": (("crm.customers_http", _always, customer_document), ("crm.customers_db", _active, customer_row)),
    "product": (("erp.products_if", _always, product_row),),
}
IDENTITY: Mapping[str, tuple[str, ...]] = {
    "crm.customers_http": ("sourceKeys",),
    "crm.customers_db": ("ERP_CODE", "NC_CODE", "CRM_CODE"),
    "crm.orders_db": ("ORDER_NO",),
    "erp.products_if": ("PART_NO",),
}
"""The columns that say which record a target's row is, since the golden id is the hub's own affair."""
