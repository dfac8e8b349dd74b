"""Parties whose codes change elsewhere: Tryton keeps the code that it was given, and nobody is taken for somebody else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from nave.core import decisions, findings
from nave.core.entities import decode
from nave.core.resolve import resolve
from nave.core.store import schema as t
from tests.servers.tryton import Erp
from tests.whole.tryton_world import Company, Row, company, now

pytest_plugins = ["tests.servers.tryton_fixtures"]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
_MORE = {
    "entities/customer.yaml": "entity: customer\nidentity: {exact: [email]}\n",
    "mappings/mes/customer.yaml": "mapping: mes/customer\nfrom: mes.customer\nto: customer\nkey: nr\n"
    "version: at | datetime\nfields: {code: code, name: name, status: status, email: email | optional}\n"
    "drop: [phone, addresses]\n",
    "mappings/mes/customer-out.yaml": "mapping: mes/customer-out\nfrom: customer\nto: mes.customer_out\n"
    'fields: {nr: keys.mes | default(id), code: code, name: name, status: status | default("active"), '
    "email: email | optional}\n",
}
"""Customers that the other system knows by numbers, so that a code may become another; who is who is told by mail."""


def says(one: Company, nr: str, code: str, name: str, email: str) -> None:
    """What a user of the other system saves."""
    held = one.mes.held["customer"]
    for old in [key for key, row in held.items() if row.get("nr") == nr]:
        del held[old]
    held[code] = {"nr": nr, "code": code, "name": name, "status": "active", "email": email, "at": now()}


def parties(one: Company, prefix: str) -> dict[str, Row]:
    fields = ("name", "active", "email")
    rows = one.peer.rows("party.party", [["code", "like", f"{prefix}%"]], ["code", *fields], limit=99)
    return {row["code"]: {name: row[name] for name in fields} for row in rows}


def golden(one: Company, prefix: str) -> list[tuple[str, Any, Any]]:
    mine = (t.record.c.entity == "customer", t.record.c.merged_into.is_(None))
    documents = [decode(row[0]) for row in one.all(sa.select(t.record.c.doc).where(*mine).order_by(t.record.c.id))]
    return [(row["code"], row["name"], row.get("status")) for row in documents if row["code"].startswith(prefix)]


def test_a_party_keeps_its_code_and_its_old_one_makes_nobody_else_of_it(
    tmp_path: Path, erp: Erp, monkeypatch: pytest.MonkeyPatch
) -> None:
    with company(tmp_path, erp, 5, monkeypatch, _MORE) as one:
        says(one, "1", "KEPT-1", "Huber", "huber@example.com")
        one.settle()
        for name in ("Huber & Sohn", "Huber KG", "Huber AG", "Huber SE"):
            says(one, "1", "KEPT-2", name, "huber@example.com")
            one.settle()

        assert golden(one, "KEPT") == [("KEPT-2", "Huber SE", "active")]
        assert parties(one, "KEPT") == {"KEPT-1": {"name": "Huber SE", "active": True, "email": "huber@example.com"}}
        assert one.settle() == 0
        assert one.letters() == []

        says(one, "2", "KEPT-1", "Meier", "meier@example.com")
        one.settle()

        assert sorted(golden(one, "KEPT")) == [("KEPT-1", "Meier", "active"), ("KEPT-2", "Huber SE", "active")]
        assert [letter[:2] for letter in one.letters()] == [("NAVE-K359", "tryton.parties_out")]
        assert parties(one, "KEPT")["KEPT-1"]["name"] == "Huber SE"
        with one.hub.store.read() as tx:
            assert list(findings.open_findings(tx)) == []


def test_two_customers_that_turn_out_to_be_one_leave_one_party_that_is_active(
    tmp_path: Path, erp: Erp, monkeypatch: pytest.MonkeyPatch
) -> None:
    with company(tmp_path, erp, 6, monkeypatch, _MORE) as one:
        says(one, "1", "ONE-1", "Li", "li@example.com")
        says(one, "2", "ONE-2", "Li & Co.", "co@example.com")
        one.settle()
        by: dict[str, Any] = {"now": one.hub.clock(), "ids": one.hub.ids}
        with one.hub.store.write() as tx:
            decisions.decide(tx, "customer", "same", ("mes", "1"), ("mes", "2"), actor="Wang", reason="one house", **by)
            resolve(tx, one.hub.entities["customer"], [("mes", "1"), ("mes", "2")], cause="merge", **by)
        one.settle()

        assert one.letters() == []
        assert [(name, status) for _, name, status in golden(one, "ONE")] == [("Li & Co.", "active")]
        assert sorted(row["active"] for row in parties(one, "ONE").values()) == [False, True]
        assert one.settle() == 0
