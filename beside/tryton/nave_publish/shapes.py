# SPDX-License-Identifier: GPL-3.0-or-later
"""What is published of each model: the records that Nave's connector for Tryton reads, so that its mappings serve both."""

from datetime import UTC

from trytond.model import Model

SHAPES = {
    "party.party": (
        "parties",
        ("code", "name", "active", "phone", "email"),
        {
            "addresses": ("street", "city", "postal_code", "country.code"),
            "identifiers": ("type", "code"),
            "contact_mechanisms": ("type", "value"),
        },
    ),
    "product.template": (
        "products",
        ("code", "name", "active", "default_uom.symbol", "list_price", "producible"),
        {},
    ),
    "production.bom": (
        "boms",
        ("code", "name", "active"),
        {
            "inputs": ("product.template", "quantity", "unit.symbol"),
            "outputs": ("product.template", "quantity", "unit.symbol"),
        },
    ),
    "sale.sale": (
        "sales",
        ("number", "reference", "party", "sale_date", "state", "currency.code", "total_amount", "comment"),
        {"lines": ("type", "product.template", "quantity", "unit.symbol", "unit_price", "amount")},
    ),
}
"""By model: the source of the hub, the fields, and the fields of each list of parts."""


def record_of(row):
    """One record with its parts, and `changed`, the latest change of them all."""
    _source, fields, parts = SHAPES[row.__name__]
    record = {"id": row.id, **_fields(row, fields)}
    moments = [_changed(row)]
    for name, inner in parts.items():
        children = list(getattr(row, name, None) or ())
        record[name] = [{"id": one.id, **_fields(one, inner)} for one in children]
        moments += map(_changed, children)
    record["changed"] = max(filter(None, moments), default=None)
    return record


def gone(number, at):
    """What is published of a record that is no more."""
    return {"id": number, "deleted": True, "changed": _text(at)}


def _fields(row, names):
    found = {}
    for name in names:
        first, _, rest = name.partition(".")
        if first not in row._fields:
            continue  # of a module that is not active
        value = getattr(row, first)
        if rest:
            found[first] = None if value is None else {"id": value.id, rest: _plain(getattr(value, rest))}
        else:
            found[first] = _plain(value)
    return found


def _plain(value):
    return value.id if isinstance(value, Model) else value


def _changed(row):
    at = row.write_date or row.create_date
    return at and _text(at.replace(tzinfo=UTC))


def _text(at):
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z")
