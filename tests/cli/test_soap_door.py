"""A hub at work, reached over SOAP: what is submitted becomes a golden record, and can be asked for."""

from __future__ import annotations

import re
from http.client import HTTPConnection
from pathlib import Path
from sqlite3 import OperationalError

import pytest
import zeep

from tests.cli.calls import until
from tests.cli.test_run import port, running
from tests.cli.tiny import rows_of

__all__ = ["port"]


@pytest.mark.slow
def test_a_record_sent_over_soap_is_landed_applied_delivered_and_found(hub: Path, port: int, tmp_path: Path) -> None:
    with running(hub, port):
        connection = HTTPConnection("127.0.0.1", port, timeout=20)
        connection.request("GET", "/soap/crm?wsdl")
        (tmp_path / "crm.wsdl").write_bytes(connection.getresponse().read())
        connection.close()
        service = zeep.Client(str(tmp_path / "crm.wsdl")).service

        answer = service.submitText_customers(format="json", text='{"id": "C1", "name": "Pushed"}')
        until(lambda: service.receipt(id=answer.receipt).state == "done")
        until(lambda: _delivered(hub) == ["Pushed"])
        receipt = service.receipt(id=answer.receipt)
        found, absent = service.query(entity="customer", key="C1"), service.query(entity="customer", key="C2")

    assert (receipt.found, receipt.source, receipt.received, receipt.applied) == (True, "crm.customers", 1, 1)
    assert (found.found, absent.found, found.version) == (True, False, 1)
    assert re.search(r'"name":"Pushed"', found.document)
    assert [(key.system, key.key) for key in found.key] == [("crm", "C1")]


def _delivered(hub: Path) -> list[object]:
    try:
        return [row[2] for row in rows_of(hub, "IF_CUSTOMER")] if (hub / "erp.db").exists() else []
    except OperationalError:
        return []  # the table is made with the first delivery
